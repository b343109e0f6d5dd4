//===- CostMeter.cpp - What compression costs, step by step ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CostMeter.h"
#include "ShapeInputs.h"
#include "Stopwatch.h"
#include "Vocabulary.h"
#include "plmc/Evaluation/TemporaryModel.h"
#include "plmc/Recipe/Steps.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

bool CostMeter::conditionNeedsSequences() const {
  return llvm::any_of(options.failIf, [](const Condition &condition) {
    return metricInfo(condition.metric).needsSequences;
  });
}

bool CostMeter::wantsDistance() const {
  return conditionNeedsSequences() ||
         (!options.reportPaths.empty() && !recipe.calibration.files.empty());
}

Error CostMeter::check() {
  if (conditionNeedsSequences() && recipe.calibration.files.empty())
    return makeError(ExitCode::Usage,
                     "--fail-if compares outputs on token sequences; name "
                     "some: --calibration=FILE.npz");
  if (options.evalPath.empty()) {
    if (needsLabels(options.failIf))
      return makeError(ExitCode::Usage,
                       "--fail-if asks how good answers are; name texts with "
                       "labels: --eval=FILE.tsv");
  } else if (!labels) {
    auto read = Labels::read(options.evalPath, recipe);
    if (!read)
      return read.takeError();
    labels = std::move(*read);
  }
  for (const std::string &shape : options.latencyShapes)
    if (Expected<Shape> parsed = parseShape("--report-latency", shape); !parsed)
      return parsed.takeError();
  return Error::success();
}

Error CostMeter::createEvaluator(ModuleOp module) {
  EvaluationReport result;
  result.data = recipe.calibration.part(/*heldOut=*/true);
  auto fail = [&](Error error) -> Error {
    // A report says why it lacks something; a condition has to be judged.
    std::string text = llvm::toString(std::move(error));
    if (conditionNeedsSequences())
      return makeError(ExitCode::BadInput, "--fail-if: " + text);
    printWarningLine("the report has no output distances: " + text);
    result.problem = text;
    report.evaluation = std::move(result);
    return Error::success();
  };
  Expected<CalibrationSet> set = CalibrationSet::read(result.data);
  if (!set)
    return fail(set.takeError());
  progress.show("plmc: compiling the original to compare with");
  Expected<std::unique_ptr<Evaluator>> created =
      Evaluator::create(module, std::move(*set));
  if (!created)
    return fail(created.takeError());
  evaluator = std::move(*created);
  for (const Condition &condition : options.failIf) {
    const MetricInfo &info = metricInfo(condition.metric);
    bool distribution =
        condition.metric == Metric::Kl || condition.metric == Metric::Top1;
    if (info.needsSequences && !(distribution ? evaluator->hasDistributions()
                                              : evaluator->hasEmbeddings()))
      return makeError(ExitCode::Usage,
                       "--fail-if '" + condition.text +
                           "': the model has no output of " +
                           (distribution ? "logits; cosine"
                                         : "embeddings or tokens; kl, top1") +
                           " can be asked for");
  }
  result.sequences = evaluator->sequences().sequences.size();
  result.tokens = evaluator->sequences().numTokens();
  report.evaluation = std::move(result);
  return Error::success();
}

Error CostMeter::begin(ModuleOp module) {
  Stopwatch watch(spent);
  report.componentsBefore = weightBreakdown(module);
  report.recognized = summarizeModel(module);
  vocabulary = module->getAttr("plm.vocabulary");
  if (wantsShapes() || labels)
    original = module.clone();
  if (wantsDistance())
    if (Error error = createEvaluator(module))
      return error;
  if (wantsShapes())
    if (Error error = checkShapes())
      return error;
  if (!labels)
    return Error::success();
  if (Error error = labels->prepare(module, "--fail-if", options.failIf))
    return error;
  report.labels = labels->report();
  Expected<LoadedModel *> model = originalModel();
  if (!model)
    return model.takeError();
  progress.show("plmc: scoring the original on labelled texts");
  Expected<Scores> scores = labels->score(**model);
  if (!scores)
    return scores.takeError();
  report.labels->before = std::move(*scores);
  return Error::success();
}

