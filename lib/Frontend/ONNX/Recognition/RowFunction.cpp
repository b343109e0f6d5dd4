//===- RowFunction.cpp - What a small expression computes on a row --------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RowFunction.h"
#include "RowMath.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::recognition {
namespace {

constexpr int64_t maxOps = 64, maxWidth = 1 << 16;
/// Elementwise functions of tensors with a symbolic width are probed on this
/// many elements.
constexpr int64_t elementwiseWidth = 64;

/// One number a row: the dims of the row tensor, the last one 1.
bool isPerRow(ArrayRef<DimExpr> dims, ArrayRef<DimExpr> rowDims) {
  return dims.size() == rowDims.size() && dims.back().isConstant(1) &&
         dims.drop_back() == rowDims.drop_back();
}

bool isOneReductionOfRow(ReduceOp op) {
  return op.getAxes().size() == 1 &&
         op.getAxes()[0] == typeOf(op.getInput()).getRank() - 1;
}

bool isRowOp(Operation *op) {
  return isa_and_present<UnaryOp, BinaryOp, CastOp, ActivationOp, ReduceOp,
                         ReshapeOp, BroadcastOp>(op);
}

} // namespace

std::optional<RowFunction> RowFunction::build(Value result, Value input,
                                              bool reductions) {
  RowFunction function;
  function.result = result;
  function.input = input;
  function.reductions = reductions;
  if (result == input || result.getType() != input.getType() ||
      !isFloatTensor(input) || !typeOf(input).getRank())
    return std::nullopt;
  std::optional<int64_t> width = dimsOf(input).back().constant();
  if (!reductions)
    function.rowWidth = elementwiseWidth;
  else if (!width || *width < 1 || *width > maxWidth)
    return std::nullopt;
  else
    function.rowWidth = *width;
  function.known.insert(input);
  if (!function.visit(result))
    return std::nullopt;
  // A function that does not look at its input is none.
  for (Operation *op : function.order)
    if (llvm::is_contained(op->getOperands(), input))
      return function;
  return std::nullopt;
}

bool RowFunction::visit(Value value) {
  if (known.contains(value))
    return true;
  Operation *op = value.getDefiningOp();
  if (!op || order.size() >= maxOps)
    return false;
  if (isWeight(value) || scalarOf(value)) {
    // A parameter that happens to hold equal numbers is still a parameter.
    if (reductions && rowWidth > 1 &&
        isVectorWeight(value, DimExpr(rowWidth))) {
      constants[value] = randomRow(rowWidth, 17 + rowParameters.size(), 1, 2);
      rowParameters.push_back(value);
    } else if (std::optional<double> scalar = scalarOf(value)) {
      constants[value] = {*scalar};
      scalarValues.push_back(*scalar);
    } else {
      return false;
    }
    known.insert(value);
    return true;
  }
  if (depth >= maxOps || !isRowOp(op))
    return false;
  ++depth;
  bool understood = visitOp(op);
  --depth;
  if (!understood)
    return false;
  order.push_back(op);
  known.insert(value);
  return true;
}

bool RowFunction::visitOp(Operation *op) {
  Dims rowDims = dimsOf(input), dims = dimsOf(op->getResult(0));
  bool wholeRow = dims == rowDims;
  bool perRow = !dims.empty() && isPerRow(dims, rowDims);
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    if (!reductions || !isOneReductionOfRow(reduce) ||
        dimsOf(reduce.getInput()) != rowDims)
      return false;
    // Without keepdims a reshape or nothing may follow; [..., 1] must.
    if (!reduce.getKeepdims() &&
        !llvm::all_of(reduce->getUsers(), [&](Operation *user) {
          return isa<ReshapeOp>(user) &&
                 isPerRow(dimsOf(user->getResult(0)), rowDims);
        }))
      return false;
    return visit(reduce.getInput());
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op)) {
    auto reduce = reshape.getInput().getDefiningOp<ReduceOp>();
    return perRow && reduce && visit(reshape.getInput());
  }
  if (auto broadcast = dyn_cast<BroadcastOp>(op))
    return wholeRow && isPerRow(dimsOf(broadcast.getInput()), rowDims) &&
           visit(broadcast.getInput());
  if (!wholeRow && !(reductions && perRow))
    return false;
  if (auto cast = dyn_cast<CastOp>(op))
    if (!isFloatTensor(cast.getInput()) || !isFloatTensor(cast.getResult()))
      return false;
  return llvm::all_of(op->getOperands(), [&](Value v) { return visit(v); });
}

Row RowFunction::apply(Operation *op,
                       const llvm::DenseMap<Value, Row> &values) const {
  auto operand = [&](unsigned index) -> const Row & {
    return values.find(op->getOperand(index))->second;
  };
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return {reduceRow(reduce.getKind(), operand(0))};
  if (isa<ReshapeOp, CastOp>(op))
    return operand(0);
  if (isa<BroadcastOp>(op))
    return Row(rowWidth, operand(0)[0]);
  Row result = operand(0);
  if (auto unary = dyn_cast<UnaryOp>(op))
    for (double &x : result)
      x = applyUnary(unary.getKind(), x);
  if (auto activation = dyn_cast<ActivationOp>(op))
    for (double &x : result)
      x = applyActivation(activation.getKind(), x);
  if (auto binary = dyn_cast<BinaryOp>(op)) {
    const Row &rhs = operand(1);
    if (result.size() < rhs.size())
      result.resize(rhs.size(), result[0]);
    for (size_t i = 0; i < result.size(); ++i)
      result[i] = applyBinary(binary.getKind(), result[i],
                              rhs[rhs.size() == 1 ? 0 : i]);
  }
  return result;
}

Row RowFunction::evaluate(const Row &row) const {
  llvm::DenseMap<Value, Row> values = constants;
  values[input] = row;
  for (Operation *op : order)
    values[op->getResult(0)] = apply(op, values);
  return values.find(result)->second;
}

llvm::SmallVector<Value> inputCandidates(Value result, int depth) {
  llvm::SmallVector<Value> found, frontier{result};
  llvm::DenseSet<Value> seen{result};
  for (int step = 0; step < depth && !frontier.empty(); ++step) {
    llvm::SmallVector<Value> next;
    for (Value value : frontier) {
      if (!isRowOp(value.getDefiningOp()))
        continue;
      for (Value operand : value.getDefiningOp()->getOperands()) {
        if (isWeight(operand) || !seen.insert(operand).second)
          continue;
        if (found.size() < 32 && dimsOf(operand) == dimsOf(result))
          found.push_back(operand);
        if (next.size() < 64)
          next.push_back(operand);
      }
    }
    frontier = std::move(next);
  }
  return found;
}

llvm::SmallVector<Value> resultCandidates(Value start, ArrayRef<DimExpr> dims,
                                          int depth) {
  llvm::SmallVector<Value> found, frontier{start};
  llvm::DenseSet<Value> seen{start};
  if (dimsOf(start) == dims)
    found.push_back(start);
  for (int step = 0; step < depth && !frontier.empty(); ++step) {
    llvm::SmallVector<Value> next;
    for (Value value : frontier)
      for (Operation *user : value.getUsers()) {
        if (!isRowOp(user) || !seen.insert(user->getResult(0)).second)
          continue;
        if (found.size() < 64 && dimsOf(user->getResult(0)) == dims)
          found.push_back(user->getResult(0));
        if (next.size() < 64)
          next.push_back(user->getResult(0));
      }
    frontier = std::move(next);
  }
  return found;
}

} // namespace plmc::recognition
