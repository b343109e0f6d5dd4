//===- KernelBuilder.cpp - Shorthand for kernel generators ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilder.h"

using namespace mlir;
using namespace plmc;

KernelBuilder::KernelBuilder(MLIRContext *context, const TargetInfo &target)
    : OpBuilder(context), target(target), loc(UnknownLoc::get(context)) {
  i64 = getI64Type();
  i32 = getI32Type();
  i8 = getI8Type();
  i1 = getI1Type();
  f32 = getF32Type();
  ptr = LLVM::LLVMPointerType::get(context);
  vf32 = VectorType::get({target.lanes}, f32);
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

func::FuncOp KernelBuilder::beginFunction(ModuleOp module, StringRef name,
                                          ArrayRef<Type> arguments,
                                          ArrayRef<Type> results) {
  setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(*this, loc, name,
                                   getFunctionType(arguments, results));
  setInsertionPointToStart(func.addEntryBlock());
  return func;
}

void KernelBuilder::endFunction(ValueRange results) {
  func::ReturnOp::create(*this, loc, results);
}

void KernelBuilder::call(func::FuncOp callee, ValueRange arguments) {
  func::CallOp::create(*this, loc, callee, arguments);
}

func::FuncOp KernelBuilder::declare(ModuleOp module, StringRef name,
                                    ArrayRef<Type> arguments,
                                    ArrayRef<Type> results) {
  InsertionGuard guard(*this);
  setInsertionPointToEnd(module.getBody());
  auto func = func::FuncOp::create(*this, loc, name,
                                   getFunctionType(arguments, results));
  func.setPrivate();
  return func;
}

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value KernelBuilder::c(int64_t value) {
  return arith::ConstantIntOp::create(*this, loc, value, 64);
}
Value KernelBuilder::add(Value a, Value b) {
  return createOrFold<arith::AddIOp>(loc, a, b);
}
Value KernelBuilder::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(loc, a, b);
}
Value KernelBuilder::mul(Value a, Value b) {
  return createOrFold<arith::MulIOp>(loc, a, b);
}
Value KernelBuilder::div(Value a, Value b) {
  return createOrFold<arith::DivUIOp>(loc, a, b);
}
Value KernelBuilder::rem(Value a, Value b) {
  return createOrFold<arith::RemUIOp>(loc, a, b);
}
Value KernelBuilder::min(Value a, Value b) {
  return createOrFold<arith::MinSIOp>(loc, a, b);
}
Value KernelBuilder::max(Value a, Value b) {
  return createOrFold<arith::MaxSIOp>(loc, a, b);
}
Value KernelBuilder::lt(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, a, b);
}
Value KernelBuilder::eq(Value a, Value b) {
  return createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, a, b);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value KernelBuilder::offset(Value base, Value bytes) {
  return LLVM::GEPOp::create(*this, loc, ptr, i8, base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}

static unsigned naturalAlignment(Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    type = vector.getElementType(); // rows start anywhere
  if (isa<LLVM::LLVMPointerType>(type))
    return 8;
  return std::max(1u, type.getIntOrFloatBitWidth() / 8);
}

Value KernelBuilder::load(Type type, Value address) {
  return LLVM::LoadOp::create(*this, loc, type, address,
                              naturalAlignment(type));
}
void KernelBuilder::store(Value value, Value address) {
  LLVM::StoreOp::create(*this, loc, value, address,
                        naturalAlignment(value.getType()));
}
Value KernelBuilder::loadI32(Value base, Value index) {
  return arith::ExtSIOp::create(*this, loc, i64, load(i32, at(base, index)));
}

Value KernelBuilder::laneMask(int64_t valid) {
  SmallVector<bool> bits(target.lanes);
  for (int64_t i = 0; i < valid; ++i)
    bits[i] = true;
  auto type = VectorType::get({target.lanes}, i1);
  return arith::ConstantOp::create(*this, loc, type,
                                   DenseElementsAttr::get(type, bits));
}

Value KernelBuilder::loadVec(Value address, int64_t valid) {
  if (valid >= target.lanes)
    return load(vf32, address);
  return LLVM::MaskedLoadOp::create(*this, loc, vf32, address, laneMask(valid),
                                    splat(0), getI32IntegerAttr(4));
}
Value KernelBuilder::loadVec8(Value address, int64_t valid, bool isUnsigned) {
  auto bytes = VectorType::get({target.lanes}, i8);
  Value narrow;
  if (valid >= target.lanes)
    narrow = load(bytes, address);
  else
    narrow = LLVM::MaskedLoadOp::create(
        *this, loc, bytes, address, laneMask(valid),
        arith::ConstantOp::create(*this, loc, getZeroAttr(bytes)).getResult(),
        getI32IntegerAttr(1));
  return floatsOf8(narrow, isUnsigned);
}
Value KernelBuilder::floatsOf8(Value narrow, bool isUnsigned) {
  auto wide = VectorType::get({target.lanes}, i32);
  // Through i32: there are instructions for that at every vector level.
  Value extended =
      isUnsigned ? Value(arith::ExtUIOp::create(*this, loc, wide, narrow))
                 : Value(arith::ExtSIOp::create(*this, loc, wide, narrow));
  return arith::SIToFPOp::create(*this, loc, vf32, extended);
}
void KernelBuilder::storeVec(Value value, Value address, int64_t valid) {
  if (valid >= target.lanes)
    return store(value, address);
  LLVM::MaskedStoreOp::create(*this, loc, value, address, laneMask(valid), 4);
}
void KernelBuilder::prefetch(Value address) {
  LLVM::Prefetch::create(*this, loc, address, /*rw=*/0, /*hint=*/2,
                         /*cache=*/1);
}

//===----------------------------------------------------------------------===//
// f32
//===----------------------------------------------------------------------===//

Value KernelBuilder::f(float value) {
  return arith::ConstantOp::create(*this, loc, getF32FloatAttr(value));
}
Value KernelBuilder::splat(float value) { return constantLike(vf32, value); }
Value KernelBuilder::constantLike(Type type, float value) {
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return f(value);
  return arith::ConstantOp::create(*this, loc, vector,
                                   DenseElementsAttr::get(vector, value));
}
Value KernelBuilder::broadcast(Value scalar) {
  return vector::BroadcastOp::create(
      *this, loc, VectorType::get({target.lanes}, scalar.getType()), scalar);
}
Value KernelBuilder::fadd(Value a, Value b) {
  return arith::AddFOp::create(*this, loc, a, b);
}
Value KernelBuilder::fsub(Value a, Value b) {
  return arith::SubFOp::create(*this, loc, a, b);
}
Value KernelBuilder::fmul(Value a, Value b) {
  return arith::MulFOp::create(*this, loc, a, b);
}
Value KernelBuilder::fdiv(Value a, Value b) {
  return arith::DivFOp::create(*this, loc, a, b);
}
Value KernelBuilder::fma(Value a, Value b, Value c) {
  // fmuladd, not fma: on a CPU without FMA the latter is a libm call.
  return LLVM::FMulAddOp::create(*this, loc, a, b, c);
}
Value KernelBuilder::fmax(Value a, Value b) {
  Value greater =
      arith::CmpFOp::create(*this, loc, arith::CmpFPredicate::OGT, a, b);
  return arith::SelectOp::create(*this, loc, greater, a, b);
}
Value KernelBuilder::fmin(Value a, Value b) {
  Value less =
      arith::CmpFOp::create(*this, loc, arith::CmpFPredicate::OLT, a, b);
  return arith::SelectOp::create(*this, loc, less, a, b);
}
Value KernelBuilder::sqrt(Value a) {
  return LLVM::SqrtOp::create(*this, loc, a.getType(), a);
}
Value KernelBuilder::reduceAdd(Value vector) {
  // Pairwise by halves: one order for all levels of a vector width, and no
  // serial chain of additions.
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  while (lanes > 1) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < lanes / 2; ++i) {
      low.push_back(i);
      high.push_back(i + lanes / 2);
    }
    vector = fadd(vector::ShuffleOp::create(*this, loc, vector, vector, low),
                  vector::ShuffleOp::create(*this, loc, vector, vector, high));
    lanes /= 2;
  }
  return vector::ExtractOp::create(*this, loc, vector, ArrayRef<int64_t>{0});
}
Value KernelBuilder::reduceMax(Value vector) {
  int64_t lanes = cast<VectorType>(vector.getType()).getDimSize(0);
  while (lanes > 1) {
    SmallVector<int64_t> low, high;
    for (int64_t i = 0; i < lanes / 2; ++i) {
      low.push_back(i);
      high.push_back(i + lanes / 2);
    }
    vector = fmax(vector::ShuffleOp::create(*this, loc, vector, vector, low),
                  vector::ShuffleOp::create(*this, loc, vector, vector, high));
    lanes /= 2;
  }
  return vector::ExtractOp::create(*this, loc, vector, ArrayRef<int64_t>{0});
}

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void KernelBuilder::loop(Value lo, Value hi, int64_t step,
                         llvm::function_ref<void(Value)> body) {
  auto op = scf::ForOp::create(*this, loc, lo, hi, c(step));
  InsertionGuard guard(*this);
  setInsertionPoint(op.getBody()->getTerminator());
  body(op.getInductionVar());
}

