//===- SmoothActivations.cpp - Scales moved from activations to weights ---===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The columns of a value X are divided by numbers s, and the weights of all
// layers that read it multiplied by them: X W = (X / s) (s W). What makes X
// must be able to take the division without work at run time: a norm's gain and
// shift, or the weight and bias of a layer whose output reaches X through
// nothing but the averaging of attention or a ReLU, which let factors pass.
//
// The numbers are powers of two. Dividing and multiplying by those is exact, so
// the model gives the same bits as before in f32, and whatever quantization
// gains or loses by it is not mixed up with rounding of the move itself. A
// factor that is off by up to the square root of 2 hardly matters to
// SmoothQuant.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/ActivationScan.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Passes/Quantization.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_SMOOTHACTIVATIONS
#define GEN_PASS_DEF_SMOOTHACTIVATIONS
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::Matrix;
using plmc::Vector;

/// A value, and who can take over factors of its columns.
struct Site {
  Value value;
  SmallVector<LinearOp> readers;
  LayerNormOp norm;  // either it
  LinearOp producer; // or this one
};

struct SmoothActivations
    : plmc::impl::SmoothActivationsBase<SmoothActivations> {
  using SmoothActivationsBase::SmoothActivationsBase;

  void runOnOperation() override;

private:
  std::optional<Site> siteOf(Value value);
  llvm::Error move(Site &site, const Matrix &rows);
  void divideNorm(Site &site, const Vector &factors);
  Value divided(Value vector, const Vector &factors, Operation *before);
  llvm::Error runAll(func::FuncOp func);

  std::optional<SymbolTable> symbols;
};

/// What a norm or a bias adds or multiplies with: stored in the model.
bool isStored(Value value) {
  return !value ||
         isa_and_present<GetParameterOp, ConstantOp>(value.getDefiningOp());
}

bool isF32(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType().isF32();
}

} // namespace

std::optional<Site> SmoothActivations::siteOf(Value value) {
  Site site;
  site.value = value;
  bool others = false;
  for (OpOperand &use : value.getUses()) {
    auto linear = dyn_cast<LinearOp>(use.getOwner());
    if (linear && use.getOperandNumber() == 0 && !linear.getPrecision() &&
        plmc::ownWeight(linear, *symbols))
      site.readers.push_back(linear);
    else
      others = true;
  }
  Operation *op = value.getDefiningOp();
  if (!op || site.readers.empty() || !isF32(value))
    return std::nullopt;
  if (auto norm = dyn_cast<LayerNormOp>(op)) {
    if ((others && !copyNorms) || !isStored(norm.getGamma()) ||
        !isStored(norm.getBeta()))
      return std::nullopt;
    site.norm = norm;
    return site;
  }
  Value source;
  if (auto attention = dyn_cast<AttentionOp>(op))
    source = attention.getValue();
  else if (auto relu = dyn_cast<ActivationOp>(op);
           relu && relu.getKind() == ActivationKind::Relu)
    source = relu.getInput();
  if (others || !source || !source.hasOneUse())
    return std::nullopt;
  site.producer = source.getDefiningOp<LinearOp>();
  if (!site.producer || site.producer.getPrecision() ||
      !isStored(site.producer.getBias()) ||
      !plmc::ownWeight(site.producer, *symbols))
    return std::nullopt;
  return site;
}

Value SmoothActivations::divided(Value vector, const Vector &factors,
                                 Operation *before) {
  plmc::HostTensor tensor =
      llvm::cantFail(plmc::evaluateOp(vector.getDefiningOp(), {}, {}));
  SmallVector<float> values(factors.size());
  for (auto [i, value] : llvm::enumerate(values))
    value = tensor.as<float>()[i] / factors[i];
  auto get = vector.getDefiningOp<GetParameterOp>();
  OpBuilder builder(before);
  return plmc::addParameter(builder, *symbols,
                            get ? get.getParameter() : "smoothed",
                            cast<RankedTensorType>(vector.getType()),
                            plmc::copiedBlob(ArrayRef<float>(values)));
}

