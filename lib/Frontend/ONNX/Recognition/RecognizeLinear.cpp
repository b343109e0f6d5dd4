//===- RecognizeLinear.cpp - plm-recognize-linear -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A matrix product whose right operand is a parameter [K, N], or the transpose
// of one, and the addition of a bias [N] behind it. The parameter may be stored
// in any other shape (an einsum's [K, heads, d], [1, K, N]) as long as the
// product reads a view of it; plm-settle-parameters makes that view a parameter
// of its own.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"

namespace plmc {
#define GEN_PASS_DEF_RECOGNIZELINEARPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// The stored matrix, and whether the product uses its transpose.
std::optional<std::pair<Value, bool>> matchWeight(MatmulOp matmul) {
  Value value = matmul.getRhs();
  int64_t rank = typeOf(value).getRank();
  if (isParameterView(value)) {
    Dims dims = dimsOf(value);
    // [1, ..., K, N] is one matrix for all.
    if (rank > typeOf(matmul.getLhs()).getRank() ||
        llvm::any_of(ArrayRef<DimExpr>(dims).drop_back(2),
                     [](const DimExpr &dim) { return !dim.isConstant(1); }))
      return std::nullopt;
    auto transpose = value.getDefiningOp<TransposeOp>();
    if (rank == 2 && transpose && typeOf(transpose.getInput()).getRank() == 2)
      return std::pair(Value(transpose.getInput()), true);
    OpBuilder builder(matmul);
    return std::pair(reshapeTo(builder, matmul.getLoc(), value,
                               ArrayRef<DimExpr>(dims).take_back(2)),
                     false);
  }
  if (rank != 2)
    return std::nullopt;
  if (isStoredMatrix(value))
    return std::pair(value, false);
  auto transpose = value.getDefiningOp<TransposeOp>();
  if (transpose && isStoredMatrix(transpose.getInput()))
    return std::pair(Value(transpose.getInput()), true);
  return std::nullopt;
}

/// The addition of a row to the product, when it is all that uses it.
struct Bias {
  BinaryOp add;
  Value vector;
};
std::optional<Bias> matchBias(Value product) {
  if (!product.hasOneUse())
    return std::nullopt;
  auto add = dyn_cast<BinaryOp>(*product.user_begin());
  if (!add || add.getKind() != BinaryKind::Add ||
      add.getType() != product.getType())
    return std::nullopt;
  Value other = add.getLhs() == product ? add.getRhs() : add.getLhs();
  if (!isVectorWeight(other, dimsOf(product).back()))
    return std::nullopt;
  return Bias{add, other};
}

void recognize(MatmulOp matmul) {
  auto weight = matchWeight(matmul);
  if (!weight) {
    if (isParameterView(matmul.getLhs()) || isParameterView(matmul.getRhs()))
      setReason(matmul, "the parameter of this product is not a matrix on its "
                        "right side");
    return;
  }
  Operation *last = matmul;
  Value vector;
  std::optional<Bias> bias = matchBias(matmul.getResult());
  if (bias) {
    last = bias->add;
    vector = bias->vector;
  }
  OpBuilder builder(last);
  if (vector)
    vector = asVector(builder, vector);
  auto linear =
      LinearOp::create(builder, matmul.getLoc(), matmul.getType(),
                       matmul.getLhs(), weight->first, vector, weight->second);
  last->getResult(0).replaceAllUsesWith(linear.getResult());
}

struct RecognizeLinear
    : public plmc::impl::RecognizeLinearPassBase<RecognizeLinear> {
  void runOnOperation() override {
    llvm::SmallVector<MatmulOp> matmuls;
    getOperation().walk([&](MatmulOp op) { matmuls.push_back(op); });
    for (MatmulOp matmul : matmuls)
      recognize(matmul);
    eraseDeadOps(getOperation());
  }
};

} // namespace