SmallVector<Value> KernelBuilder::loop(
    Value lo, Value hi, int64_t step, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto op = scf::ForOp::create(*this, loc, lo, hi, c(step), inits);
  InsertionGuard guard(*this);
  setInsertionPointToStart(op.getBody());
  SmallVector<Value> results =
      body(op.getInductionVar(), op.getRegionIterArgs());
  if (!inits.empty()) // else there is one
    scf::YieldOp::create(*this, loc, results);
  return SmallVector<Value>(op.getResults());
}

void KernelBuilder::ifThen(Value condition, llvm::function_ref<void()> then) {
  auto op = scf::IfOp::create(*this, loc, condition, /*withElseRegion=*/false);
  InsertionGuard guard(*this);
  setInsertionPoint(op.thenBlock()->getTerminator());
  then();
}
void KernelBuilder::ifThenElse(Value condition, llvm::function_ref<void()> then,
                               llvm::function_ref<void()> otherwise) {
  auto op = scf::IfOp::create(*this, loc, condition, /*withElseRegion=*/true);
  InsertionGuard guard(*this);
  setInsertionPoint(op.thenBlock()->getTerminator());
  then();
  setInsertionPoint(op.elseBlock()->getTerminator());
  otherwise();
}
Value KernelBuilder::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(*this, loc, condition, a, b);
}

