//===- TensorOps.cpp - Loops, addresses and dispatch ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorOps.h"
#include "../VectorMath.h"
#include "HalfFloats.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace plmc;

int64_t plmc::storageBytes(Type element) {
  return std::max<int64_t>(1, element.getIntOrFloatBitWidth() / 8);
}

SmallVector<Value> TensorOpEmitter::strides(const Buffer &buffer) {
  SmallVector<Value> result(buffer.rank());
  DimExpr stride(1);
  for (int64_t i = buffer.rank() - 1; i >= 0; --i) {
    result[i] = dim(stride);
    stride = stride * buffer.dims[i];
  }
  return result;
}

SmallVector<Value> TensorOpEmitter::broadcastStrides(const Buffer &operand,
                                                     const Buffer &result) {
  SmallVector<Value> own = strides(operand);
  SmallVector<Value> all(result.rank(), b.c(0));
  int64_t lead = result.rank() - operand.rank();
  for (int64_t i = 0; i < operand.rank(); ++i)
    if (!operand.dims[i].isConstant(1))
      all[lead + i] = own[i];
  return all;
}

Value TensorOpEmitter::address(const Buffer &buffer, ArrayRef<Value> strides,
                               Indices indices) {
  Value element = b.c(0);
  for (auto [stride, index] : llvm::zip(strides, indices))
    element = b.add(element, b.mul(stride, index));
  return b.at(buffer.address, element, storageBytes(buffer.element));
}

Value TensorOpEmitter::loadElement(const Buffer &buffer,
                                   ArrayRef<Value> strides, Indices indices) {
  Value where = address(buffer, strides, indices);
  if (buffer.element.isInteger(1))
    return arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::ne,
                                 b.load(b.i8, where),
                                 arith::ConstantIntOp::create(b, b.loc, 0, 8));
  Type type = buffer.element;
  if (isHalf(type)) // as its bits
    type = b.getIntegerType(16);
  if (auto integer = dyn_cast<IntegerType>(type)) // ui8: signless in registers
    type = b.getIntegerType(integer.getWidth());
  return b.load(type, where);
}

void TensorOpEmitter::storeElement(const Buffer &buffer,
                                   ArrayRef<Value> strides, Indices indices,
                                   Value value) {
  if (buffer.element.isInteger(1))
    value = arith::ExtUIOp::create(b, b.loc, b.i8, value);
  b.store(value, address(buffer, strides, indices));
}

void TensorOpEmitter::forEach(ArrayRef<DimExpr> dims,
                              llvm::function_ref<void(Indices)> body,
                              bool shared) {
  // The threads share the outermost dimension that is not 1.
  size_t split = 0;
  while (split + 1 < dims.size() && dims[split].isConstant(1))
    ++split;
  SmallVector<Value> indices;
  std::function<void(size_t)> nest = [&](size_t depth) {
    if (depth == dims.size())
      return body(indices);
    Value lo = b.c(0), hi = dim(dims[depth]);
    if (shared && depth == split) {
      Value extent = hi;
      lo = b.div(b.mul(extent, context.thread), context.threads);
      hi = b.div(b.mul(extent, b.add(context.thread, 1)), context.threads);
    }
    b.loop(lo, hi, 1, [&](Value index) {
      indices.push_back(index);
      nest(depth + 1);
      indices.pop_back();
    });
  };
  if (!dims.empty())
    return nest(0);
  if (!shared)
    return body({});
  b.ifThen(b.eq(context.thread, b.c(0)), [&] { body({}); });
}

/// An index in [-extent, extent) as one in [0, extent); a bad one is reported
/// and reads element 0.
Value TensorOpEmitter::checkedIndex(Value index, Value extent) {
  Value wrapped = b.select(b.lt(index, b.c(0)), b.add(index, extent), index);
  Value good = arith::CmpIOp::create(b, b.loc, arith::CmpIPredicate::ult,
                                     wrapped, extent);
  b.ifThenElse(
      good, [] {}, [&] { b.store(context.errorCode, context.errorAddress); });
  return b.select(good, wrapped, b.c(0));
}

bool TensorOpEmitter::checksIndices(Operation *op) {
  return isa<plm::GatherOp, plm::GatherElementsOp, plm::GatherNDOp,
             plm::ScatterNDOp, plm::ScatterElementsOp, plm::ArgReduceOp,
             plm::EmbeddingOp, plm::CodebookLookupOp>(op);
}

