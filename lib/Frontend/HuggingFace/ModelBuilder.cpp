//===- ModelBuilder.cpp - Transformer ops over named weights --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ModelBuilder.h"
#include "../ONNX/Diagnostics.h"

using namespace mlir;
using namespace plmc::importer;

namespace plmc::huggingface {

ModelBuilder::ModelBuilder(GraphBuilder &graph, Block *block,
                           Checkpoint &checkpoint, Config &config)
    : graph(graph), config(config), block(block), checkpoint(checkpoint) {}

Tensor ModelBuilder::unsupported(const llvm::Twine &message) {
  return graph.unsupported(message);
}

Tensor ModelBuilder::fail(llvm::Error error) {
  graph.setNode("", module);
  graph.fail(std::move(error));
  setModule(module);
  return Tensor();
}

void ModelBuilder::setModule(std::string name) {
  module = std::move(name);
  graph.setNode(config.getDisplayName().str() + ": " + module + ": ", module);
}

Location ModelBuilder::location() const {
  return NameLoc::get(
      StringAttr::get(block->getParentOp()->getContext(), module));
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// Checkpoints from before 2019 call a norm's weight gamma, its bias beta.
std::string ModelBuilder::resolve(const std::string &name) const {
  if (checkpoint.has(name))
    return name;
  llvm::StringRef text = name;
  std::string old;
  if (text.consume_back(".weight"))
    old = text.str() + ".gamma";
  else if (text.consume_back(".bias"))
    old = text.str() + ".beta";
  return !old.empty() && checkpoint.has(old) ? old : name;
}

bool ModelBuilder::has(const std::string &name) const {
  return checkpoint.has(resolve(name));
}

std::optional<SmallVector<int64_t, 4>>
ModelBuilder::shapeOf(const std::string &name) const {
  return checkpoint.shapeOf(resolve(name));
}

static std::string listText(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [index, size] : llvm::enumerate(shape))
    text += (index ? ", " : "") + std::to_string(size);
  return text + "]";
}

Tensor ModelBuilder::weight(const std::string &name, ArrayRef<int64_t> shape) {
  if (hasFailed())
    return Tensor();
  std::string found = resolve(name);
  auto actual = checkpoint.shapeOf(found);
  std::string where =
      checkpoint.fileOf(found) + ": tensor '" + printable(found) + "' ";
  if (!actual)
    return fail(badModel(where + "of shape " + listText(shape) +
                         " is missing, but config.json asks for it"));
  if (ArrayRef<int64_t>(*actual) != shape)
    return fail(badModel(where + "has the shape " + listText(*actual) +
                         ", but config.json asks for " + listText(shape)));
  auto literal = checkpoint.read(found);
  if (!literal)
    return fail(literal.takeError());
  return tensorFromLiteral(*literal);
}

Tensor ModelBuilder::rows(const Tensor &weight, int64_t begin, int64_t count) {
  if (!weight || hasFailed())
    return Tensor();
  auto part = std::make_shared<Literal>(*weight.literal());
  size_t rowBytes =
      part->shape[0] ? part->bytes.size() / part->shape[0] : size_t(0);
  part->bytes = part->bytes.slice(begin * rowBytes, count * rowBytes);
  part->shape[0] = count;
  return tensorFromLiteral(part);
}

Tensor ModelBuilder::table(HostTensor values, llvm::StringRef name) {
  return tensorFromLiteral(makeLiteral(std::move(values), name));
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

Tensor ModelBuilder::linear(const Tensor &x, const std::string &prefix,
                            int64_t in, int64_t out, bool bias) {
  setModule(prefix);
  Tensor matrix = weight(prefix + ".weight", {out, in});
  Tensor vector = bias ? weight(prefix + ".bias", {out}) : Tensor();
  return linear(x, matrix, vector);
}

Tensor ModelBuilder::linear(const Tensor &x, const Tensor &weight,
                            const Tensor &bias) {
  if (!x || !weight || hasFailed())
    return Tensor();
  Dims dims(x.dims().begin(), x.dims().end());
  dims.back() = weight.dim(0);
  Value input = graph.valueOf(x), matrix = graph.valueOf(weight);
  Value vector = bias ? graph.valueOf(bias) : Value();
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::LinearOp::create(
      ops, location(), makeTensorType(dims, ops.getF32Type()), input, matrix,
      vector, /*transposed=*/true));
}

Tensor ModelBuilder::layerNorm(const Tensor &x, const std::string &prefix,
                               int64_t width, double epsilon, bool bias) {
  setModule(prefix);
  Tensor gamma = weight(prefix + ".weight", {width});
  Tensor beta = bias ? weight(prefix + ".bias", {width}) : Tensor();
  return hasFailed() ? Tensor() : graph.layerNorm(x, gamma, beta, epsilon);
}

Tensor ModelBuilder::embedding(const Tensor &ids, const Tensor &table) {
  if (!ids || !table || hasFailed())
    return Tensor();
  Dims dims(ids.dims().begin(), ids.dims().end());
  dims.push_back(table.dim(1));
  Value idValue = graph.valueOf(ids), tableValue = graph.valueOf(table);
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::EmbeddingOp::create(
      ops, location(), makeTensorType(dims, ops.getF32Type()), idValue,
      tableValue));
}