void KernelBuilder::forRows(
    Value lo, Value hi, int64_t together,
    llvm::ArrayRef<llvm::function_ref<void(Value, Value)>> steps) {
  loop(lo, hi, together, [&](Value first) {
    Value last = min(add(first, together), hi);
    for (auto step : steps)
      loop(first, last, 1, [&](Value row) { step(row, sub(row, first)); });
  });
}

void KernelBuilder::forColumns(int64_t width,
                               llvm::function_ref<void(Value, int64_t)> body) {
  int64_t whole = width / target.lanes * target.lanes;
  if (whole)
    loop(c(0), c(whole), target.lanes,
         [&](Value column) { body(column, target.lanes); });
  if (width > whole)
    body(c(whole), width - whole);
}

SmallVector<Value> KernelBuilder::forColumns(
    int64_t width, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> body) {
  int64_t whole = width / target.lanes * target.lanes;
  SmallVector<Value> values(inits);
  if (whole)
    values = loop(c(0), c(whole), target.lanes, values,
                  [&](Value column, ValueRange carried) {
                    return body(column, target.lanes, carried);
                  });
  if (width > whole)
    values = body(c(whole), width - whole, values);
  return values;
}

SmallVector<Value> KernelBuilder::reduceColumns(
    int64_t width, ValueRange inits,
    llvm::function_ref<SmallVector<Value>(Value, int64_t, ValueRange)> body,
    llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)> combine) {
  constexpr int64_t chains = 4;
  int64_t step = chains * target.lanes, whole = width / step * step;
  int64_t count = inits.size();
  SmallVector<Value> values(inits);
  if (whole) {
    SmallVector<Value> all;
    for (int64_t chain = 0; chain < chains; ++chain)
      llvm::append_range(all, inits);
    all =
        loop(c(0), c(whole), step, all, [&](Value column, ValueRange carried) {
          SmallVector<Value> next;
          for (int64_t chain = 0; chain < chains; ++chain)
            llvm::append_range(next, body(add(column, chain * target.lanes),
                                          target.lanes,
                                          carried.slice(chain * count, count)));
          return next;
        });
    auto chain = [&](int64_t index) {
      return ValueRange(all).slice(index * count, count);
    };
    values = combine(combine(chain(0), chain(1)), combine(chain(2), chain(3)));
  }
  for (int64_t column = whole; column < width; column += target.lanes)
    values = body(c(column), std::min(target.lanes, width - column), values);
  return values;
}
