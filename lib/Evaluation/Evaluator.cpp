//===- Evaluator.cpp - What a change of a model costs ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Evaluator.h"
#include "plmc/Evaluation/TemporaryModel.h"
#include "plmc/Inputs/Names.h"

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

constexpr size_t maxSequences = 256;
constexpr int64_t maxTokens = 16384;
constexpr uint64_t maxKnownBytes = uint64_t(256) << 20;

/// Sequences at equal distances, so that a sorted set is still well covered.
static CalibrationSet sample(CalibrationSet set) {
  size_t count = std::min(set.sequences.size(), maxSequences);
  CalibrationSet result;
  int64_t tokens = 0;
  // In the order of a stride that visits each once: a cut by tokens then leaves
  // no part of the set out.
  for (size_t round = 0, stride = 8; round < stride; ++round)
    for (size_t i = round; i < count; i += stride) {
      size_t at = i * set.sequences.size() / count;
      if (tokens && tokens + int64_t(set.sequences[at].size()) > maxTokens)
        continue;
      tokens += set.sequences[at].size();
      result.sequences.push_back(set.sequences[at]);
      result.types.push_back(set.types[at]);
      result.rows.push_back(set.rows[at]);
    }
  return result;
}

Evaluator::~Evaluator() = default;

Expected<std::unique_ptr<Evaluator>> Evaluator::create(ModuleOp module,
                                                       CalibrationSet set) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func)
    return llvm::createStringError("the module has no function @forward");
  std::unique_ptr<Evaluator> result(new Evaluator());
  result->set = sample(std::move(set));
  Expected<InputRoles> roles = findInputRoles(func);
  if (!roles)
    return roles.takeError();
  Expected<std::vector<TokenBatch>> batches =
      makeTokenBatches(*roles, result->set);
  if (!batches)
    return batches.takeError();
  result->batches = std::move(*batches);
  for (unsigned i = 0; i < func.getNumResults(); ++i)
    result->kinds.push_back(outputMeaning(
        outputName(func, i), cast<RankedTensorType>(func.getResultTypes()[i]),
        *roles));
  if (llvm::none_of(result->kinds, [](auto kind) { return kind.has_value(); }))
    return llvm::createStringError(
        "the model has no output that can be compared: an embedding, tokens "
        "or logits");
  Expected<std::unique_ptr<LoadedModel>> reference = compileTemporary(module);
  if (!reference)
    return reference.takeError();
  result->reference = std::move(*reference);
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      result->reference->createContext(/*threads=*/0);
  if (!context)
    return context.takeError();
  result->context = std::move(*context);
  result->known.resize(result->batches.size());
  return std::move(result);
}

bool Evaluator::hasEmbeddings() const {
  return llvm::any_of(kinds,
                      [](auto kind) { return kind && !isDistribution(*kind); });
}

bool Evaluator::hasDistributions() const {
  return llvm::any_of(kinds,
                      [](auto kind) { return kind && isDistribution(*kind); });
}

Expected<std::vector<HostTensor>> Evaluator::expected(size_t index) {
  if (!known[index].empty())
    return known[index];
  Expected<std::vector<HostTensor>> outputs =
      context->run(batches[index].inputs);
  if (!outputs)
    return outputs;
  uint64_t bytes = 0;
  for (const HostTensor &tensor : *outputs)
    bytes += tensor.data.size();
  if (knownBytes + bytes <= maxKnownBytes) {
    knownBytes += bytes;
    known[index] = *outputs;
  }
  return outputs;
}

Expected<ModelDistance> Evaluator::compare(LoadedModel &model) {
  std::vector<DistanceSum::Output> outputs;
  std::vector<std::pair<size_t, size_t>> pairs; // of reference and model
  for (auto [at, output] : llvm::enumerate(model.outputs()))
    for (auto [ours, known] : llvm::enumerate(reference->outputs()))
      if (known.name == output.name && kinds[ours]) {
        outputs.push_back({output.name, *kinds[ours]});
        pairs.push_back({ours, at});
      }
  if (outputs.empty())
    return llvm::createStringError("none of the model's outputs is one that "
                                   "can be compared with the original");
  std::vector<size_t> inputs;
  for (const TensorSignature &input : model.inputs()) {
    auto it =
        llvm::find_if(reference->inputs(), [&](const TensorSignature &known) {
          return known.name == input.name;
        });
    if (it == reference->inputs().end())
      return llvm::createStringError("the original has no input '" +
                                     input.name + "'");
    inputs.push_back(it - reference->inputs().begin());
  }
  auto created = model.createContext(/*threads=*/0);
  if (!created)
    return created.takeError();
  DistanceSum sum(std::move(outputs));
  for (auto [index, batch] : llvm::enumerate(batches)) {
    Expected<std::vector<HostTensor>> theirs = expected(index);
    if (!theirs)
      return theirs.takeError();
    std::vector<HostTensor> given;
    for (size_t input : inputs)
      given.push_back(batch.inputs[input]);
    Expected<std::vector<HostTensor>> ours = (*created)->run(given);
    if (!ours)
      return ours.takeError();
    std::vector<HostTensor> expected, actual;
    for (auto [a, b] : pairs) {
      expected.push_back(std::move((*theirs)[a]));
      actual.push_back(std::move((*ours)[b]));
    }
    if (Error error = sum.add(batch, expected, actual))
      return std::move(error);
  }
  return sum.finish();
}

Expected<ModelDistance> Evaluator::compare(ModuleOp module) {
  Expected<std::unique_ptr<LoadedModel>> model = compileTemporary(module);
  if (!model)
    return model.takeError();
  return compare(**model);
}

} // namespace plmc
