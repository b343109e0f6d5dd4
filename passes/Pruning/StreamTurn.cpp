//===- StreamTurn.cpp - New coordinates for the stream --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamTurn.h"
#include "Narrow.h"
#include "StreamBasis.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/CopiedBlob.h"

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;

static llvm::Expected<Vector> valuesOf(Value parameter, int64_t width,
                                       float none) {
  if (!parameter)
    return Vector(Vector::Constant(width, none));
  auto tensor = evaluateOp(parameter.getDefiningOp(), {}, {});
  if (!tensor)
    return tensor.takeError();
  return Vector(Eigen::Map<const Vector>(tensor->as<float>(), width));
}

/// Rows less their means, of the length that a layer norm gives them.
static void normalizeRows(Matrix &rows, double epsilon) {
  for (auto row : rows.rowwise()) {
    row.array() -= row.mean();
    double variance = row.squaredNorm() / double(row.size());
    row *= float(1 / std::sqrt(variance + epsilon));
  }
}

llvm::Error StreamTurn::measure(func::FuncOp func,
                                const std::vector<bool> &chosen) {
  StepwiseRun run(func, fit.calibration());
  SmallVector<LayerNormOp> ordered;
  for (auto [part, isChosen] : llvm::zip(uses.parts(), chosen))
    if (isChosen)
      ordered.append(part.norms.begin(), part.norms.end());
  llvm::sort(ordered, [](LayerNormOp a, LayerNormOp b) {
    return a->isBeforeInBlock(b);
  });
  for (LayerNormOp norm : ordered) {
    if (llvm::Error error = run.advanceTo(norm))
      return error;
    auto rows = run.rows(norm.getInput());
    if (!rows)
      return rows.takeError();
    normalizeRows(*rows, norm.getEpsilon().convertToDouble());
    auto gram = fit.products().gram(RowSource::of(*rows));
    if (!gram)
      return gram.takeError();
    int64_t width = rows->cols();
    auto gain = valuesOf(norm.getGamma(), width, 1);
    auto bias = valuesOf(norm.getBeta(), width, 0);
    if (!gain || !bias)
      return llvm::joinErrors(gain.takeError(), bias.takeError());
    norms[norm] = {std::move(*gain), std::move(*bias),
                   rows->colwise().mean().transpose(),
                   *gram / float(rows->rows())};
  }
  return llvm::Error::success();
}

llvm::Error StreamTurn::findBases(ArrayRef<int64_t> widths,
                                  const std::vector<bool> &chosen,
                                  bool shared) {
  ArrayRef<StreamPart> parts = uses.parts();
  auto momentsOf = [&](const StreamPart &part) {
    Matrix sum = Matrix::Zero(part.width, part.width);
    for (LayerNormOp norm : part.norms)
      sum += norms[norm].moments;
    return sum;
  };
  llvm::DenseMap<std::pair<int64_t, int64_t>, Basis> known; // if shared
  bases.assign(parts.size(), nullptr);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!chosen[i])
      continue;
    auto shape = std::make_pair(parts[i].width, widths[i]);
    Basis &basis = shared ? known[shape] : bases[i];
    if (!basis) {
      Matrix moments = momentsOf(parts[i]);
      for (size_t j = i + 1; shared && j < parts.size(); ++j)
        if (chosen[j] && std::make_pair(parts[j].width, widths[j]) == shape)
          moments += momentsOf(parts[j]);
      auto found = streamBasis(moments, widths[i]);
      if (!found)
        return found.takeError();
      basis = std::make_shared<const Matrix>(std::move(*found));
    }
    bases[i] = basis;
    for (LayerNormOp norm : parts[i].norms)
      basisOf[norm] = basis;
  }
  return llvm::Error::success();
}

std::pair<Matrix, Vector> StreamTurn::readingOf(const NormData &data,
                                                const Matrix &basis) const {
  // What the cut columns were on average goes into the bias.
  Vector lost = data.mean - basis * (basis.transpose() * data.mean);
  return {data.gain.asDiagonal() * basis,
          data.gain.cwiseProduct(lost) + data.bias};
}

LinearOp StreamTurn::insertLinear(OpBuilder &builder, Value input,
                                  const Matrix &weight, const Vector &bias) {
  auto type = cast<RankedTensorType>(input.getType());
  auto dims = getDims(type);
  dims.back() = DimExpr(weight.rows());
  Matrix stored = weight.transpose();
  Type element = builder.getF32Type();
  Value parameter = addParameter(
      builder, symbols, "stream.weight",
      RankedTensorType::get({stored.rows(), stored.cols()}, element),
      copiedBlob(ArrayRef(stored.data(), stored.size())));
  Value offset = addParameter(builder, symbols, "stream.bias",
                              RankedTensorType::get({bias.size()}, element),
                              copiedBlob(ArrayRef(bias.data(), bias.size())));
  auto linear =
      LinearOp::create(builder, input.getLoc(), makeTensorType(dims, element),
                       input, parameter, offset, /*transposed=*/false);
  inserted.insert(linear);
  return linear;
}

/// The rows of what is made of parameters in new coordinates.
llvm::Expected<Value> StreamTurn::rowsTimes(Value rows, const Matrix &basis,
                                            StringRef name,
                                            OpBuilder &builder) {
  auto tensor = evaluate(rows, symbols);
  if (!tensor)
    return tensor.takeError();
  auto shape = tensor->shape;
  Eigen::Map<const Matrix> old(
      tensor->as<float>(), tensor->numElements() / shape.back(), shape.back());
  Matrix turned = old * basis;
  shape.back() = basis.cols();
  return addParameter(builder, symbols, name,
                      RankedTensorType::get(shape, builder.getF32Type()),
                      copiedBlob(ArrayRef(turned.data(), turned.size())));
}

