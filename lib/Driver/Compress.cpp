//===- Compress.cpp - plmc compress ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Compress.h"
#include "Budget.h"
#include "BuildRecord.h"
#include "ChooseRecipe.h"
#include "CompressChecks.h"
#include "CostMeter.h"
#include "Import.h"
#include "Output.h"
#include "Pipeline.h"
#include "RunSteps.h"
#include "VerifyWritten.h"
#include "Vocabulary.h"
#include "plmc/Analysis/NonFinite.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Driver/Version.h"
#include "plmc/Export/ONNX.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Support/MappedFiles.h"
#include "plmc/Support/TemporaryFile.h"
#include "plmc/Support/Text.h"
#include "plmc/Tokenizer/Tokenizer.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <chrono>

using namespace mlir;
using llvm::Error;
using Clock = std::chrono::steady_clock;

namespace plmc {

static double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

namespace {

class Compression {
public:
  Compression(const CompressOptions &options, llvm::raw_ostream &out)
      : options(options), out(out) {}
  Error run();

private:
  Error choosePipeline();
  Error showPipeline();
  Error searchRecipe();
  Error import();
  Error checkTokenizer();
  Error transform();
  Error emit();
  Error emitAs(OutputKind kind);
  std::vector<std::string> outputFiles() const;
  Error chooseWritten();
  Error verifyResult();
  std::string recipeText() const;
  CompileOptions libraryOptions(const Recipe &recipe,
                                const ModelSummary &after) const;
  Error finish();

