//===- Pipeline.cpp - The passes of a compression -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Pipeline.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "llvm/ADT/StringExtras.h"
#include <chrono>

using namespace mlir;
using llvm::Error;
using Clock = std::chrono::steady_clock;

namespace plmc {

//===----------------------------------------------------------------------===//
// What runs
//===----------------------------------------------------------------------===//

Error buildModelPipeline(OpPassManager &pm, const Recipe &recipe) {
  buildRecognitionPipeline(pm);
  for (const RecipeStep &step : recipe.steps)
    if (Error error = addStep(pm, step))
      return withCode(std::move(error), ExitCode::BadInput);
  return Error::success();
}

CompileOptions compileOptions(const CompressOptions &options) {
  CompileOptions result;
  result.cpu = options.cpu;
  result.computePadding = options.computePadding;
  return result;
}

void buildLowering(OpPassManager &pm, const CompressOptions &options,
                   OutputFormat format) {
  if (format != OutputFormat::MLIR && format != OutputFormat::ONNX)
    buildLoweringPipeline(pm, compileOptions(options));
}

llvm::Expected<std::string> pipelineText(const Recipe &recipe,
                                         const CompressOptions &options,
                                         OutputFormat format,
                                         MLIRContext *context) {
  PassManager pm(context, ModuleOp::getOperationName());
  if (Error error = buildModelPipeline(pm, recipe))
    return std::move(error);
  buildLowering(pm, options, format);
  std::string text;
  llvm::raw_string_ostream os(text);
  pm.printAsTextualPipeline(os);
  return text;
}

OpPrintingFlags printingFlags(bool elideWeights) {
  OpPrintingFlags flags; // as --mlir-* options say
  if (elideWeights)
    flags.elideLargeElementsAttrs(64).elideLargeResourceString(64);
  return flags;
}

//===----------------------------------------------------------------------===//
// Running it
//===----------------------------------------------------------------------===//

struct PassRunner::State {
  ModuleOp module;
  const CompressOptions &options;
  std::string pipeline;
  Progress &progress;
  DumpIR *dump;
  /// The module as it was before the first pass, for a reproducer. Weights are
  /// resources, so this copies no data.
  OwningOpRef<ModuleOp> original;
  std::vector<CompressReport::PassRun> runs;
  std::string failedPass;
  bool brokeModule = false; // the failed pass left invalid IR
  std::unique_ptr<DefaultTimingManager> timing;
  TimingScope rootTiming;

  std::string writeReproducer();
};

class PassRunner::Instrumentation : public PassInstrumentation {
public:
  explicit Instrumentation(State &state) : state(state) {}

  void runBeforePass(Pass *pass, Operation *op) override {
    if (pass->getArgument().empty()) // MLIR's adaptors for nesting
      return;
    state.progress.show("plmc: " + pass->getArgument());
    operations = state.dump ? countOperations(state.module) : 0;
    before.emplace(state.module);
    start = Clock::now();
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    if (pass->getArgument().empty() || !before)
      return;
    double seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    bool changed = *before != OperationFingerPrint(state.module);
    before.reset();
    state.runs.push_back({pass->getArgument().str(), seconds, changed});
    if (state.dump)
      state.dump->add(pass->getArgument(), state.module, changed, operations,
                      seconds);
  }

  void runAfterPassFailed(Pass *pass, Operation *op) override {
    if (!state.failedPass.empty())
      return; // the adaptors fail with what is in them
    state.failedPass = pass->getArgument().str();
    ScopedDiagnosticHandler quiet(op->getContext(),
                                  [](Diagnostic &) { return success(); });
    state.brokeModule = failed(verify(op));
  }

private:
  State &state;
  std::optional<OperationFingerPrint> before;
  int64_t operations = 0;
  Clock::time_point start;
};

PassRunner::PassRunner(ModuleOp module, const CompressOptions &options,
                       std::string pipeline, Progress &progress, DumpIR *dump)
    : state(new State{module,
                      options,
                      std::move(pipeline),
                      progress,
                      dump,
                      module.clone(),
                      {},
                      "",
                      false,
                      nullptr,
                      TimingScope()}) {
  state->timing = std::make_unique<DefaultTimingManager>();
  applyDefaultTimingManagerCLOptions(*state->timing);
  state->rootTiming = state->timing->getRootScope();
}

PassRunner::~PassRunner() = default;

std::vector<CompressReport::PassRun> PassRunner::takePassRuns() {
  return std::move(state->runs);
}

/// Writes what plmc-opt --run-reproducer takes; returns where, or "".
std::string PassRunner::State::writeReproducer() {
  if (options.output.empty())
    return "";
  std::string path = options.output + ".reproducer.mlir";
  std::error_code code;
  llvm::raw_fd_ostream file(path, code);
  if (code)
    return "";
  file << "// plmc-opt --run-reproducer " << path << "\n";
  original.get()->print(file, printingFlags(options.elideWeights));
  // By hand: as a resource of the printer, the pipeline would be elided with
  // the weights.
  file << "\n{-#\n  external_resources: {\n    mlir_reproducer: {\n"
          "      pipeline: \"";
  llvm::printEscapedString(pipeline, file);
  file << "\",\n      disable_threading: true,\n      verify_each: true\n"
          "    }\n  }\n#-}\n";
  file.flush();
  if (file.has_error()) {
    file.clear_error();
    return "";
  }
  return path;
}

Error PassRunner::run(llvm::function_ref<void(OpPassManager &)> addPasses,
                      Kind kind) {
  MLIRContext *context = state->module->getContext();
  PassManager pm(context, ModuleOp::getOperationName());
  if (failed(applyPassManagerCLOptions(pm)))
    return makeError(ExitCode::Usage, "the --mlir-* options contradict "
                                      "one another");
  addPasses(pm);
  if (pm.empty())
    return Error::success();
  pm.addInstrumentation(std::make_unique<Instrumentation>(*state));
  TimingScope scope = state->rootTiming.nest("passes");
  pm.enableTiming(scope);

  DiagnosticCollector diagnostics(context);
  if (succeeded(pm.run(state->module)))
    return Error::success();
  state->progress.clear();
  if (kind == Kind::Step && !state->brokeModule &&
      !diagnostics.firstError().empty())
    return makeError(ExitCode::Unsupported, diagnostics.firstError());
  std::string message = state->failedPass.empty()
                            ? "the pass pipeline failed"
                            : "pass '" + state->failedPass + "' failed";
  if (!diagnostics.firstError().empty())
    message += ": " + diagnostics.firstError();
  std::string reproducer = state->writeReproducer();
  if (!reproducer.empty())
    message += " (plmc-opt --run-reproducer " + reproducer + ")";
  return makeError(
      state->brokeModule ? ExitCode::Internal : ExitCode::Unsupported, message);
}

} // namespace plmc