bool CostMeter::wantsShapes() const {
  return !options.latencyShapes.empty() ||
         llvm::any_of(options.failIf, [](const Condition &condition) {
           return metricInfo(condition.metric).hasShape;
         });
}

/// What the model does not take would be noticed when all is done.
Error CostMeter::checkShapes() {
  Expected<LoadedModel *> model = originalModel();
  if (!model)
    return model.takeError();
  for (const std::string &text : options.latencyShapes)
    if (Error error = checkShape("--report-latency=" + text, **model,
                                 *parseShape("--report-latency", text)))
      return error;
  for (const Condition &condition : options.failIf)
    if (metricInfo(condition.metric).hasShape)
      if (Error error =
              checkShape("--fail-if '" + condition.text + "'", **model,
                         {condition.batch, condition.sequence}))
        return error;
  return Error::success();
}

/// The model before the steps, compiled once.
Expected<LoadedModel *> CostMeter::originalModel() {
  if (evaluator)
    return &evaluator->original();
  if (!compiledOriginal) {
    Expected<std::unique_ptr<LoadedModel>> model = compileTemporary(*original);
    if (!model)
      return withCode(model.takeError(), ExitCode::Unsupported);
    compiledOriginal = std::move(*model);
  }
  return compiledOriginal.get();
}

Error CostMeter::compare(ModuleOp module) {
  progress.show("plmc: comparing outputs with the original's");
  Expected<ModelDistance> distance = evaluator->compare(module);
  if (!distance)
    return withCode(distance.takeError(), ExitCode::Unsupported);
  last = std::move(*distance);
  return Error::success();
}

Error CostMeter::afterStep(ModuleOp module, StepReport &step) {
  Stopwatch watch(spent);
  const StepInfo *info = findStep(step.name);
  if (evaluator && hasOtherIds(module, vocabulary)) {
    // The same ids are not the same text any more.
    std::string text = "step '" + step.name +
                       "' gave ids another meaning, so "
                       "outputs of the same ids cannot be compared; "
                       "--eval=FILE.tsv scores texts";
    if (conditionNeedsSequences())
      return makeError(ExitCode::Usage, "--fail-if: " + text);
    report.evaluation->problem = text;
    evaluator.reset();
  }
  if (!evaluator || (info && info->exact))
    return Error::success();
  if (Error error = compare(module))
    return error;
  step.distance = last;
  return Error::success();
}

Error CostMeter::afterSteps(ModuleOp module) {
  Stopwatch watch(spent);
  report.componentsAfter = weightBreakdown(module);
  if (wantsShapes() || labels)
    final = module.clone();
  if (labels)
    if (Error error = labels->follow(module, recipe))
      return error;
  if (!evaluator)
    return Error::success();
  if (!last)
    if (Error error = compare(module))
      return error;
  report.evaluation->distance = *last;
  addWorstExamples();
  return Error::success();
}

/// Ids are no use to a reader who has the tokenizer.
void CostMeter::addWorstExamples() {
  std::unique_ptr<Tokenizer> tokenizer;
  if (std::string path = recipe.calibration.tokenizerPath(); !path.empty()) {
    if (auto opened = Tokenizer::open(path))
      tokenizer = std::move(*opened);
    else
      llvm::consumeError(opened.takeError()); // ids will do
  }
  const CalibrationSet &set = evaluator->sequences();
  for (const WorstExample &worst : last->worst) {
    EvaluationReport::Example example;
    example.row = set.rows[worst.sequence];
    example.output = worst.output;
    example.ids = set.sequences[worst.sequence];
    example.tokens = example.ids.size();
    constexpr size_t most = 32;
    bool cut = example.ids.size() > most;
    example.ids.resize(std::min(example.ids.size(), most));
    if (tokenizer)
      example.text = tokenizer->decode(std::vector<int32_t>(
                         example.ids.begin(), example.ids.end())) +
                     (cut ? " ..." : "");
    example.distance = worst.distance;
    report.evaluation->worst.push_back(std::move(example));
  }
}

} // namespace plmc
