//===- TensorOps.h - Code for what was not recognised -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Tensor operations become plain loop nests over dense row-major buffers, one
// function an op; the LLVM vectoriser takes the inner loop. Strides and trip
// counts are computed from the run's dimensions, so any shape works.
//
// (The loops are written directly and not through linalg: buffers are planned
// and named already, so bufferisation and its memref descriptors would only be
// taken apart again.)
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_TENSOROPS_H
#define PLMC_LIB_CODEGEN_TENSOROPS_H

#include "../KernelBuilder.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// The environment of one generated function: how it finds dimensions, its
/// share of the work, and where it reports a bad index.
struct TensorOpContext {
  KernelBuilder &b;
  /// Value of a dimension expression.
  llvm::function_ref<Value(const DimExpr &)> dim;
  Value thread, threads;
  Value errorAddress;
  Value errorCode; // 1 + number of the index check
};

/// A dense buffer inside generated code.
struct Buffer {
  Value address;
  llvm::SmallVector<DimExpr> dims;
  Type element; // as in the IR: i1 is one byte in memory
  int64_t rank() const { return dims.size(); }
};

using Indices = llvm::ArrayRef<Value>;

int64_t storageBytes(Type element);

class TensorOpEmitter {
public:
  explicit TensorOpEmitter(TensorOpContext &context)
      : b(context.b), context(context) {}

  /// Emits `op` into the current function. Fails, with a diagnostic on the
  /// op, for what code generation does not support.
  mlir::LogicalResult emit(mlir::Operation *op, llvm::ArrayRef<Buffer> operands,
                           const Buffer &result);

  /// True for ops that write error codes for bad indices.
  static bool checksIndices(mlir::Operation *op);

private:
  // Loops and addresses.
  Value dim(const DimExpr &expr) { return context.dim(expr); }
  llvm::SmallVector<Value> strides(const Buffer &buffer);
  Value address(const Buffer &buffer, llvm::ArrayRef<Value> strides,
                Indices indices);
  Value loadElement(const Buffer &buffer, llvm::ArrayRef<Value> strides,
                    Indices indices);
  void storeElement(const Buffer &buffer, llvm::ArrayRef<Value> strides,
                    Indices indices, Value value);
  /// Strides of an operand that is broadcast to `result`, by result dimension.
  llvm::SmallVector<Value> broadcastStrides(const Buffer &operand,
                                            const Buffer &result);
  /// Loops over all indices of `dims`; the first is shared by the threads.
  void forEach(llvm::ArrayRef<DimExpr> dims,
               llvm::function_ref<void(Indices)> body, bool shared = true);
  Value checkedIndex(Value index, Value extent);

  // Elementwise.
  void elementwise(llvm::ArrayRef<Buffer> operands, const Buffer &result,
                   llvm::function_ref<Value(ValueRange)> body);
  Value unary(mlir::Operation *op, plm::UnaryKind kind, Value x, Type element);
  Value binary(mlir::Operation *op, plm::BinaryKind kind, Value x, Value y,
               Type element);
  Value floatBinary(mlir::Operation *op, plm::BinaryKind kind, Value x,
                    Value y);
  Value intBinary(plm::BinaryKind kind, Value x, Value y, bool isUnsigned);
  Value cast(Value x, Type from, Type to);

  // Between floats and 8 bits. False: another type than f32 and f64.
  void affine(llvm::ArrayRef<Buffer> operands, int64_t axis, int64_t block,
              const Buffer &result,
              llvm::function_ref<Value(Value, Value, Value)> body);
  bool quantize(plm::QuantizeOp op, llvm::ArrayRef<Buffer> operands,
                const Buffer &result);
  bool dequantize(plm::DequantizeOp op, llvm::ArrayRef<Buffer> operands,
                  const Buffer &result);

  // Data movement.
  void transpose(plm::TransposeOp op, const Buffer &in, const Buffer &out);
  void slice(plm::SliceOp op, const Buffer &in, const Buffer &out);
  void concat(plm::ConcatOp op, llvm::ArrayRef<Buffer> ins, const Buffer &out);
  void gather(mlir::Operation *op, int64_t axis, const Buffer &data,
              const Buffer &indices, const Buffer &out, bool allowNegative);
  void gatherElements(plm::GatherElementsOp op, const Buffer &data,
                      const Buffer &indices, const Buffer &out);
  void gatherND(plm::GatherNDOp op, const Buffer &data, const Buffer &indices,
                const Buffer &out);
  // Writing by index. False: code generation does not support the type.
  bool scatterND(plm::ScatterNDOp op, const Buffer &data, const Buffer &indices,
                 const Buffer &updates, const Buffer &out);
  bool scatterElements(plm::ScatterElementsOp op, const Buffer &data,
                       const Buffer &indices, const Buffer &updates,
                       const Buffer &out);
  void argReduce(plm::ArgReduceOp op, const Buffer &in, const Buffer &out);
  void copyWhole(const Buffer &from, const Buffer &to);
  void update(mlir::Operation *op, plm::ScatterKind kind, const Buffer &out,
              llvm::ArrayRef<Value> outStrides, Indices at, Value value);
  Value wrappedIndex(Value index, Value extent, Value &good);
  void ifGood(Value good, llvm::function_ref<void()> body);
  void positionEmbedding(plm::PositionEmbeddingOp op, const Buffer &table,
                         const Buffer &out);
  void codebookLookup(const Buffer &codes, const Buffer &books,
                      const Buffer &out);
  void shapeValue(plm::ShapeValueOp op, const Buffer &out);
  void iota(plm::IotaOp op, const Buffer &out);

  // Along axes.
  void matmul(const Buffer &lhs, const Buffer &rhs, const Buffer &out);
  void matmulF32(const Buffer &lhs, const Buffer &rhs, const Buffer &out);
  void matmulTile(int64_t rows, int64_t vectors, Value left, Value leftStride,
                  Value right, Value rightStride, Value out, Value outStride,
                  Value k, Value mask);
  /// Strides of a factor by the dimensions of a result of `rank`.
  llvm::SmallVector<Value> matmulStrides(const Buffer &operand, int64_t rank);
  void reduce(plm::ReduceOp op, const Buffer &in, const Buffer &out);
  void softmaxRow(Value in, Value out, Value length);
  void softmax(plm::SoftmaxOp op, const Buffer &in, const Buffer &out);
  void cumsum(plm::CumSumOp op, const Buffer &in, const Buffer &out);
  Value zeroOf(Type element);

  KernelBuilder &b;
  TensorOpContext &context;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_TENSOROPS_H