  const CompressOptions &options;
  llvm::raw_ostream &out;
  Recipe recipe;
  Progress progress;
  OutputFormat format = OutputFormat::SharedLibrary;
  std::unique_ptr<MLIRContext> context;
  OwningOpRef<ModuleOp> module;
  OwningOpRef<ModuleOp> compressed; // after the passes, for --verify; or null
  std::unique_ptr<DumpIR> dump;
  std::unique_ptr<Tokenizer> tokenizer; // or null
  std::unique_ptr<CounterSink> counters;
  std::unique_ptr<PassRunner> passes;
  CompressReport report;
  CostMeter meter{options, recipe, report, progress};
  std::optional<NewTokenizers> newTokenizers;
  std::optional<BudgetOutcome> budget; // of --budget
  std::string destination;             // of the output, links followed
  std::string written;                 // where it is until it has been verified
  std::optional<TemporaryFile> unverified; // `written`, if it is another
  Clock::time_point start = Clock::now();
};

} // namespace

Error Compression::checkTokenizer() {
  if (options.tokenizer.empty())
    return Error::success();
  // Of a file that cannot hold it, it may still read texts for this run.
  if (format == OutputFormat::MLIR || format == OutputFormat::ONNX) {
    if (readsTexts(recipe) || !options.evalPath.empty())
      return Error::success();
    return makeError(ExitCode::Usage,
                     "--tokenizer goes into a library: emit .so, .o or .a");
  }
  auto opened = Tokenizer::open(options.tokenizer);
  if (!opened)
    return withCode(opened.takeError(), ExitCode::BadInput);
  tokenizer = std::move(*opened);
  return Error::success();
}

Error Compression::import() {
  progress.show("plmc: reading " + options.input);
  llvm::Expected<OwningOpRef<ModuleOp>> imported =
      importModel(options.input, context.get());
  if (!imported)
    return imported.takeError();
  module = std::move(*imported);
  if (llvm::Expected<func::FuncOp> func = forwardFunction(*module); !func)
    return func.takeError();
  if (dump)
    dump->add("import", *module, /*changed=*/true, 0, secondsSince(start));
  report.before = summarizeModel(*module);
  if (std::string text = nonFiniteText(findNonFinite(*module)); !text.empty()) {
    progress.clear();
    printWarningLine(options.input + ": " + text);
  }
  releaseMemory(); // all weights have been read, and few are read next
  if (Error error = checkWeights(*module, options, format))
    return error;
  return checkOutputNames(*module, options);
}

Error Compression::transform() {
  counters = std::make_unique<CounterSink>(context.get());
  passes = std::make_unique<PassRunner>(*module, options, report.pipeline,
                                        progress, dump.get());
  Recipe asChosen = recipe;
  newTokenizers.emplace(recipe);
  llvm::scope_exit restore([&] { recipe = std::move(asChosen); });
  if (Error error = newTokenizers->check())
    return error;
  if (Error error = runSteps(*module, recipe, *passes, *counters, report.steps,
                             [&](StepReport *step) {
                               return step ? meter.afterStep(*module, *step)
                                           : meter.begin(*module);
                             }))
    return error;
  if (Error error = meter.afterSteps(*module))
    return error;
  // What the library is to compute is then no longer what the file says.
  if (!recipe.isExact() && options.verifyCases)
    compressed = module->clone();
  report.after = summarizeModel(*module);
  for (const UnrecognizedOp &op : findUnrecognized(*module))
    report.unrecognized.push_back({op.node, op.op, op.reason});
  if (Error error =
          checkSize(*module, report.after.operations, options, format))
    return error;
  if (Error error = matchTokenizer(*module, recipe, tokenizer))
    return error;
  return passes->run(
      [&](OpPassManager &pm) { buildLowering(pm, options, format); });
}

/// emitLibrary says "internal: ..." or gives a system's error code where
/// something went wrong; else it met an op that it cannot do.
static Error emissionError(Error error) {
  ExitCode code = ExitCode::Internal;
  std::string message;
  llvm::handleAllErrors(std::move(error), [&](const llvm::ErrorInfoBase &e) {
    message = e.message();
    StringRef text = message;
    if (e.convertToErrorCode() == llvm::inconvertibleErrorCode() &&
        !text.starts_with("internal") && !text.starts_with("linking failed"))
      code = ExitCode::Unsupported;
  });
  return makeError(code, message);
}

CompileOptions Compression::libraryOptions(const Recipe &recipe,
                                           const ModelSummary &after) const {
  CompileOptions compile = compileOptions(options);
  compile.buildRecord =
      buildRecord(*module, recipe, after, tokenizer.get(), options, format);
  if (tokenizer) {
    compile.tokenizer = tokenizer->image();
    compile.tokenizerIds = int64_t(tokenizer->size());
  }
  compile.soname = llvm::sys::path::filename(options.output).str();
  return compile;
}

Error Compression::emitAs(OutputKind kind) {
  CompileOptions compile = libraryOptions(recipe, report.after);
  DiagnosticCollector diagnostics(context.get());
  llvm::Expected<CompileResult> result =
      emitLibrary(*module, compile, kind, written);
  if (!result)
    return emissionError(result.takeError());
  report.cpu = result->cpu;
  report.codeBytes = result->codeBytes;
  report.weightBytes = result->weightBytes;
  report.storage = std::move(result->storage);
  return Error::success();
}

Error Compression::emit() {
  progress.show("plmc: writing " + options.output);
  switch (format) {
  case OutputFormat::SharedLibrary:
    return emitAs(OutputKind::SharedLibrary);
  case OutputFormat::Object:
    return emitAs(OutputKind::Object);
  case OutputFormat::Archive:
    return emitAs(OutputKind::Archive);
  case OutputFormat::MLIR:
    return writeFile(written, [&](llvm::raw_ostream &os) {
      module.get()->print(os, printingFlags(options.elideWeights));
      os << "\n";
    });
  case OutputFormat::ONNX:
    return withCode(exportONNX(*module, written), ExitCode::Internal);
  }
  return Error::success();
}

/// The files of this run that make up the result.
std::vector<std::string> Compression::outputFiles() const {
  std::vector<std::string> files = {written};
  // Large weights lie beside an ONNX model (see exportONNX). Within it they
  // take at least half of what they take here: bytes may become 4 bits.
  if (format == OutputFormat::ONNX &&
      fileBytes(written) < uint64_t(report.after.parameterBytes) / 2)
    files.push_back(written + ".data");
  return files;
}

/// What is to be verified is written beside its place, so that an older file
/// there survives a failure. (An ONNX model with its weights in a second file
/// names that file: it is written in place.)
Error Compression::chooseWritten() {
  destination = resolveOutput(options.output);
  written = destination;
  constexpr int64_t alwaysInline = int64_t(1) << 30;
  if (!options.verifyCases || (format == OutputFormat::ONNX &&
                               report.after.parameterBytes > alwaysInline))
    return Error::success();
  SmallString<128> unique;
  llvm::sys::fs::createUniquePath(destination + ".%%%%%%" +
                                      llvm::sys::path::extension(destination),
                                  unique, /*MakeAbsolute=*/false);
  written = unique.str().str();
  unverified.emplace(written);
  return Error::success();
}

/// Puts what was written into its place if it computes what it should.
Error Compression::verifyResult() {
  ProvisionalFiles provisional(outputFiles());
  progress.show("plmc: verifying");
  Clock::time_point verifyStart = Clock::now();
  llvm::Expected<VerifyResult> result = verifyWritten(
      std::move(compressed), written, options, format, context.get());
  if (!result)
    return result.takeError();
  report.verification = result->summary;
  report.verifySeconds = secondsSince(verifyStart);
  if (result->summary.passed) {
    if (written != destination)
      if (std::error_code code = llvm::sys::fs::rename(written, destination))
        return makeError(ExitCode::Internal, "cannot write '" + destination +
                                                 "': " + code.message());
    written = destination;
    provisional.keep();
    return Error::success();
  }
  progress.clear();
  printTable(*result, out);
  return makeError(ExitCode::VerificationFailed,
                   "verification failed: what was written does not compute "
                   "what '" +
                       options.input + "' does; '" + options.output +
                       "' was not kept");
}

/// What will be done, as a recipe and as passes; printed if that was asked for.
Error Compression::choosePipeline() {
  llvm::Expected<Recipe> chosen = chooseRecipe(options);
  if (!chosen)
    return chosen.takeError();
  recipe = std::move(*chosen);
  if (!options.output.empty())
    if (Error error = checkTokenizer())
      return error;
  if (Error error = checkBudgetOptions(options, format))
    return error;
  // Else it is what the search is to build on.
  if (options.budget.empty())
    return showPipeline();
  return hashCalibration(recipe);
}

/// The steps of --budget. What is left of the run then takes them as given.
Error Compression::searchRecipe() {
  if (options.budget.empty())
    return Error::success();
  llvm::Expected<BudgetOutcome> outcome = chooseByBudget(
      *module, recipe, options,
      [this](const Recipe &recipe, const ModelSummary &after) {
        return libraryOptions(recipe, after);
      },
      llvm::sys::path::parent_path(resolveOutput(options.output)).str(),
      progress);
  if (!outcome)
    return outcome.takeError();
  budget = std::move(*outcome);
  recipe = budget->recipe;
  report.search = budget->report;
  return showPipeline();
}

Error Compression::showPipeline() {
  chooseTokenizerFolder(recipe, options.output);
  llvm::Expected<std::string> pipeline =
      pipelineText(recipe, options, format, context.get());
  if (!pipeline)
    return pipeline.takeError();
  report.pipeline = std::move(*pipeline);
  if (options.printPipeline)
    out << "plmc-opt --pass-pipeline='" << report.pipeline << "'\n";
  if (!options.output.empty()) {
    if (Error error = meter.check())
      return error;
    if (Error error = hashCalibration(recipe))
      return error;
  }
  report.recipe = recipeText();
  report.seed = recipe.seed;
  report.calibrationFiles = recipe.calibration.paths();
  report.calibrationHash = recipe.calibration.sha256;
  if (options.printRecipe == "-")
    out << report.recipe;
  return Error::success();
}

/// The recipe, and what beside it decides about the bytes.
std::string Compression::recipeText() const {
  if (options.output.empty())
    return printRecipe(recipe);
  return "# plmc compress " + cleanText(options.input) + " -o " +
         cleanText(options.output) + " --cpu=" + options.cpu +
         (options.computePadding ? " --padding=compute" : "") +
         (tokenizer ? " --tokenizer=" + cleanText(options.tokenizer) : "") +
         " --recipe=THIS_FILE\n" + printRecipe(recipe);
}

Error Compression::finish() {
  for (const std::string &file : outputFiles())
    report.outputBytes += fileBytes(file);
  if (Error error = meter.finish(written))
    return error;
  report.passes = passes->takePassRuns();
  report.counters = counters->get();
  progress.clear();
  if (dump)
    if (Error error = dump->finish())
      return error;
  for (const std::string &path : options.reportPaths)
    if (Error error = writeFile(path, [&](llvm::raw_ostream &os) {
          os << (StringRef(path).ends_with(".html") ? reportToHTML(report)
                                                    : reportToJSON(report))
             << "\n";
        }))
      return error;
  if (!options.printRecipe.empty() && options.printRecipe != "-")
    if (Error error =
            writeFile(options.printRecipe,
                      [&](llvm::raw_ostream &os) { os << report.recipe; }))
      return error;
  printTable(report, out);
  if (budget && !budget->met)
    return makeError(ExitCode::LimitMissed,
                     "--budget is not met: '" + options.output +
                         "' is the closest that was found, with " +
                         budget->missed);
  return meter.verdict();
}

Error Compression::run() {
  if (Error error = checkCompressOptions(options, format))
    return error;
  context = makeContext();
  report.version = versionText().str();
  report.input = options.input;
  report.output = options.output;
  report.outputs = options.outputs;
  report.format = formatName(format).str();
  if (Error error = choosePipeline())
    return error;
  if (options.output.empty())
    return Error::success(); // it was only to be printed
  report.inputBytes = modelBytes(options.input);
  if (!options.dumpDirectory.empty()) {
    auto created = DumpIR::create(options.dumpDirectory, options.elideWeights);
    if (!created)
      return created.takeError();
    dump = std::move(*created);
  }
  if (Error error = import())
    return error;
  Error error = searchRecipe();
  if (!error)
    error = transform();
  if (!error)
    error = chooseWritten();
  if (!error)
    error = emit();
  report.seconds = secondsSince(start) - meter.seconds();
  if (!error && options.verifyCases)
    error = verifyResult();
  if (!error)
    error = newTokenizers->putInPlace();
  if (error) {
    // The dumps up to here are what one wants to read now.
    if (dump)
      llvm::consumeError(dump->finish());
    return error;
  }
  return finish();
}

Error compress(const CompressOptions &options, llvm::raw_ostream &out) {
  return Compression(options, out).run();
}

} // namespace plmc
