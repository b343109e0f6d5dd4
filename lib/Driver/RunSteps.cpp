//===- RunSteps.cpp - The steps of a recipe, one by one -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RunSteps.h"
#include "Vocabulary.h"
#include "plmc/Calibration/Part.h"
#include "plmc/Evaluation/TokenBatches.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include <chrono>
#include <set>

using namespace mlir;
using llvm::Error;
using Clock = std::chrono::steady_clock;

namespace plmc {

/// What was added between two readings.
static std::vector<Counter> difference(std::vector<Counter> after,
                                       const std::vector<Counter> &before) {
  for (const Counter &old : before)
    for (Counter &counter : after)
      if (counter.pass == old.pass && counter.name == old.name)
        counter.value -= old.value;
  llvm::erase_if(after, [](const Counter &c) { return c.value == 0; });
  return after;
}

/// Calibration data is token ids: of no use once a step has given them others.
static Error checkCalibration(ModuleOp module, Attribute before,
                              const RecipeStep &step) {
  const RecipeOption *calibration = step.find("calibration");
  if (!calibration || !calibration->inherited || !hasOtherIds(module, before))
    return Error::success();
  CalibrationPart part = CalibrationPart::parse(calibration->values.front());
  if (llvm::none_of(part.files(), [](StringRef file) {
        return file.ends_with_insensitive(".npz");
      }))
    return Error::success(); // texts, which are read with the tokenizer of now

  return makeError(ExitCode::BadInput,
                   step.origin.text + ": step '" + step.name +
                       "': the calibration data has the ids of the vocabulary "
                       "before it was reduced; put the step before that, or "
                       "give texts (--calibration=FILE.txt)");
}

/// Ids that are not the model's, before any step takes time with them. What
/// cannot be read is for the step to say.
static Error checkTokensOfSteps(ModuleOp module, const Recipe &recipe) {
  std::optional<InputRoles> roles;
  std::set<std::string> checked;
  for (const RecipeStep &step : recipe.steps) {
    const RecipeOption *calibration = step.find("calibration");
    if (calibration && !calibration->values.empty() &&
        checked.insert(calibration->values.front()).second) {
      auto set = CalibrationSet::read(calibration->values.front());
      if (!roles)
        if (auto func = module.lookupSymbol<func::FuncOp>("forward")) {
          auto found = findInputRoles(func);
          if (found)
            roles = std::move(*found);
          else
            llvm::consumeError(found.takeError());
        }
      if (!set)
        llvm::consumeError(set.takeError());
      else if (roles)
        if (Error error = checkTokens(*roles, *set))
          return makeError(
              ExitCode::BadInput,
              step.origin.text + ": step '" + step.name + "': '" +
                  CalibrationPart::parse(calibration->values.front()).path +
                  "': " + llvm::toString(std::move(error)));
    }
    if (step.name == "reduce-vocabulary")
      break; // ids mean something else from here on
  }
  return Error::success();
}

Error runSteps(ModuleOp module, const Recipe &recipe, PassRunner &passes,
               const CounterSink &counters, std::vector<StepReport> &reports,
               llvm::function_ref<Error(StepReport *)> measure) {
  if (Error error =
          passes.run([](OpPassManager &pm) { buildRecognitionPipeline(pm); }))
    return error;
  if (Error error = checkTokensOfSteps(module, recipe))
    return error;
  if (Error error = measure(nullptr))
    return error;
  ModelSummary size = summarizeModel(module);
  int64_t bytes = totalBytes(weightBreakdown(module));
  Attribute vocabulary = module->getAttr("plm.vocabulary");
  for (const RecipeStep &step : recipe.steps) {
    if (Error error = checkCalibration(module, vocabulary, step))
      return error;
    StepReport report;
    report.name = step.name;
    report.options = printOptions(step);
    report.before = size;
    report.bytesBefore = bytes;
    std::vector<Counter> counted = counters.get();
    Clock::time_point start = Clock::now();
    Error refused = Error::success();
    Error error = passes.run(
        [&](OpPassManager &pm) {
          if (Error failed = addStep(pm, step))
            refused = llvm::joinErrors(std::move(refused), std::move(failed));
        },
        PassRunner::Kind::Step);
    if (refused) {
      llvm::consumeError(std::move(error));
      return withCode(std::move(refused), ExitCode::BadInput);
    }
    if (error) {
      ExitCode code = ExitCode::Unsupported;
      std::string message;
      llvm::handleAllErrors(std::move(error), [&](const DriverError &e) {
        code = e.getCode();
        message = e.message();
      });
      return makeError(code, step.origin.text + ": step '" + step.name +
                                 "': " + message);
    }
    report.seconds =
        std::chrono::duration<double>(Clock::now() - start).count();
    report.after = size = summarizeModel(module);
    report.bytesAfter = bytes = totalBytes(weightBreakdown(module));
    report.counters = difference(counters.get(), counted);
    if (Error failed = measure(&report))
      return failed;
    reports.push_back(std::move(report));
  }
  return Error::success();
}

} // namespace plmc
