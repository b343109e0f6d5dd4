//===- Commands.cpp - The commands of plmc --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Commands.h"
#include "plmc/Driver/Bench.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Driver/Inspect.h"
#include "plmc/Driver/Profile.h"
#include "plmc/Driver/Run.h"
#include "plmc/Driver/Steps.h"
#include "plmc/Driver/Tokenize.h"
#include "plmc/Driver/Verify.h"
#include "plmc/Recipe/Recipe.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace plmc;

static llvm::Error oneOf(llvm::StringRef option, llvm::StringRef value,
                         std::initializer_list<llvm::StringRef> known) {
  std::string list;
  for (llvm::StringRef name : known) {
    if (name == value)
      return llvm::Error::success();
    list += (list.empty() ? "" : ", ") + name.str();
  }
  return makeError(ExitCode::Usage,
                   option + "=" + value + ": known are " + list);
}

/// The runtime's limit (PLM_RT_MAX_THREADS).
static llvm::Error checkThreads(int threads) {
  if (threads >= 0 && threads <= 1024)
    return llvm::Error::success();
  return makeError(ExitCode::Usage, "--threads=" + llvm::Twine(threads) +
                                        ": 1 to 1024 threads are possible, or "
                                        "0 for one per CPU");
}

tool::Command tool::addCompress(CLI::App &app) {
  struct Arguments : CompressOptions {
    std::string padding = "skip";
    std::string budgetText;
    std::vector<std::string> conditions;
    unsigned randomCases = 0;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App *command =
      app.add_subcommand("compress", "Turn a model into a native library");
  command
      ->add_option("IN", args->input,
                   "An ONNX model (.onnx), a Hugging Face folder, or "
                   "plm IR (.mlir)")
      ->required();
  CLI::Option *output = command->add_option(
      "-o,--output", args->output,
      "File to write; its extension says what: .so .o .a .mlir .onnx");
  command->add_option(
      "--emit", args->emit,
      "What to write, whatever the extension: so, o, a, mlir, onnx");
  command->add_option("--target", args->target, "Target: x86")
      ->capture_default_str();
  command
      ->add_option("--cpu", args->cpu,
                   "native, any (code for every level in one library), "
                   "x86-64-v2, x86-64-v3, x86-64-v4 or a CPU's name")
      ->capture_default_str();
  command
      ->add_option("--precision", args->precision,
                   "What products are computed in: f32, bf16, int8, or int4 "
                   "(int8 with weights of 4 bits); int3, int2: for use with "
                   "calibrated quantization, by rounding alone they lose much")
      ->capture_default_str();
  CLI::Option *groupSize =
      command
          ->add_option(
              "--group-size", args->groupSize,
              "int4, int3, int2: weights of a column that share a scale: "
              "32, 64, 128, or 0 for all")
          ->capture_default_str();
  command
      ->add_option("--table-bits", args->tableBits,
                   "int8 and below: bits of embedding tables: 8, 4, 3, 2, or "
                   "0: as the weights, at least 4")
      ->capture_default_str();
  command->add_option(
      "--tokenizer", args->tokenizer,
      "Goes into the library, and reads calibration texts: tokenizer.json, "
      "vocab.txt, a SentencePiece .model, or a folder");
  command
      ->add_option("--outputs", args->outputs,
                   "Outputs to keep, a,b,...; what only the others need goes")
      ->delimiter(',')
      ->allow_extra_args(false);
  command
      ->add_option("--padding", args->padding,
                   "skip: no work for padding, outputs are 0 there; "
                   "compute: as the ONNX graph does")
      ->capture_default_str();
  command->add_option("--recipe", args->recipePath,
                      "Steps to take, as YAML (docs/recipes.md)");
  command->add_option("--preset", args->preset,
                      "A recipe that plmc has: " +
                          llvm::join(presetNames(), ", "));
  command
      ->add_option("--set", args->overrides,
                   "Change the recipe: STEP.OPTION=VALUE, seed=N, "
                   "calibration.file=FILE")
      ->allow_extra_args(false);
  command
      ->add_option("--calibration", args->calibration,
                   "Token sequences (.npz) for passes that look at them, and "
                   "to measure what compression costs")
      ->delimiter(',')
      ->allow_extra_args(false);
  command->add_option(
      "--eval", args->evalPath,
      "Labelled texts (.tsv) to score the model on, before and after "
      "(docs/cli.md)");
  CLI::Option *budget = command->add_option(
      "--budget", args->budgetText,
      "What must hold, e.g. 'size<7MB, cosine>=0.95': searches for the recipe "
      "(docs/budget.md)");
  CLI::Option *budgetTime =
      command
          ->add_option("--budget-time", args->budgetSeconds,
                       "Seconds that the search of --budget may take")
          ->capture_default_str();
  command->add_option("--resume", args->resumePath,
                      "File of what the search has measured, to go on with");
  command->add_option("--pareto", args->paretoPath,
                      "Write what is best at each size as JSON, with recipes");
  command->add_option("--print-recipe", args->printRecipe,
                      "Print what is done as a recipe; =FILE: write it there");
  CLI::Option *verify = command->add_option(
      "--verify", args->randomCases,
      "Compare with the reference interpreter; =N: with N more random cases");
  command
      ->add_option("--report", args->reportPaths,
                   "Write a report: a page (.html) or JSON (any other name)")
      ->delimiter(',')
      ->allow_extra_args(false);
  CLI::Option *latency =
      command
          ->add_option("--report-latency", args->latencyShapes,
                       "Time the library and the original for the report; "
                       "=BATCHxLENGTH,...: at these shapes")
          ->delimiter(',')
          ->allow_extra_args(false);
  command
      ->add_option("--fail-if", args->conditions,
                   "Exit with code 6 if a condition holds, such as "
                   "cosine<0.99 or size>8MB (docs/cli.md)")
      ->allow_extra_args(false);
  command->add_option("--dump-ir", args->dumpDirectory,
                      "Write the IR after each pass that changed something");
  command->add_flag("--print-pipeline", args->printPipeline,
                    "Print the plmc-opt line that runs the same passes");
  command
      ->add_flag("--elide-weights", args->elideWeights,
                 "Leave large weights out of printed IR (=false: keep them)")
      ->default_str("true");
  return [args, verify, output, latency, budget, groupSize,
          budgetTime]() -> llvm::Error {
    if (llvm::Error error =
            oneOf("--padding", args->padding, {"skip", "compute"}))
      return error;
    if (llvm::Error error =
            oneOf("--precision", args->precision,
                  {"f32", "bf16", "int8", "int4", "int3", "int2"}))
      return error;
    if (llvm::Error error =
            oneOf("--group-size", std::to_string(args->groupSize),
                  {"0", "32", "64", "128"}))
      return error;
    if (llvm::Error error =
            oneOf("--table-bits", std::to_string(args->tableBits),
                  {"0", "8", "4", "3", "2"}))
      return error;
    if (args->tableBits && !llvm::StringRef(args->precision).starts_with("int"))
      return makeError(ExitCode::Usage,
                       "--table-bits goes with --precision=int8 or below");
    if (groupSize->count() &&
        (!llvm::StringRef(args->precision).starts_with("int") ||
         args->precision == "int8"))
      return makeError(ExitCode::Usage,
                       "--group-size goes with --precision=int4, int3 or int2; "
                       "for a step of a recipe: --set STEP.group-size=N");
    for (const std::string &text : args->conditions) {
      llvm::Expected<std::vector<Condition>> parsed =
          parseConditions("--fail-if", text);
      if (!parsed)
        return makeError(ExitCode::Usage, llvm::toString(parsed.takeError()));
      llvm::append_range(args->failIf, *parsed);
    }
    if (latency->count() && args->reportPaths.empty())
      return makeError(ExitCode::Usage,
                       "--report-latency goes with --report=FILE");
    args->computePadding = args->padding == "compute";
    if (budgetTime->count() && !budget->count())
      return makeError(ExitCode::Usage, "--budget-time goes with --budget");
    if (budget->count()) {
      llvm::Expected<std::vector<Condition>> parsed =
          parseBudget(args->budgetText);
      if (!parsed)
        return withCode(parsed.takeError(), ExitCode::Usage);
      args->budget = std::move(*parsed);
    }
    if (verify->count())
      args->verifyCases = args->randomCases;
    if (!output->count() && !args->printPipeline && args->printRecipe.empty())
      return makeError(ExitCode::Usage,
                       "-o is missing: name the file to write, e.g. "
                       "-o model.so");
    return compress(*args, llvm::outs());
  };
}

tool::Command tool::addInspect(CLI::App &app) {
  struct Arguments {
    std::string path;
    bool json = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App *command = app.add_subcommand(
      "inspect", "Say what a model or a library is, and what was recognized");
  command
      ->add_option("IN", args->path, "A model (.onnx, .mlir) or library (.so)")
      ->required();
  command->add_flag("--json", args->json, "Print JSON");
  return [args] { return inspect(args->path, args->json, llvm::outs()); };
}

tool::Command tool::addRun(CLI::App &app) {
  auto args = std::make_shared<RunOptions>();
  CLI::App *command = app.add_subcommand("run", "Run a library on arrays");
  command->add_option("LIB", args->library, "A library made by plmc compress")
      ->required();
  command->add_option("--inputs", args->inputs,
                      "Arrays (.npz), named as the model's inputs");
  command
      ->add_option("--text", args->texts,
                   "Instead of arrays a text, or several, each with --text; "
                   "for libraries with a tokenizer")
      ->allow_extra_args(false);
  command
      ->add_option("--outputs", args->outputs,
                   "File to write (.npz), named as the model's outputs")
      ->required();
  command->add_option("--threads", args->threads, "Threads; 0: one per CPU")
      ->capture_default_str();
  return [args]() -> llvm::Error {
    if (llvm::Error error = checkThreads(args->threads))
      return error;
    return run(*args);
  };
}

tool::Command tool::addVerify(CLI::App &app) {
  struct Arguments : VerifyOptions {
    Arguments() { longCases = true; }
    std::string library, model;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App *command = app.add_subcommand(
      "verify",
      "Compare a library with its model in the reference interpreter");
  command->add_option("LIB", args->library, "A library made by plmc compress")
      ->required();
  command->add_option("IN", args->model, "The model it was made from")
      ->required();
  command->add_option("--cases,--verify", args->randomCases,
                      "Random cases beside the fixed ones");
  command->add_option("--threads", args->threads, "Threads of the library")
      ->capture_default_str();
  command
      ->add_option("--tolerance", args->tolerance,
                   "Largest error, in units of the output's scale")
      ->capture_default_str();
  command->add_option("--recipe", args->recipePath,
                      "What the library was made with, where it needed "
                      "calibration data");
  return [args]() -> llvm::Error {
    if (llvm::Error error = checkThreads(args->threads))
      return error;
    if (!(args->tolerance >= 0 && args->tolerance < 1))
      return makeError(ExitCode::Usage,
                       "--tolerance must be at least 0 and below 1");
    return verifyCommand(args->library, args->model, *args, llvm::outs());
  };
}

tool::Command tool::addSteps(CLI::App &app) {
  auto json = std::make_shared<bool>(false);
  CLI::App *command =
      app.add_subcommand("steps", "List what recipes are made of");
  command->add_flag("--json", *json, "Print JSON");
  return [json] { return listSteps(*json, llvm::outs()); };
}

tool::Command tool::addBench(CLI::App &app) {
  auto args = std::make_shared<BenchOptions>();
  CLI::App *command = app.add_subcommand("bench", "Time a library");
  command->add_option("LIB", args->library, "A library made by plmc compress")
      ->required();
  command->add_option("--shapes", args->shapes, "BATCHxLENGTH, ...")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command
      ->add_option("--threads", args->threads, "Thread counts; 0: one per CPU")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->capture_default_str();
  command->add_option("--seconds", args->seconds, "Time for each measurement")
      ->capture_default_str();
  command->add_flag("--json", args->json, "Print JSON");
  return [args]() -> llvm::Error {
    for (int threads : args->threads)
      if (llvm::Error error = checkThreads(threads))
        return error;
    if (!(args->seconds >= 0 && args->seconds <= 3600))
      return makeError(ExitCode::Usage, "--seconds must be 0 to 3600");
    return bench(*args, llvm::outs());
  };
}

tool::Command tool::addProfile(CLI::App &app) {
  auto args = std::make_shared<ProfileOptions>();
  CLI::App *command = app.add_subcommand(
      "profile", "Say where a library's time goes, and how near the machine's "
                 "peak it is");
  command->add_option("LIB", args->library, "A library made by plmc compress")
      ->required();
  command->add_option("--shape", args->shape, "BATCHxLENGTH")
      ->capture_default_str();
  command->add_option("--threads", args->threads, "Threads; 0: one per CPU")
      ->capture_default_str();
  command->add_option("--seconds", args->seconds, "Time for the measurement")
      ->capture_default_str();
  command->add_flag("--steps", args->steps,
                    "One row for each step instead of each kernel");
  command->add_option("--roofline", args->roofline,
                      "Write a roofline picture (.svg)");
  command->add_flag("--json", args->json, "Print JSON");
  return [args]() -> llvm::Error {
    if (llvm::Error error = checkThreads(args->threads))
      return error;
    if (!(args->seconds >= 0 && args->seconds <= 3600))
      return makeError(ExitCode::Usage, "--seconds must be 0 to 3600");
    return profile(*args, llvm::outs());
  };
}

tool::Command tool::addPeak(CLI::App &app) {
  auto seconds = std::make_shared<double>(0.3);
  CLI::App *command = app.add_subcommand(
      "peak", "Measure what one core can do at best, as JSON");
  command->add_option("--seconds", *seconds, "Time for each of six figures")
      ->capture_default_str();
  return [seconds]() -> llvm::Error {
    if (!(*seconds > 0 && *seconds <= 60))
      return makeError(ExitCode::Usage,
                       "--seconds must be above 0, at most 60");
    return peak(*seconds, llvm::outs());
  };
}

tool::Command tool::addTokenize(CLI::App &app) {
  auto args = std::make_shared<TokenizeOptions>();
  auto lowercase = std::make_shared<std::string>();
  CLI::App *command =
      app.add_subcommand("tokenize", "Print the ids of texts, one text a line");
  command
      ->add_option("--tokenizer", args->tokenizer,
                   "tokenizer.json, vocab.txt, a SentencePiece .model, or a "
                   "folder with one of them")
      ->required();
  command->add_option("FILE", args->file,
                      "A file with one text a line; -: standard input");
  command->add_option("--text", args->texts, "A text")->allow_extra_args(false);
  command->add_flag("--pairs", args->pairs,
                    "A line is two texts with a tab between them");
  command->add_flag("--no-special", args->noSpecial,
                    "Without [CLS], [SEP] and the like");
  command->add_option("--max-length", args->maxLength,
                      "The most ids; 0: what the tokenizer says");
  command->add_option("--for", args->library,
                      "A library that the ids are for: refuse a tokenizer of "
                      "another vocabulary");
  command->add_option("--lowercase", *lowercase,
                      "Of a vocab.txt: true or false");
  command->add_flag("--pieces", args->pieces, "Print pieces");
  command->add_flag("--json", args->json,
                    "Print an object with ids and types a line");
  return [args, lowercase]() -> llvm::Error {
    if (!lowercase->empty()) {
      if (llvm::Error error =
              oneOf("--lowercase", *lowercase, {"true", "false"}))
        return error;
      args->lowercase = *lowercase == "true";
    }
    return tokenize(*args, llvm::outs());
  };
}