void ModelBuilder::limitSequence(const DimExpr &length, int64_t limit) {
  if (limit < 1)
    config.fail("max_position_embeddings leaves no position for a token");
  graph.requireLessEqual(length, DimExpr(limit),
                         "the sequence is longer than the " +
                             llvm::Twine(limit) +
                             " positions that the model has");
}

Tensor ModelBuilder::positionEmbedding(const Tensor &table,
                                       const DimExpr &length, int64_t offset) {
  if (!table || hasFailed())
    return Tensor();
  std::optional<int64_t> rows = table.dim(0).constant();
  limitSequence(length, rows.value_or(0) - offset);
  Value tableValue = graph.valueOf(table);
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::PositionEmbeddingOp::create(
      ops, location(),
      makeTensorType({DimExpr(1), length, table.dim(1)}, ops.getF32Type()),
      tableValue, uint64_t(offset)));
}

Tensor ModelBuilder::attention(const Tensor &query, const Tensor &key,
                               const Tensor &value, const Tensor &mask,
                               const Tensor &bias, int64_t heads,
                               double scale) {
  if (!query || !key || !value || hasFailed())
    return Tensor();
  Value operands[] = {graph.valueOf(query), graph.valueOf(key),
                      graph.valueOf(value),
                      mask ? graph.valueOf(mask) : Value(),
                      bias ? graph.valueOf(bias) : Value()};
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::AttentionOp::create(
      ops, location(),
      makeTensorType({query.dim(0), query.dim(1), value.dim(2)},
                     ops.getF32Type()),
      operands[0], operands[1], operands[2], operands[3], operands[4],
      uint64_t(heads), llvm::APFloat(scale),
      /*mask_in_bias=*/false, /*precision=*/plm::PrecisionAttr()));
}

Tensor ModelBuilder::activation(const Tensor &x, llvm::StringRef name,
                                llvm::StringRef key) {
  using plm::ActivationKind;
  using plm::BinaryKind;
  if (!x || hasFailed())
    return Tensor();
  auto kind = llvm::StringSwitch<std::optional<ActivationKind>>(name)
                  .Cases({"gelu", "gelu_python"}, ActivationKind::Gelu)
                  .Cases({"gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh",
                          "gelu_fast", "gelu_accurate"},
                         ActivationKind::GeluTanh)
                  .Case("relu", ActivationKind::Relu)
                  .Cases({"silu", "swish"}, ActivationKind::Silu)
                  .Case("tanh", ActivationKind::Tanh)
                  .Case("sigmoid", ActivationKind::Sigmoid)
                  .Default(std::nullopt);
  if (kind)
    return graph.activation(*kind, x);
  if (name == "linear")
    return x;
  if (name == "quick_gelu")
    return graph.mul(
        x, graph.activation(ActivationKind::Sigmoid,
                            graph.mul(x, graph.scalar(DType::F32, 1.702))));
  if (name == "mish")
    return graph.mul(x, tanh(graph.unary(plm::UnaryKind::Softplus, x)));
  config.unsupported(key + " is '" + printable(name, 40) +
                     "'; supported are gelu, gelu_new, gelu_fast, "
                     "gelu_pytorch_tanh, quick_gelu, relu, silu, mish, tanh, "
                     "sigmoid, linear");
  return Tensor();
}

Tensor ModelBuilder::pool(plm::PoolKind kind, const Tensor &x,
                          const Tensor &mask) {
  if (!x || hasFailed())
    return Tensor();
  Value input = graph.valueOf(x);
  Value keep = mask ? graph.valueOf(mask) : Value();
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::PoolOp::create(
      ops, location(), makeTensorType({x.dim(0), x.dim(2)}, ops.getF32Type()),
      kind, input, keep, llvm::APFloat(1e-9)));
}

Tensor ModelBuilder::l2Normalize(const Tensor &x, double epsilon) {
  if (!x || hasFailed())
    return Tensor();
  Value input = graph.valueOf(x);
  OpBuilder ops = OpBuilder::atBlockEnd(block);
  return graph.fromValue(plm::L2NormalizeOp::create(
      ops, location(), input.getType(), input, ops.getF64FloatAttr(epsilon)));
}

} // namespace plmc::huggingface
