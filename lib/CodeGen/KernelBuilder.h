//===- KernelBuilder.h - Shorthand for kernel generators --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Kernels are built from arith, vector and scf over bare pointers
// (!llvm.ptr): their arguments are then plain C arguments, and an address is
// what it looks like, base + offset. (memref would bring five arguments a
// buffer and nothing that these kernels use.)
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_KERNELBUILDER_H
#define PLMC_LIB_CODEGEN_KERNELBUILDER_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "plmc/CodeGen/TargetInfo.h"

namespace plmc {

using mlir::Location;
using mlir::Type;
using mlir::Value;
using mlir::ValueRange;

class KernelBuilder : public mlir::OpBuilder {
public:
  KernelBuilder(mlir::MLIRContext *context, const TargetInfo &target);

  const TargetInfo &target;
  Location loc;
  Type i64, i32, i8, i1, f32, ptr;
  /// vector<lanes x f32>
  mlir::VectorType vf32;

  //===--- functions ----------------------------------------------------===//

  /// Starts a private function and sets the insertion point into it.
  mlir::func::FuncOp beginFunction(mlir::ModuleOp module, llvm::StringRef name,
                                   llvm::ArrayRef<Type> arguments,
                                   llvm::ArrayRef<Type> results = {});
  void endFunction(ValueRange results = {});
  void call(mlir::func::FuncOp callee, ValueRange arguments);
  mlir::func::FuncOp declare(mlir::ModuleOp module, llvm::StringRef name,
                             llvm::ArrayRef<Type> arguments,
                             llvm::ArrayRef<Type> results = {});

  //===--- integers (i64) -----------------------------------------------===//

  Value c(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return b ? add(a, c(b)) : a; }
  Value sub(Value a, Value b);
  Value mul(Value a, Value b);
  Value mul(Value a, int64_t b) { return b == 1 ? a : mul(a, c(b)); }
  /// Unsigned: operands are sizes.
  Value div(Value a, Value b);
  Value rem(Value a, Value b);
  Value min(Value a, Value b);
  Value max(Value a, Value b);
  Value lt(Value a, Value b); // signed
  Value eq(Value a, Value b);
  Value ceilDiv(Value a, int64_t b) { return div(add(a, b - 1), c(b)); }

  //===--- memory ---------------------------------------------------------===//

  /// base + bytes.
  Value offset(Value base, Value bytes);
  Value offset(Value base, int64_t bytes) {
    return bytes ? offset(base, c(bytes)) : base;
  }
  /// Address of element `index` of `bytes`-sized elements.
  Value at(Value base, Value index, int64_t bytes = 4) {
    return offset(base, mul(index, bytes));
  }
  Value nullPointer() { return mlir::LLVM::ZeroOp::create(*this, loc, ptr); }
  Value isNull(Value address) {
    return mlir::LLVM::ICmpOp::create(*this, loc, mlir::LLVM::ICmpPredicate::eq,
                                      address, nullPointer());
  }
  Value load(Type type, Value address);
  void store(Value value, Value address);
  Value loadI64(Value base, int64_t index) {
    return load(i64, offset(base, index * 8));
  }
  Value loadPtr(Value base, int64_t byteOffset) {
    return load(ptr, offset(base, byteOffset));
  }
  /// i32 element as i64.
  Value loadI32(Value base, Value index);
  /// A vector of which only the first `valid` lanes are in memory; the others
  /// read as 0 and are not written.
  Value loadVec(Value address, int64_t valid);
  void storeVec(Value value, Value address, int64_t valid);
  /// The same from 8-bit integers, as f32.
  Value loadVec8(Value address, int64_t valid, bool isUnsigned);
  /// A vector of 8-bit integers as f32.
  Value floatsOf8(Value bytes, bool isUnsigned);
  /// Asks for a cache line that will be read soon.
  void prefetch(Value address);

  //===--- f32 scalars and vectors
  //------------------------------------------===//

  Value f(float value);
  Value splat(float value);
  /// `value` for type f32 or a vector of it.
  Value constantLike(Type type, float value);
  Value broadcast(Value scalar);
  Value fadd(Value a, Value b);
  Value fsub(Value a, Value b);
  Value fmul(Value a, Value b);
  Value fdiv(Value a, Value b);
  /// a * b + c, fused where the target has it.
  Value fma(Value a, Value b, Value c);
  Value fmax(Value a, Value b); // b when a is NaN
  Value fmin(Value a, Value b); // b when a is NaN
  Value sqrt(Value a);
  Value reduceAdd(Value vector);
  Value reduceMax(Value vector);

  //===--- control
  //-----------------------------------------------------------===//

  void loop(Value lo, Value hi, int64_t step,
            llvm::function_ref<void(Value)> body);
  llvm::SmallVector<Value>
  loop(Value lo, Value hi, int64_t step, ValueRange inits,
       llvm::function_ref<llvm::SmallVector<Value>(Value, ValueRange)> body);
  void ifThen(Value condition, llvm::function_ref<void()> then);
  void ifThenElse(Value condition, llvm::function_ref<void()> then,
                  llvm::function_ref<void()> otherwise);
  Value select(Value condition, Value a, Value b);

  /// Takes the rows of [lo, hi) through some steps, `together` at a time: what
  /// a row waits for at the end of a step is ready when its next one begins.
  /// A step is called with the row and its number among those.
  void forRows(Value lo, Value hi, int64_t together,
               llvm::ArrayRef<llvm::function_ref<void(Value, Value)>> steps);

  /// Calls `body(column, valid)` for every vector of a row of `width` columns;
  /// whole vectors in a loop, the last one masked.
  void forColumns(int64_t width,
                  llvm::function_ref<void(Value column, int64_t valid)> body);
  /// The same with values carried from vector to vector.
  llvm::SmallVector<Value> forColumns(
      int64_t width, ValueRange inits,
      llvm::function_ref<llvm::SmallVector<Value>(Value, int64_t, ValueRange)>
          body);

  /// Reduces a row: `body` as above, but four chains of values run side by side
  /// where the row is long enough, since one would wait for its own latency;
  /// `combine` makes one of two. `inits` must not matter when combined.
  llvm::SmallVector<Value> reduceColumns(
      int64_t width, ValueRange inits,
      llvm::function_ref<llvm::SmallVector<Value>(Value, int64_t, ValueRange)>
          body,
      llvm::function_ref<llvm::SmallVector<Value>(ValueRange, ValueRange)>
          combine);

private:
  Value laneMask(int64_t valid);
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_KERNELBUILDER_H