llvm::Error StreamTurn::turnSource(Value source, const StreamPart &part,
                                   Basis basis) {
  Operation *op = source.getDefiningOp();
  if (uses.foldsInto(source, part)) {
    if (auto linear = dyn_cast<LinearOp>(op)) {
      auto weight = weightOf(linear, symbols);
      auto bias = biasOf(linear);
      if (!weight || !bias)
        return llvm::joinErrors(weight.takeError(), bias.takeError());
      setWeight(linear, basis->transpose() * *weight, symbols);
      if (linear.getBias())
        setBias(linear, basis->transpose() * *bias, symbols);
      fit.project(linear, basis);
    } else {
      OpBuilder builder(op);
      OpOperand &table = op->getOpOperand(isa<PositionEmbeddingOp>(op) ? 0 : 1);
      auto name = table.get().getDefiningOp<GetParameterOp>().getParameter();
      auto turned = rowsTimes(table.get(), *basis, name, builder);
      if (!turned)
        return turned.takeError();
      table.set(*turned);
    }
    setWidth(source, basis->cols());
    return llvm::Error::success();
  }
  auto replaceHere = [&](Value turned) {
    source.replaceUsesWithIf(turned, [&](OpOperand &use) {
      auto norm = dyn_cast<LayerNormOp>(use.getOwner());
      return part.reads(use.getOwner()) &&
             !(norm && use.getOperandNumber() != 0);
    });
  };
  // Where the source is made, with its other readers: the original, walked
  // beside for the fit, gives it there.
  OpBuilder builder(source.getContext());
  builder.setInsertionPointAfterValue(source);
  if (isConstantSource(source)) {
    auto turned = rowsTimes(source, *basis, "stream.constant", builder);
    if (!turned)
      return turned.takeError();
    replaceHere(*turned);
    return llvm::Error::success();
  }
  Matrix weight = basis->transpose();
  Vector bias = Vector::Zero(basis->cols());
  if (op)
    if (Basis own = basisOf.lookup(op)) { // another part's norm, or this one's
      auto [matrix, offset] = readingOf(norms[op], *own);
      bias = weight * offset;
      weight = weight * matrix;
    }
  LinearOp linear = insertLinear(builder, source, weight, bias);
  if (op && op->getNumResults() == 1)
    fit.standFor(linear, op);
  fit.project(linear, basis);
  replaceHere(linear.getResult());
  return llvm::Error::success();
}

llvm::Error StreamTurn::turnNorm(LayerNormOp norm, const Matrix &basis) {
  const NormData &data = norms[norm];
  auto [matrix, offset] = readingOf(data, basis);
  SmallVector<OpOperand *> others;
  for (OpOperand &use : norm.getResult().getUses()) {
    Operation *reader = use.getOwner();
    if (inserted.contains(reader)) // reads the new coordinates
      continue;
    auto linear = dyn_cast<LinearOp>(reader);
    if (!linear || use.getOperandNumber() != 0 || !uses.folds(linear)) {
      others.push_back(&use);
      continue;
    }
    auto weight = weightOf(linear, symbols);
    auto bias = biasOf(linear);
    if (!weight || !bias)
      return llvm::joinErrors(weight.takeError(), bias.takeError());
    setBias(linear, *bias + *weight * offset, symbols);
    setWeight(linear, *weight * matrix, symbols);
  }
  double full = double(basis.rows()), columns = double(basis.cols());
  double all = data.moments.trace(), kept = 1;
  if (all > 0) // rows that are constant leave nothing
    kept = (basis.transpose() * data.moments * basis).trace() / all;
  // n in the new coordinates: a row is shorter by what is cut, on average.
  double scale = kept * full / columns;
  OpBuilder builder(norm);
  Vector gain = Vector::Constant(basis.cols(), float(std::sqrt(scale)));
  norm.getGammaMutable().assign(
      addParameter(builder, symbols, "stream.gain",
                   RankedTensorType::get({gain.size()}, builder.getF32Type()),
                   copiedBlob(ArrayRef(gain.data(), gain.size()))));
  norm.getBetaMutable().clear();
  norm.setEpsilon(APFloat(norm.getEpsilon().convertToDouble() * scale));
  setWidth(norm.getResult(), basis.cols());
  if (others.empty())
    return llvm::Error::success();
  builder.setInsertionPointAfter(norm);
  LinearOp whole = insertLinear(builder, norm.getResult(), matrix, offset);
  fit.standFor(whole, norm);
  for (OpOperand *use : others)
    use->set(whole.getResult());
  return llvm::Error::success();
}

llvm::Error StreamTurn::apply() {
  ArrayRef<StreamPart> parts = uses.parts();
  for (auto [part, basis] : llvm::zip(parts, bases)) {
    if (!basis)
      continue;
    for (Value source : part.sources)
      if (llvm::Error error = turnSource(source, part, basis))
        return error;
    for (BinaryOp sum : part.sums) {
      setWidth(sum.getResult(), basis->cols());
      fit.project(sum, basis);
    }
  }
  // Their readers in other parts know by now.
  for (auto [part, basis] : llvm::zip(parts, bases))
    if (basis)
      for (LayerNormOp norm : part.norms)
        if (llvm::Error error = turnNorm(norm, *basis))
          return error;
  return llvm::Error::success();
}
