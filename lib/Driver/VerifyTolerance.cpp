//===- VerifyTolerance.cpp - How far apart two runs may be ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyTolerance.h"
#include "mlir/IR/TypeUtilities.h"
#include "plmc/Dialect/PLM/PLM.h"

using namespace mlir;

namespace plmc {

static bool isHalf(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isF16() || element.isBF16();
}

bool computesInHalf(func::FuncOp func) {
  return llvm::any_of(func.getArgumentTypes(), isHalf) ||
         func.walk([](Operation *op) {
               return llvm::any_of(op->getResultTypes(), isHalf)
                          ? WalkResult::interrupt()
                          : WalkResult::advance();
             })
             .wasInterrupted();
}

double roundingOf(DType dtype) {
  return dtype == DType::F16 ? 0x1p-10 : dtype == DType::BF16 ? 0x1p-7 : 0;
}

double toleranceOfRounding(func::FuncOp func) {
  double allowed = 0, ofQuantize = 0;
  func.walk([&](Operation *op) {
    if (isa<plm::QuantizeOp>(op))
      ofQuantize += 0.02;
    if (auto attention = dyn_cast<plm::AttentionOp>(op))
      if (attention.getPrecision() == plm::Precision::BF16)
        allowed = std::max(allowed, 0.02);
    auto linear = dyn_cast<plm::LinearOp>(op);
    if (!linear)
      return;
    plm::Precision precision =
        linear.getPrecision().value_or(plm::Precision::F32);
    if (precision == plm::Precision::BF16)
      allowed = std::max(allowed, 0.02);
    if (precision == plm::Precision::Int8)
      allowed = std::max(allowed, 0.15);
  });
  return std::max(allowed, std::min(ofQuantize, 0.25));
}

bool sharesRange(func::FuncOp func) {
  return func
      .walk([](plm::QuantizeOp op) {
        return isa_and_present<plm::ConstantOp, plm::GetParameterOp>(
                   op.getScale().getDefiningOp())
                   ? WalkResult::advance()
                   : WalkResult::interrupt();
      })
      .wasInterrupted();
}

} // namespace plmc
