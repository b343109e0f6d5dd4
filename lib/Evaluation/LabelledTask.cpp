//===- LabelledTask.cpp - A model, asked what labels answer ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/LabelledTask.h"
#include "plmc/Inputs/Names.h"
#include "plmc/Support/Text.h"
#include <cmath>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

using Vectors = std::vector<std::vector<double>>;

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
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    auto type = cast<RankedTensorType>(func.getResultTypes()[i]);
    std::string output = plmc::outputName(func, i);
    auto meaning = outputMeaning(output, type, *roles);
    if (!meaning || (!outputs.empty() && !llvm::is_contained(outputs, output)))
      continue;
    if (*meaning == OutputMeaning::Logits &&
        !ShapedType::isDynamic(type.getShape().back())) {
      hasLogits = true;
      task.classes = type.getShape().back();
      task.output = output;
      task.meaning = *meaning;
      break;
    }
    if (int rank = rankOf(*meaning, output); rank > best) {
      best = rank;
      task.output = output;
      task.meaning = *meaning;
    }
  }
  if (hasLogits && task.classes == 1) {
    bool binary = llvm::all_of(task.set.labels,
                               [](double l) { return l == 0 || l == 1; });
    task.kind = binary ? Kind::Sign : Kind::Value;
    return std::move(task);
  }
  if (hasLogits) {
    task.kind = Kind::Classes;
    for (auto [label, line] : llvm::zip(task.set.labels, task.set.lines))
      if (label < 0 || label >= double(task.classes) ||
          label != std::floor(label))
        return llvm::createStringError(
            name + ":" + Twine(line) + ": the label is " +
            formatMetric(Metric::Kl, label) + ", output '" + task.output +
            "' has the classes 0 to " + Twine(task.classes - 1));
    return std::move(task);
  }
  if (!best)
    return llvm::createStringError(
        name + ": the model has no output that a label of a text is about: "
               "logits of a class, an embedding or tokens");
  if (!task.set.hasPairs())
    return llvm::createStringError(
        name + ": labels of single texts need a model with logits; this one "
               "embeds texts: give pairs (sentence1, sentence2, score)");
  task.kind = Kind::Similarity;
  return std::move(task);
}

bool LabelledTask::gives(Metric metric) const {
  bool classifies = kind == Kind::Classes || kind == Kind::Sign;
  bool correlation = metric == Metric::Spearman || metric == Metric::Pearson;
  return metricInfo(metric).needsLabels && classifies != correlation;
}

/// The most tokens that the model takes, at most 512.
static int64_t longestLength(const InputRoles &roles) {
  constexpr int64_t most = 512;
  if (auto fixed = roles.sequence.constant())
    return *fixed;
  auto fits = [&](int64_t length) {
    std::map<std::string, int64_t> values;
    for (const std::string &symbol : roles.sequence.symbols())
      values[symbol] = length;
    return llvm::all_of(
        roles.constraints, [&](const InputRoles::Constraint &constraint) {
          auto value = constraint.expr.evaluate(values);
          return !value || (constraint.equal ? *value == 0 : *value >= 0);
        });
  };
  int64_t length = most;
  while (length > 1 && !fits(length))
    --length;
  return length;
}

static Error add(CalibrationSet &ids, Expected<Encoding> encoding) {
  if (!encoding)
    return encoding.takeError();
  ids.rows.push_back(ids.sequences.size());
  ids.sequences.emplace_back(encoding->ids.begin(), encoding->ids.end());
  ids.types.emplace_back(encoding->types.begin(), encoding->types.end());
  return Error::success();
}

/// A sequence a text; in pairs one for both, or one after the other.
static Expected<CalibrationSet> encode(const LabelledSet &set, bool apart,
                                       const Tokenizer &tokenizer,
                                       int64_t longest) {
  CalibrationSet ids;
  EncodeOptions options;
  options.maxLength = uint32_t(longest);
  if (uint32_t most = tokenizer.maxLength())
    options.maxLength = std::min(options.maxLength, most);
  for (size_t i = 0; i < set.first.size(); ++i) {
    Error error = set.hasPairs() && !apart
                      ? add(ids, tokenizer.encodePair(set.first[i],
                                                      set.second[i], options))
                      : add(ids, tokenizer.encode(set.first[i], options));
    if (!error && apart)
      error = add(ids, tokenizer.encode(set.second[i], options));
    if (error)
      return std::move(error);
    for (size_t at = ids.sequences.size() - (apart ? 2 : 1);
         at < ids.sequences.size(); ++at)
      if (ids.sequences[at].empty())
        return llvm::createStringError(cleanText(set.path) + ":" +
                                       Twine(set.lines[i]) +
                                       ": a text without any token");
  }
  return ids;
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

Expected<Scores> LabelledTask::score(LoadedModel &model,
                                     const Tokenizer &tokenizer) const {
  int64_t rows = 0;
  for (const InputRole &role : roles.inputs)
    if (role.kind == InputRole::Kind::Ids)
      rows = std::max(rows, role.limit);
  if (rows > 2 && int64_t(tokenizer.size()) > rows)
    return llvm::createStringError("the tokenizer has " +
                                   Twine(tokenizer.size()) +
                                   " ids, the model's table " + Twine(rows) +
                                   " rows: it is another model's");
  auto ids =
      encode(set, kind == Kind::Similarity, tokenizer, longestLength(roles));
  if (!ids)
    return ids.takeError();
  auto batches = makeTokenBatches(roles, *ids);
  if (!batches)
    return batches.takeError();
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
  Vectors answers(ids->sequences.size());
  for (const TokenBatch &batch : *batches) {
    std::vector<HostTensor> inputs;
    for (size_t input : order)
      inputs.push_back(batch.inputs[input]);
    auto outputs = (*context)->run(inputs);
    if (!outputs)
      return outputs.takeError();
    const HostTensor &tensor = (*outputs)[at - model.outputs().begin()];
    for (int64_t row = 0; row < batch.used; ++row)
      answers[batch.sequences[row]] =
          answer(tensor, row, batch, meaning == OutputMeaning::Tokens);
  }
  return judge(answers);
}

} // namespace plmc
