//===- Shapes.cpp - Dimensions, arena plan, output shapes -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ProgramBuilder.h"

using namespace mlir;
using namespace plmc;

void ProgramBuilder::collectSymbols() {
  for (Type type : forward.getArgumentTypes())
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      for (const std::string &name : expr.symbols())
        if (symbolIndex.try_emplace(name, info.symbols.size()).second)
          info.symbols.push_back(name);
  symbolIndex[tokensSymbol.str()] = info.symbols.size() + runtime::DimTokens;
  symbolIndex[maxRowsSymbol.str()] = info.symbols.size() + runtime::DimMaxRows;
}

Value ProgramBuilder::dimension(Value dims, const DimExpr &expr,
                                Value threads) {
  Value sum;
  for (const auto &[monomial, coefficient] : expr.getTerms()) {
    Value product;
    for (const std::string &name : monomial) {
      Value factor;
      if (name == threadsSymbol)
        factor = threads;
      else if (auto it = symbolIndex.find(name); it != symbolIndex.end())
        factor = b.loadI64(dims, it->second);
      else // checked by emit() before any code is built
        factor = b.c(0);
      product = product ? b.mul(product, factor) : factor;
    }
    product = product ? b.mul(product, coefficient) : b.c(coefficient);
    sum = sum ? b.add(sum, product) : product;
  }
  return sum ? sum : b.c(0);
}

DimExpr ProgramBuilder::rowsOf(RankedTensorType type) {
  DimExpr rows(1);
  SmallVector<DimExpr> dims = getDims(type);
  for (const DimExpr &dim : ArrayRef<DimExpr>(dims).drop_back())
    rows = rows * dim;
  return rows;
}

LogicalResult ProgramBuilder::emitPlan() {
  auto slots = source->getAttrOfType<ArrayAttr>(attrs::slots);
  if (!slots)
    return source.emitError("the module has no arena plan: run plk-plan-arena");
  info.numSlots = slots.size();
  auto func =
      b.beginFunction(output, "plm_gen_plan", {b.ptr, b.i64, b.ptr}, {b.i64});
  Value total = b.c(0);
  for (auto [index, slot] : llvm::enumerate(slots)) {
    b.store(total, b.offset(func.getArgument(2), index * 8));
    Value size = b.c(0);
    for (Attribute expr : cast<ArrayAttr>(slot))
      size = b.max(size,
                   dimension(func.getArgument(0),
                             *DimExpr::parse(cast<StringAttr>(expr).getValue()),
                             func.getArgument(1)));
    total = b.add(total, b.mul(b.ceilDiv(size, 64), 64));
  }
  b.endFunction({total});
  return success();
}

LogicalResult ProgramBuilder::emitCheck() {
  auto func = b.beginFunction(output, "plm_gen_check", {b.ptr}, {b.i32});
  Value result = arith::ConstantIntOp::create(b, b.loc, -1, 32);
  SmallVector<plm::ConstraintOp> constraints(
      forward.getOps<plm::ConstraintOp>());
  // The first one that fails wins: select in reverse.
  for (size_t index = constraints.size(); index-- > 0;) {
    plm::ConstraintOp constraint = constraints[index];
    Value value =
        dimension(func.getArgument(0), *DimExpr::parse(constraint.getExpr()));
    Value bad =
        arith::CmpIOp::create(b, b.loc,
                              constraint.getEqual() ? arith::CmpIPredicate::ne
                                                    : arith::CmpIPredicate::slt,
                              value, b.c(0));
    result = b.select(bad, arith::ConstantIntOp::create(b, b.loc, index, 32),
                      result);
  }
  for (plm::ConstraintOp constraint : constraints)
    info.constraintMessages.push_back(constraint.getMessage().str());
  b.endFunction({result});
  return success();
}

void ProgramBuilder::emitOutputDims() {
  auto func = b.beginFunction(output, "plm_gen_output_dims", {b.ptr, b.ptr});
  int64_t next = 0;
  for (Type type : forward.getResultTypes())
    for (const DimExpr &expr : getDims(cast<RankedTensorType>(type)))
      b.store(dimension(func.getArgument(0), expr),
              b.offset(func.getArgument(1), 8 * next++));
  b.endFunction();
}

void ProgramBuilder::emitTokenDims() {
  auto func = b.beginFunction(output, "plm_gen_token_dims", {b.ptr, b.ptr});
  int64_t next = 0;
  for (StringRef name : {attrs::batch, attrs::sequence}) {
    auto attr = source->getAttrOfType<StringAttr>(name);
    DimExpr expr = *DimExpr::parse(attr ? attr.getValue() : "1");
    b.store(dimension(func.getArgument(0), expr),
            b.offset(func.getArgument(1), 8 * next++));
  }
  b.endFunction();
}
