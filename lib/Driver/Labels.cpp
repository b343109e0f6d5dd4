//===- Labels.cpp - --eval: scores on labelled texts ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Labels.h"
#include "Vocabulary.h"
#include "plmc/Driver/Error.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

bool needsLabels(ArrayRef<Condition> conditions) {
  return llvm::any_of(conditions, [](const Condition &condition) {
    return metricInfo(condition.metric).needsLabels;
  });
}

static Error refuse(Error error) {
  return makeError(ExitCode::BadInput,
                   "--eval: " + llvm::toString(std::move(error)));
}

Expected<std::unique_ptr<Labels>> Labels::read(StringRef path,
                                               const Recipe &recipe) {
  auto labels = std::make_unique<Labels>();
  std::string tokenizer = recipe.calibration.tokenizerPath();
  if (tokenizer.empty())
    return makeError(ExitCode::Usage, "--eval reads texts: give the model's "
                                      "tokenizer, --tokenizer=FILE");
  Expected<LabelledSet> set = LabelledSet::read(path);
  if (!set)
    return refuse(set.takeError());
  labels->set = std::move(*set);
  for (const RecipeStep &step : recipe.steps)
    if (const RecipeOption *kept = step.find("outputs");
        kept && step.name == "prune-outputs")
      labels->outputs = kept->values;
  auto opened = Tokenizer::open(tokenizer);
  if (!opened)
    return withCode(opened.takeError(), ExitCode::BadInput);
  labels->tokenizer = std::move(*opened);
  return std::move(labels);
}

Error Labels::prepare(ModuleOp module, StringRef option,
                      ArrayRef<Condition> conditions) {
  if (Error error = matchTokenizer(module, Recipe(), tokenizer))
    return error;
  Expected<LabelledTask> created =
      LabelledTask::create(module, set, *tokenizer, outputs);
  if (!created)
    return refuse(created.takeError());
  task = std::move(*created);
  std::string known;
  for (const MetricInfo &info : allMetrics())
    if (task->gives(info.metric))
      known += (known.empty() ? "" : ", ") + info.name.str();
  for (const Condition &condition : conditions)
    if (metricInfo(condition.metric).needsLabels &&
        !task->gives(condition.metric))
      return makeError(ExitCode::Usage, option + " '" + condition.text +
                                            "': output '" + task->outputName() +
                                            "' and the labels of --eval "
                                            "give " +
                                            known);
  return Error::success();
}

Error Labels::follow(ModuleOp module, const Recipe &recipe) {
  return matchTokenizer(module, recipe, tokenizer);
}

Expected<Scores> Labels::score(LoadedModel &model) const {
  Expected<Scores> scores = task->score(model, *tokenizer);
  if (!scores)
    return refuse(scores.takeError());
  return scores;
}

LabelsReport Labels::report() const {
  LabelsReport report;
  report.data = set.path;
  report.texts = set.first.size();
  report.pairs = set.hasPairs();
  report.output = task->outputName().str();
  return report;
}

} // namespace plmc