void SmoothActivations::divideNorm(Site &site, const Vector &factors) {
  LayerNormOp norm = site.norm;
  bool copied = llvm::any_of(site.value.getUsers(), [&](Operation *user) {
    return !llvm::is_contained(site.readers, user);
  });
  if (copied) {
    OpBuilder builder(norm->getNextNode());
    norm = cast<LayerNormOp>(builder.clone(*norm));
    for (LinearOp reader : site.readers)
      reader.getInputMutable().assign(norm.getResult());
    plmc::addCounter(getOperation(), getArgument(), "norms copied", 1);
  }
  norm.getGammaMutable().assign(divided(norm.getGamma(), factors, norm));
  if (norm.getBeta())
    norm.getBetaMutable().assign(divided(norm.getBeta(), factors, norm));
}

llvm::Error SmoothActivations::move(Site &site, const Matrix &rows) {
  int64_t width = rows.cols();
  Vector most = Vector::Zero(width);
  SmallVector<Matrix> weights;
  for (LinearOp reader : site.readers) {
    auto weight = plmc::weightOf(reader, *symbols);
    if (!weight)
      return weight.takeError();
    most = most.cwiseMax(weight->cwiseAbs().colwise().maxCoeff().transpose());
    weights.push_back(std::move(*weight));
  }
  Vector range = rows.cwiseAbs().colwise().maxCoeff().transpose();
  Vector exponents = Vector::Zero(width);
  for (int64_t i = 0; i < width; ++i)
    if (range[i] > 0 && most[i] > 0 && std::isfinite(range[i]) &&
        std::isfinite(most[i]))
      exponents[i] =
          alpha * std::log2(range[i]) - (1 - alpha) * std::log2(most[i]);
  // The factors that all columns have in common change nothing.
  float middle = exponents.mean();
  Vector factors(width);
  for (int64_t i = 0; i < width; ++i)
    factors[i] = std::ldexp(
        1.0f,
        int(std::clamp(std::nearbyint(exponents[i] - middle), -8.f, 8.f)));
  if (site.norm) {
    divideNorm(site, factors);
  } else {
    auto weight = plmc::weightOf(site.producer, *symbols);
    if (!weight)
      return weight.takeError();
    for (int64_t i = 0; i < width; ++i)
      weight->row(i) /= factors[i];
    plmc::setWeight(site.producer, *weight, *symbols);
    if (site.producer.getBias())
      site.producer.getBiasMutable().assign(
          divided(site.producer.getBias(), factors, site.producer));
  }
  for (auto [reader, weight] : llvm::zip(site.readers, weights)) {
    for (int64_t i = 0; i < width; ++i)
      weight.col(i) *= factors[i];
    plmc::setWeight(reader, weight, *symbols);
  }
  plmc::addCounter(getOperation(), getArgument(),
                   site.norm ? "norms" : "values of attention and ReLU", 1);
  return llvm::Error::success();
}

llvm::Error SmoothActivations::runAll(func::FuncOp func) {
  if (!(alpha >= 0 && alpha <= 1))
    return llvm::createStringError("alpha must be between 0 and 1");
  if (calibration.empty())
    return llvm::createStringError(
        "the ranges of activations need data: give calibration=FILE.npz");
  symbols.emplace(getOperation());
  std::vector<Site> sites;
  std::vector<Value> values;
  for (Operation &op : func.getBody().front())
    for (Value result : op.getResults())
      if (auto site = siteOf(result)) {
        sites.push_back(std::move(*site));
        values.push_back(result);
      }
  if (sites.empty())
    return llvm::Error::success();
  auto set = plmc::CalibrationSet::read(calibration);
  if (!set)
    return set.takeError();
  // Ranges first: they are those of the model as it is.
  std::vector<Matrix> ranges;
  if (llvm::Error error =
          plmc::scanActivations(func, *set, values, [&](Value, Matrix &rows) {
            ranges.push_back(rows.cwiseAbs().colwise().maxCoeff());
            return llvm::Error::success();
          }))
    return error;
  // A layer may read one value and make another, whose range its rows then have
  // been divided out of; factors come from its weight as it is by then.
  for (auto [site, range] : llvm::zip(sites, ranges))
    if (llvm::Error error = move(site, range))
      return error;
  return llvm::Error::success();
}

void SmoothActivations::runOnOperation() {
  auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal()) {
    getOperation().emitError("there is no function @forward to smooth");
    return signalPassFailure();
  }
  if (llvm::Error error = runAll(func)) {
    getOperation().emitError() << llvm::toString(std::move(error));
    return signalPassFailure();
  }
  symbols.reset();
  plmc::eraseUnusedParameters(getOperation());
}

std::unique_ptr<Pass> plmc::createSmoothActivationsPass() {
  return std::make_unique<SmoothActivations>();
}
