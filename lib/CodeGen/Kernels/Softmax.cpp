//===- Softmax.cpp - Powers of scores and their sums ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A row alone waits for its sum. So there are some side by side:
// all-MiniLM-L6-v2 in int8 took 3.57 ms at 1x128 (plmc bench, Zen 5) instead of
// 3.67. (A shorter polynomial for 2^x, since codes are rounded anyway, was
// tried: more codes fell to the other side of a border. More than two results
// would come back through the x87 stack: hence the vector.)
//
//===----------------------------------------------------------------------===//

#include "../VectorMath.h"
#include "AttentionTask.h"

using namespace mlir;
using namespace plmc;

func::FuncOp plmc::buildSoftmaxRows(KernelBuilder &b, ModuleOp module,
                                    int64_t rows, bool bf16) {
  std::string name = llvm::formatv("softmax_{0}{1}", rows, bf16 ? "_bf16" : "");
  if (auto known = module.lookupSymbol<func::FuncOp>(name))
    return known;
  auto ofRows = VectorType::get({rows}, b.f32);
  SmallVector<Type> types{b.ptr, b.i64, b.i64};
  types.append(rows, b.f32);
  auto func = b.beginFunction(module, name, types, Type(ofRows));
  func.setPrivate();
  Value length = func.getArgument(2);
  int64_t lanes = b.target.lanes;
  auto splat = [&](float value) -> Value {
    return arith::ConstantOp::create(b, b.loc,
                                     DenseElementsAttr::get(ofRows, value));
  };
  Value max = vector::FromElementsOp::create(
      b, b.loc, ofRows, ValueRange(func.getArguments()).drop_front(3));
  Value empty = arith::CmpFOp::create(b, b.loc, arith::CmpFPredicate::OEQ, max,
                                      splat(lowestScore));
  // -inf - -inf would be NaN, and NaN times 0 is not 0.
  max = b.select(empty, splat(0), max);
  SmallVector<Value> row, maxima;
  for (int64_t r = 0; r < rows; ++r) {
    row.push_back(b.offset(func.getArgument(0), b.mul(func.getArgument(1), r)));
    maxima.push_back(b.broadcast(vector::ExtractOp::create(b, b.loc, max, r)));
  }
  // Codes of two vectors are made in one instruction.
  int64_t step = bf16 && b.target.dotBF16 ? 2 : 1;
  auto sums =
      b.loop(b.c(0), length, step * lanes, SmallVector<Value>(rows, b.splat(0)),
             [&](Value i, ValueRange carried) {
               SmallVector<Value> next;
               for (int64_t r = 0; r < rows; ++r) {
                 SmallVector<Value> p;
                 for (int64_t v = 0; v < step; ++v) {
                   Value s = b.load(b.vf32, b.at(row[r], b.add(i, v * lanes)));
                   p.push_back(emitExp2(b, b.fsub(s, maxima[r])));
                 }
                 if (bf16) // never beyond what has been read
                   b.store(step == 2 ? emitBF16CodePair(b, p[0], p[1])
                                     : emitBF16Codes(b, p[0]),
                           b.at(row[r], i, bf16CodeBytes(b.target)));
                 else
                   b.store(p[0], b.at(row[r], i));
                 next.push_back(b.fadd(carried[r], p[0]));
                 if (step == 2)
                   next.back() = b.fadd(next.back(), p[1]);
               }
               return next;
             });
  for (Value &sum : sums)
    sum = b.reduceAdd(sum);
  Value inverse =
      b.fdiv(splat(1), vector::FromElementsOp::create(b, b.loc, ofRows, sums));
  b.endFunction(b.select(empty, splat(0), inverse));
  return func;
}
