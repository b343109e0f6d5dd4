//===- TransformerOps.cpp - plm transformer operations as ONNX nodes ------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Recognised operations are written in the spelling that runtimes fuse and
// that our own importer recognises again: LayerNormalization and Gelu as one
// node, attention as Reshape/Transpose/MatMul/Mul/Add/Softmax/MatMul with the
// NaN guard after the softmax. The guard is what makes a row without a kept
// key 0 (every score is -inf, the softmax NaN) as plm.attention wants it.
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/TypeSwitch.h"
#include <limits>

using namespace mlir;
using namespace plmc::plm;

namespace plmc::onnx_export {
namespace {

using Writer = GraphWriter;

/// A keep-mask of any element type as booleans.
std::string keepBool(Writer &w, Value mask) {
  if (dtypeOf(mask) == DType::Bool)
    return w.nameOf(mask);
  return w.node("Cast", {w.nameOf(mask)},
                {Attr::of("to", int64_t(onnxType(DType::Bool)))});
}

void write(Writer &w, EmbeddingOp op) {
  w.node("Gather", {w.nameOf(op.getTable()), w.nameOf(op.getIds())},
         {Attr::of("axis", int64_t(0))}, w.nameOf(op.getResult()));
}

void write(Writer &w, PositionEmbeddingOp op) {
  DimExpr start = int64_t(op.getOffset());
  DimExpr end = start + dimsOf(op.getResult())[1];
  std::string rows = w.node("Slice", {w.nameOf(op.getTable()), w.dims({start}),
                                      w.dims({end}), w.ints({0})});
  w.node("Unsqueeze", {rows, w.ints({0})}, {}, w.nameOf(op.getResult()));
}

/// x as 255 steps of each row's own range, and back: `precision int8`.
std::string inInt8(Writer &w, const std::string &x) {
  auto range = [&](StringRef kind) {
    return w.node(kind, {x, w.ints({-1})}, {Attr::of("keepdims", int64_t(1))});
  };
  std::string max = range("ReduceMax"), min = range("ReduceMin");
  std::string half = w.scalar(0.5, DType::F32);
  std::string width = w.node("Sub", {max, min});
  std::string middle = w.node("Mul", {w.node("Add", {max, min}), half});
  // A row of equal values has the width 0; its codes are 0 with any other.
  std::string some = w.node("Max", {width, w.scalar(1e-30, DType::F32)});
  std::string inverse = w.node("Div", {w.scalar(254, DType::F32), some});
  std::string codes =
      w.node("Round", {w.node("Mul", {w.node("Sub", {x, middle}), inverse})});
  std::string step = w.node("Mul", {width, w.scalar(1.0 / 254, DType::F32)});
  return w.node("Add", {w.node("Mul", {codes, step}), middle});
}

std::string inBF16(Writer &w, const std::string &x) {
  auto cast = [&](const std::string &value, int64_t type) {
    return w.node("Cast", {value}, {Attr::of("to", type)});
  };
  return cast(cast(x, 16), 1); // TensorProto.BFLOAT16, FLOAT
}

void write(Writer &w, LinearOp op) {
  std::string weight = w.nameOf(op.getWeight());
  std::string input = w.nameOf(op.getInput());
  Precision precision = op.getPrecision().value_or(Precision::F32);
  if (precision == Precision::Int8)
    input = inInt8(w, input);
  if (precision == Precision::BF16) {
    input = inBF16(w, input);
    weight = inBF16(w, weight);
  }
  if (op.getTransposed())
    weight = w.node("Transpose", {weight},
                    {Attr::of("perm", ArrayRef<int64_t>{1, 0})});
  std::string output = w.nameOf(op.getResult());
  if (!op.getBias()) {
    w.node("MatMul", {input, weight}, {}, output);
    return;
  }
  std::string product = w.node("MatMul", {input, weight});
  w.node("Add", {product, w.nameOf(op.getBias())}, {}, output);
}

/// [B, S, heads*D] as [B, heads, S, D], or [B, heads, D, S] for the keys.
std::string splitHeads(Writer &w, Value value, int64_t heads,
                       ArrayRef<int64_t> order) {
  int64_t size = dimsOf(value)[2].constant().value_or(0) / heads;
  std::string split =
      w.node("Reshape", {w.nameOf(value), w.ints({0, 0, heads, size})});
  return w.node("Transpose", {split}, {Attr::of("perm", order)});
}

void write(Writer &w, AttentionOp op) {
  int64_t heads = op.getNumHeads();
  DType dtype = dtypeOf(op.getQuery());
  SmallVector<DimExpr> valueDims = dimsOf(op.getValue());
  std::optional<int64_t> valueWidth = valueDims[2].constant();
  if (heads < 1 || !dimsOf(op.getQuery())[2].isConstant() ||
      !dimsOf(op.getKey())[2].isConstant() || !valueWidth)
    return w.fail(op, "head sizes must be constant");
  std::string query = splitHeads(w, op.getQuery(), heads, {0, 2, 1, 3});
  std::string key = splitHeads(w, op.getKey(), heads, {0, 2, 3, 1});
  std::string value = splitHeads(w, op.getValue(), heads, {0, 2, 1, 3});
  bool bf16 = op.getPrecision() == Precision::BF16;
  if (bf16)
    for (std::string *operand : {&query, &key, &value})
      *operand = inBF16(w, *operand);
  double scale = op.getScale().convertToDouble();
  std::string scores = w.node("MatMul", {query, key});
  scores = w.node("Mul", {scores, w.scalar(scale, dtype)});
  if (Value bias = op.getBias())
    scores = w.node("Add", {scores, w.nameOf(bias)});
  if (Value mask = op.getMaskInBias() ? Value() : op.getMask()) {
    std::string keep = w.node("Unsqueeze", {keepBool(w, mask), w.ints({1, 2})});
    double inf = std::numeric_limits<double>::infinity();
    std::string bias =
        w.node("Where", {keep, w.scalar(0.0, dtype), w.scalar(-inf, dtype)});
    scores = w.node("Add", {scores, bias});
  }
  auto zeroForNaN = [&](const std::string &x) {
    return op.getMask() || op.getBias()
               ? w.node("Where",
                        {w.node("IsNaN", {x}), w.scalar(0.0, dtype), x})
               : x;
  };
  std::string product;
  if (bf16) { // rounded before they are divided by their sum
    Attr keep = Attr::of("keepdims", int64_t(1));
    std::string max = w.node("ReduceMax", {scores, w.ints({-1})}, {keep});
    std::string weights = w.node("Exp", {w.node("Sub", {scores, max})});
    std::string sum = w.node("ReduceSum", {weights, w.ints({-1})}, {keep});
    product = w.node("MatMul", {inBF16(w, weights), value});
    product = zeroForNaN(w.node("Div", {product, sum}));
  } else {
    std::string weights =
        w.node("Softmax", {scores}, {Attr::of("axis", int64_t(-1))});
    product = w.node("MatMul", {zeroForNaN(weights), value});
  }
  std::string merged =
      w.node("Transpose", {product},
             {Attr::of("perm", ArrayRef<int64_t>{0, 2, 1, 3})});
  w.node("Reshape", {merged, w.ints({0, 0, *valueWidth})}, {},
         w.nameOf(op.getResult()));
}

void write(Writer &w, LayerNormOp op) {
  SmallVector<std::string> inputs = {w.nameOf(op.getInput()),
                                     w.nameOf(op.getGamma())};
  if (op.getBeta())
    inputs.push_back(w.nameOf(op.getBeta()));
  w.node("LayerNormalization", inputs,
         {Attr::of("axis", int64_t(-1)),
          Attr::of("epsilon", op.getEpsilon().convertToDouble())},
         w.nameOf(op.getResult()));
}

void write(Writer &w, ActivationOp op) {
  std::string input = w.nameOf(op.getInput());
  std::string output = w.nameOf(op.getResult());
  switch (op.getKind()) {
  case ActivationKind::Gelu:
    w.node("Gelu", {input}, {Attr::of("approximate", StringRef("none"))},
           output);
    return;
  case ActivationKind::GeluTanh:
    w.node("Gelu", {input}, {Attr::of("approximate", StringRef("tanh"))},
           output);
    return;
  case ActivationKind::Relu:
    w.node("Relu", {input}, {}, output);
    return;
  case ActivationKind::Silu:
    w.node("Mul", {input, w.node("Sigmoid", {input})}, {}, output);
    return;
  case ActivationKind::Tanh:
    w.node("Tanh", {input}, {}, output);
    return;
  case ActivationKind::Sigmoid:
    w.node("Sigmoid", {input}, {}, output);
    return;
  }
}

void write(Writer &w, PoolOp op) {
  std::string input = w.nameOf(op.getInput());
  std::string output = w.nameOf(op.getResult());
  DType dtype = dtypeOf(op.getInput());
  Attr noKeep = Attr::of("keepdims", int64_t(0));
  if (op.getKind() == PoolKind::First) {
    w.node("Gather", {input, w.intScalar(0)}, {Attr::of("axis", int64_t(1))},
           output);
    return;
  }
  bool mean = op.getKind() == PoolKind::Mean;
  if (!op.getMask()) {
    w.node(mean ? "ReduceMean" : "ReduceMax", {input, w.ints({1})}, {noKeep},
           output);
    return;
  }
  std::string keep = keepBool(w, op.getMask());
  if (!mean) {
    std::string rows = w.node("Unsqueeze", {keep, w.ints({2})});
    std::string kept = w.node("Where", {rows, input, w.scalar(-1e9, dtype)});
    w.node("ReduceMax", {kept, w.ints({1})}, {noKeep}, output);
    return;
  }
  std::string weights =
      w.node("Cast", {keep}, {Attr::of("to", int64_t(onnxType(dtype)))});
  std::string rows = w.node("Unsqueeze", {weights, w.ints({2})});
  std::string sum = w.node(
      "ReduceSum", {w.node("Mul", {input, rows}), w.ints({1})}, {noKeep});
  std::string count = w.node("ReduceSum", {rows, w.ints({1})}, {noKeep});
  std::string bounded = w.node(
      "Max", {count, w.scalar(op.getEpsilon().convertToDouble(), dtype)});
  w.node("Div", {sum, bounded}, {}, output);
}

void write(Writer &w, L2NormalizeOp op) {
  std::string input = w.nameOf(op.getInput());
  DType dtype = dtypeOf(op.getInput());
  std::string norm = w.node("ReduceL2", {input, w.ints({-1})},
                            {Attr::of("keepdims", int64_t(1))});
  std::string bounded =
      w.node("Max", {norm, w.scalar(op.getEpsilon().convertToDouble(), dtype)});
  w.node("Div", {input, bounded}, {}, w.nameOf(op.getResult()));
}

} // namespace

bool writeTransformerOp(Writer &w, Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<EmbeddingOp, PositionEmbeddingOp, LinearOp, AttentionOp,
            LayerNormOp, ActivationOp, PoolOp, L2NormalizeOp>(
          [&](auto concrete) {
            write(w, concrete);
            return true;
          })
      .Default(false);
}

} // namespace plmc::onnx_export
