//===- LabelledTask.cpp - A model, asked what labels answer ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/LabelledTask.h"
#include "LabelledTexts.h"
#include "plmc/Evaluation/MaskedTokens.h"
#include "plmc/Inputs/Names.h"
#include "plmc/Support/Text.h"
#include <cmath>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

using Vectors = std::vector<std::vector<double>>;

namespace {

struct TokenLogits {
  std::string output;
  int64_t width;
};

} // namespace

/// Which output says best what a text means: an embedding that was trained to,
/// else the mean of tokens; a pooler was trained to classify.
static int rankOf(OutputMeaning meaning, StringRef name) {
  if (meaning == OutputMeaning::Tokens)
    return 2;
  if (meaning != OutputMeaning::Embedding)
    return 0;
  return name.contains_insensitive("pooler") ? 1 : 3;
}

Expected<LabelledTask> LabelledTask::create(ModuleOp module, LabelledSet set,
                                            const Tokenizer &tokenizer,
                                            ArrayRef<std::string> outputs) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func)
    return llvm::createStringError("the module has no function @forward");
  Expected<InputRoles> roles = findInputRoles(func);
  if (!roles)
    return roles.takeError();
  LabelledTask task;
  task.set = std::move(set);
  task.roles = *roles;
  std::string name = cleanText(task.set.path);
  int best = 0;
  bool hasLogits = false;
  std::optional<TokenLogits> words;
  for (unsigned i = 0; i < func.getNumResults() && !hasLogits; ++i) {
    auto type = cast<RankedTensorType>(func.getResultTypes()[i]);
    std::string output = plmc::outputName(func, i);
    auto meaning = outputMeaning(output, type, *roles);
    if (!meaning || (!outputs.empty() && !llvm::is_contained(outputs, output)))
      continue;
    int64_t width = type.getShape().back();
    bool isStatic = !ShapedType::isDynamic(width);
    if (*meaning == OutputMeaning::TokenLogits && isStatic && !words)
      words = TokenLogits{output, width};
    hasLogits =
        *meaning == OutputMeaning::Logits && isStatic && task.set.hasLabels();
    if (int rank = rankOf(*meaning, output); hasLogits || rank > best) {
      best = rank;
      task.output = output;
      task.meaning = *meaning;
      task.classes = width;
    }
  }
  if (hasLogits)
    return classify(std::move(task));
  if (task.set.hasPairs() && task.set.hasLabels() && best) {
    task.kind = Kind::Similarity;
    return std::move(task);
  }
  // Of other tokens' classes a text tells nothing.
  if (words && words->width >= int64_t(tokenizer.size())) {
    task.kind = Kind::Masked;
    task.output = words->output;
    task.meaning = OutputMeaning::TokenLogits;
    task.classes = words->width;
    return std::move(task);
  }
  if (!task.set.hasLabels())
    return llvm::createStringError(
        name +
        ": there are no labels in it, and texts alone are for masked "
        "language models: " +
        (words ? "output '" + words->output + "' has " +
                     std::to_string(words->width) + " columns for the " +
                     std::to_string(tokenizer.size()) + " ids of the tokenizer"
               : std::string("this one has no logits of tokens [batch, "
                             "sequence, vocabulary]")) +
        "; labels are a cell of each line, divided by a tab");
  if (!best)
    return llvm::createStringError(
        name + ": the model has no output that a label of a text is about: "
               "logits of a class, an embedding or tokens");
  return llvm::createStringError(
      name + ": labels of single texts need a model with logits; this one "
             "embeds texts: give pairs (sentence1, sentence2, score)");
}

/// By logits of a text.
Expected<LabelledTask> LabelledTask::classify(LabelledTask task) {
  if (task.classes == 1) {
    bool binary = llvm::all_of(task.set.labels,
                               [](double l) { return l == 0 || l == 1; });
    task.kind = binary ? Kind::Sign : Kind::Value;
    return std::move(task);
  }
  task.kind = Kind::Classes;
  for (auto [label, line] : llvm::zip(task.set.labels, task.set.lines))
    if (label < 0 || label >= double(task.classes) ||
        label != std::floor(label))
      return llvm::createStringError(
          cleanText(task.set.path) + ":" + Twine(line) + ": the label is " +
          formatMetric(Metric::Kl, label) + ", output '" + task.output +
          "' has the classes 0 to " + Twine(task.classes - 1));
  return std::move(task);
}

bool LabelledTask::gives(Metric metric) const {
  if (!metricInfo(metric).needsLabels)
    return false;
  if (metric == Metric::Perplexity || kind == Kind::Masked)
    return metric == Metric::Perplexity && kind == Kind::Masked;
  bool classifies = kind == Kind::Classes || kind == Kind::Sign;
  bool correlation = metric == Metric::Spearman || metric == Metric::Pearson;
  return classifies != correlation;
}

