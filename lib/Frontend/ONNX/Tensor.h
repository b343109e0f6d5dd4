//===- Tensor.h - What the importer knows of a value ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_TENSOR_H
#define PLMC_FRONTEND_ONNX_TENSOR_H

#include "Literal.h"
#include "mlir/IR/Value.h"
#include "plmc/Dialect/PLM/DimExpr.h"

namespace plmc::importer {

using Dims = llvm::SmallVector<DimExpr, 4>;

/// A value of the graph: a handle, cheap to copy. Null after a failure; the
/// accessors of a null tensor are safe, and every operation on one gives null,
/// so handlers need not check each step.
///
/// Next to type and shape a tensor may have
/// * a literal: its value is a constant of the model;
/// * contents: it is a small integer tensor of rank 0 or 1 whose elements are
///   dimension expressions. This is how shape arithmetic (Shape, Gather,
///   Concat, ...) is followed without leaving operations behind.
/// An IR value exists only once somebody asks for one.
class Tensor {
public:
  struct State {
    DType dtype = DType::F32;
    Dims dims;
    std::optional<Dims> contents;
    LiteralPtr literal;
    mlir::Value value;
  };

  Tensor() = default;
  explicit Tensor(State state)
      : state(std::make_shared<State>(std::move(state))) {}

  explicit operator bool() const { return state != nullptr; }
  DType dtype() const { return state ? state->dtype : DType::F32; }
  llvm::ArrayRef<DimExpr> dims() const {
    return state ? llvm::ArrayRef<DimExpr>(state->dims)
                 : llvm::ArrayRef<DimExpr>();
  }
  int64_t rank() const { return dims().size(); }
  /// Negative indices count from the end; 1 outside the rank.
  DimExpr dim(int64_t index) const;
  /// Number of elements when it is a constant.
  std::optional<int64_t> numElements() const;
  LiteralPtr literal() const { return state ? state->literal : nullptr; }
  State *get() const { return state.get(); }

private:
  std::shared_ptr<State> state;
};

/// The elements as dimension expressions, if they are known: from contents,
/// or from a small literal of integral values and rank 0 or 1.
std::optional<Dims> contentsOf(const Tensor &tensor);
/// A tensor with these contents; a literal when all are constants.
Tensor tensorFromContents(DType dtype, Dims contents, bool scalar);
Tensor tensorFromLiteral(LiteralPtr literal);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_TENSOR_H