/// Ops that convert or move elements without looking at them.
static bool takesHalf(Operation *op) {
  return isa<plm::CastOp, plm::SelectOp, plm::BroadcastOp, plm::TransposeOp,
             plm::SliceOp, plm::ConcatOp, plm::GatherOp, plm::GatherElementsOp,
             plm::GatherNDOp, plm::EmbeddingOp, plm::PositionEmbeddingOp,
             plm::CodebookLookupOp>(op);
}

LogicalResult TensorOpEmitter::emit(Operation *op, ArrayRef<Buffer> operands,
                                    const Buffer &result) {
  auto half = [](const Buffer &buffer) { return isHalf(buffer.element); };
  if ((half(result) || llvm::any_of(operands, half)) && !takesHalf(op))
    return op->emitOpError()
           << "computes in 16-bit floats, which code generation does not "
              "support; run plm-promote-floats first";
  bool failed = false;
  auto need = [&](Value value) {
    failed |= !value;
    return value ? value : zeroOf(result.element);
  };
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](plm::UnaryOp unaryOp) {
        elementwise(operands, result, [&](ValueRange x) {
          return need(unary(op, unaryOp.getKind(), x[0], operands[0].element));
        });
      })
      .Case([&](plm::BinaryOp binaryOp) {
        elementwise(operands, result, [&](ValueRange x) {
          return need(
              binary(op, binaryOp.getKind(), x[0], x[1], operands[0].element));
        });
      })
      .Case([&](plm::SelectOp) {
        elementwise(operands, result,
                    [&](ValueRange x) { return b.select(x[0], x[1], x[2]); });
      })
      .Case([&](plm::CastOp) {
        elementwise(operands, result, [&](ValueRange x) {
          return cast(x[0], operands[0].element, result.element);
        });
      })
      .Case([&](plm::ActivationOp activation) {
        failed |= !result.element.isF32();
        if (!failed)
          elementwise(operands, result, [&](ValueRange x) {
            return emitActivation(b, activation.getKind(), x[0]);
          });
      })
      .Case([&](plm::BroadcastOp) {
        elementwise(operands, result, [&](ValueRange x) { return x[0]; });
      })
      .Case(
          [&](plm::QuantizeOp q) { failed |= !quantize(q, operands, result); })
      .Case([&](plm::DequantizeOp d) {
        failed |= !dequantize(d, operands, result);
      })
      .Case([&](plm::TransposeOp t) { transpose(t, operands[0], result); })
      .Case([&](plm::SliceOp s) { slice(s, operands[0], result); })
      .Case([&](plm::ConcatOp c) { concat(c, operands, result); })
      .Case([&](plm::GatherOp g) {
        gather(op, g.getAxis(), operands[0], operands[1], result, true);
      })
      .Case([&](plm::EmbeddingOp) {
        gather(op, 0, operands[1], operands[0], result, false);
      })
      .Case([&](plm::GatherElementsOp g) {
        gatherElements(g, operands[0], operands[1], result);
      })
      .Case([&](plm::GatherNDOp g) {
        gatherND(g, operands[0], operands[1], result);
      })
      .Case([&](plm::ScatterNDOp s) {
        failed |= !scatterND(s, operands[0], operands[1], operands[2], result);
      })
      .Case([&](plm::ScatterElementsOp s) {
        failed |=
            !scatterElements(s, operands[0], operands[1], operands[2], result);
      })
      .Case([&](plm::ArgReduceOp a) { argReduce(a, operands[0], result); })
      .Case([&](plm::PositionEmbeddingOp p) {
        positionEmbedding(p, operands[0], result);
      })
      .Case([&](plm::CodebookLookupOp) {
        codebookLookup(operands[0], operands[1], result);
      })
      .Case([&](plm::ShapeValueOp s) { shapeValue(s, result); })
      .Case([&](plm::IotaOp i) { iota(i, result); })
      .Case([&](plm::MatmulOp) { matmul(operands[0], operands[1], result); })
      .Case([&](plm::ReduceOp r) { reduce(r, operands[0], result); })
      .Case([&](plm::SoftmaxOp s) {
        failed |= !result.element.isF32();
        if (!failed)
          softmax(s, operands[0], result);
      })
      .Case([&](plm::CumSumOp c) { cumsum(c, operands[0], result); })
      .Default([&](Operation *) { failed = true; });
  if (failed)
    return op->emitOpError()
           << "is not supported by code generation on " << result.element;
  return success();
}