/// What an output says of one sequence.
static std::vector<double> answer(const HostTensor &tensor, int64_t row,
                                  const TokenBatch &batch, bool tokens) {
  int64_t size = tensor.numElements() / tensor.shape[0];
  if (!tokens) {
    std::vector<double> values(size);
    for (int64_t i = 0; i < size; ++i)
      values[i] = tensor.getDouble(row * size + i);
    return values;
  }
  int64_t width = size / batch.length;
  std::vector<double> values(width);
  for (int64_t i = 0; i < batch.length; ++i)
    if (batch.keep[row * batch.length + i])
      for (int64_t j = 0; j < width; ++j)
        values[j] += tensor.getDouble(row * size + i * width + j);
  return values; // the sum has the mean's direction
}

static double cosineOf(const std::vector<double> &a,
                       const std::vector<double> &b) {
  double ab = 0, aa = 0, bb = 0;
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa && bb ? ab / std::sqrt(aa * bb) : 0;
}

Expected<Scores> LabelledTask::judge(const Vectors &answers) const {
  if (kind == Kind::Value || kind == Kind::Similarity) {
    std::vector<double> found;
    for (size_t i = 0; i < set.labels.size(); ++i)
      found.push_back(kind == Kind::Value
                          ? answers[i].front()
                          : cosineOf(answers[2 * i], answers[2 * i + 1]));
    return correlationScores(set.labels, found);
  }
  std::vector<int64_t> expected, found;
  for (size_t i = 0; i < set.labels.size(); ++i) {
    const std::vector<double> &logits = answers[i];
    expected.push_back(int64_t(set.labels[i]));
    found.push_back(kind == Kind::Sign
                        ? logits.front() > 0
                        : std::max_element(logits.begin(), logits.end()) -
                              logits.begin());
  }
  return classificationScores(expected, found,
                              kind == Kind::Sign ? 2 : classes);
}

/// Runs the batches, and hands what the output gives for each to `take`.
Error LabelledTask::ask(
    LoadedModel &model, ArrayRef<TokenBatch> batches,
    llvm::function_ref<void(const HostTensor &, const TokenBatch &)> take)
    const {
  auto at = llvm::find_if(model.outputs(), [&](const TensorSignature &one) {
    return one.name == output;
  });
  if (at == model.outputs().end())
    return llvm::createStringError("the model has no output '" + output +
                                   "' any more");
  std::vector<size_t> order;
  for (const TensorSignature &input : model.inputs()) {
    auto role = llvm::find_if(roles.inputs, [&](const InputRole &one) {
      return one.name == input.name;
    });
    if (role == roles.inputs.end())
      return llvm::createStringError("the original has no input '" +
                                     input.name + "'");
    order.push_back(role - roles.inputs.begin());
  }
  auto context = model.createContext(/*threads=*/0);
  if (!context)
    return context.takeError();
  for (const TokenBatch &batch : batches) {
    std::vector<HostTensor> inputs;
    for (size_t input : order)
      inputs.push_back(batch.inputs[input]);
    auto outputs = (*context)->run(inputs);
    if (!outputs)
      return outputs.takeError();
    take((*outputs)[at - model.outputs().begin()], batch);
  }
  return Error::success();
}

Expected<Scores> LabelledTask::scoreMasked(LoadedModel &model,
                                           CalibrationSet ids,
                                           const Tokenizer &tokenizer) const {
  auto masked = maskTokens(ids, tokenizer);
  if (!masked)
    return masked.takeError();
  std::vector<SmallVector<const MaskedToken *, 8>> bySequence(
      ids.sequences.size());
  for (const MaskedToken &token : *masked)
    bySequence[token.sequence].push_back(&token);
  // A token gives a number for each of the vocabulary: some 32 MB at once.
  auto batches = makeTokenBatches(
      roles, ids, std::clamp<int64_t>((int64_t(8) << 20) / classes, 64, 4096));
  if (!batches)
    return batches.takeError();
  std::vector<double> found(masked->size());
  Error error = ask(
      model, *batches, [&](const HostTensor &logits, const TokenBatch &batch) {
        for (int64_t row = 0; row < batch.used; ++row)
          for (const MaskedToken *token : bySequence[batch.sequences[row]])
            found[token - masked->data()] = logProbability(
                logits, row * batch.length + token->position, token->id);
      });
  if (error)
    return std::move(error);
  return perplexityScores(found);
}

Expected<Scores> LabelledTask::score(LoadedModel &model,
                                     const Tokenizer &tokenizer) const {
  bool apart = kind == Kind::Similarity || kind == Kind::Masked;
  auto ids = encodeTexts(set, apart, tokenizer, roles);
  if (!ids)
    return ids.takeError();
  if (kind == Kind::Masked)
    return scoreMasked(model, std::move(*ids), tokenizer);
  auto batches = makeTokenBatches(roles, *ids);
  if (!batches)
    return batches.takeError();
  Vectors answers(ids->sequences.size());
  Error error = ask(
      model, *batches, [&](const HostTensor &tensor, const TokenBatch &batch) {
        for (int64_t row = 0; row < batch.used; ++row)
          answers[batch.sequences[row]] =
              answer(tensor, row, batch, meaning == OutputMeaning::Tokens);
      });
  if (error)
    return std::move(error);
  return judge(answers);
}

} // namespace plmc
