//===- GraphBuilder.cpp - State, constants and folding --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphBuilder.h"
#include "Diagnostics.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;

namespace plmc::importer {

/// Integers up to this size become plm.constant, where patterns see them.
static constexpr int64_t maxInlineIntegers = 1024;

GraphBuilder::GraphBuilder(Operation *anchor, Block *block, DimSymbols &symbols,
                           WeightStore &weights)
    : context(anchor->getContext()), builder(context), parameterBuilder(anchor),
      symbols(symbols), weights(weights), location(UnknownLoc::get(context)) {
  builder.setInsertionPointToEnd(block);
}

void GraphBuilder::setNode(std::string newWhere, llvm::StringRef name,
                           llvm::StringRef opType) {
  where = std::move(newWhere);
  nodeName = cleanText(name);
  location = NameLoc::get(builder.getStringAttr(
      opType.empty() ? nodeName : nodeName + " (" + cleanText(opType) + ")"));
}

/// A name for a weight that has none worth keeping: exporters call what they
/// folded "onnx::MatMul_470", but the node says where in the model it is:
/// "/encoder/layer.0/query/MatMul" reads encoder.layer.0.query.weight.
static std::string weightNameOf(const Literal &literal,
                                llvm::StringRef nodeName) {
  llvm::StringRef name = literal.name;
  if (!name.empty() && !(name.starts_with("onnx::") && nodeName.contains('/')))
    return literal.name;
  auto [path, last] = nodeName.rsplit('/');
  std::string result = (last.empty() ? nodeName : path).ltrim('/').str();
  std::replace(result.begin(), result.end(), '/', '.');
  return result + ".weight";
}

Tensor GraphBuilder::record(ImportError::Kind kind,
                            const llvm::Twine &message) {
  if (!hasFailed())
    failure = {kind, (where + message).str()};
  return Tensor();
}

Tensor GraphBuilder::fail(const llvm::Twine &message) {
  return record(ImportError::Kind::BadModel, message);
}

Tensor GraphBuilder::unsupported(const llvm::Twine &message) {
  return record(ImportError::Kind::Unsupported, message);
}

Tensor GraphBuilder::fail(llvm::Error error) {
  llvm::handleAllErrors(
      std::move(error),
      [&](const ImportError &e) {
        std::string message;
        llvm::raw_string_ostream os(message);
        e.log(os);
        record(e.getKind(), message);
      },
      [&](const llvm::ErrorInfoBase &e) { fail(e.message()); });
  return Tensor();
}

llvm::Error GraphBuilder::takeFailure() {
  if (!failure)
    return llvm::Error::success();
  return llvm::make_error<ImportError>(failure->first, failure->second);
}

bool GraphBuilder::requireEqual(const DimExpr &a, const DimExpr &b,
                                const llvm::Twine &what) {
  if (hasFailed())
    return false;
  switch (symbols.equate(a, b)) {
  case DimSymbols::Outcome::Equal:
    return true;
  case DimSymbols::Outcome::Substituted:
    restart = true;
    return false;
  case DimSymbols::Outcome::Contradiction:
    fail(what + ": sizes " + a.str() + " and " + b.str() + " do not agree");
    return false;
  case DimSymbols::Outcome::Unknown:
    break;
  }
  unsupported(what + ": cannot tell that sizes " + a.str() + " and " + b.str() +
              " agree; export with fixed or fewer dynamic "
              "dimensions");
  return false;
}

void GraphBuilder::requireLessEqual(const DimExpr &a, const DimExpr &b,
                                    const llvm::Twine &message) {
  if (hasFailed() || provenLessEqual(a, b))
    return;
  DimExpr rest = b - a;
  if (rest.isConstant()) {
    fail(message);
    return;
  }
  if (!isManageable(rest)) {
    unsupported(message);
    return;
  }
  if (constraints.insert(rest.str()).second)
    plm::ConstraintOp::create(builder, location, rest.str(), /*equal=*/false,
                              message.str());
}

bool GraphBuilder::checkShape(DType dtype, ArrayRef<DimExpr> dims) {
  if (hasFailed())
    return false;
  if (dims.size() > 16) {
    unsupported("a tensor of " + Twine(dims.size()) + " dimensions");
    return false;
  }
  int64_t bytes = dtypeSize(dtype);
  for (const DimExpr &dim : dims) {
    std::optional<int64_t> size = dim.constant();
    if (size && *size < 0) {
      fail("a result would have the shape " + shapeText(dims));
      return false;
    }
    if (!isManageable(dim) ||
        (size && *size && __builtin_mul_overflow(bytes, *size, &bytes)) ||
        bytes > (int64_t(1) << 48)) {
      fail("a result of the shape " + shapeText(dims) + " is too large");
      return false;
    }
  }
  return true;
}

bool GraphBuilder::checkAxis(int64_t axis, int64_t rank) {
  if (hasFailed())
    return false;
  if (axis >= 0 && axis < rank)
    return true;
  fail("axis " + Twine(axis) + " is outside a tensor of rank " + Twine(rank));
  return false;
}

//===----------------------------------------------------------------------===//
// IR values
//===----------------------------------------------------------------------===//

Value GraphBuilder::materializeLiteral(const LiteralPtr &literal) {
  Value &known = literalValues[literal.get()];
  if (known)
    return known;
  keepAlive.push_back(literal);
  int64_t count = literal->numElements();
  bool isSmall = literal->shape.empty() || count <= 1 ||
                 (!isFloat(literal->dtype) && !isQuantizedWeight(literal) &&
                  count <= maxInlineIntegers);
  if (isSmall)
    return known = plm::ConstantOp::create(
               builder, location,
               RankedTensorType::get(literal->shape,
                                     dtypeToMLIR(literal->dtype, context)),
               attrFromTensor(literal->toHost(), context));
  const Weight &weight =
      weights.intern(literal, weightNameOf(*literal, nodeName));
  Value &shared = weightValues[&weight];
  if (!shared) {
    Location loc =
        literal->name.empty()
            ? location
            : NameLoc::get(builder.getStringAttr(cleanText(literal->name)));
    plm::ParameterOp::create(parameterBuilder, loc, weight.symbol,
                             weight.value);
    shared = plm::GetParameterOp::create(
        builder, location, weight.value.getType(),
        FlatSymbolRefAttr::get(context, weight.symbol));
  }
  return known = shared;
}

Value GraphBuilder::valueOf(const Tensor &tensor) {
  if (!tensor)
    return Value();
  Tensor::State &state = *tensor.get();
  if (state.value)
    return state.value;
  if (state.literal)
    return state.value = materializeLiteral(state.literal);
  SmallVector<Attribute> exprs;
  for (const DimExpr &expr : *state.contents)
    exprs.push_back(builder.getStringAttr(expr.str()));
  bool isIndex = state.dtype == DType::I64 || state.dtype == DType::I32;
  RankedTensorType type = makeTensorType(
      state.dims, dtypeToMLIR(isIndex ? state.dtype : DType::I64, context));
  Value value = plm::ShapeValueOp::create(builder, location, type,
                                          builder.getArrayAttr(exprs));
  if (!isIndex)
    value = plm::CastOp::create(
        builder, location,
        makeTensorType(state.dims, dtypeToMLIR(state.dtype, context)), value);
  return state.value = value;
}

Tensor GraphBuilder::fromValue(Value value) {
  auto type = llvm::cast<RankedTensorType>(value.getType());
  Tensor::State state;
  state.dtype = dtypeFromMLIR(type.getElementType()).value_or(DType::F32);
  llvm::append_range(state.dims, getDims(type));
  state.value = value;
  return Tensor(std::move(state));
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Tensor GraphBuilder::scalar(DType dtype, double value) {
  HostTensor host(dtype, {});
  host.setDouble(0, value);
  return tensorFromLiteral(makeLiteral(std::move(host)));
}

Tensor GraphBuilder::intVector(ArrayRef<int64_t> values) {
  HostTensor host(DType::I64, {int64_t(values.size())});
  for (auto [index, value] : llvm::enumerate(values))
    host.setInt(index, value);
  return tensorFromLiteral(makeLiteral(std::move(host)));
}

Tensor GraphBuilder::shapeOf(ArrayRef<DimExpr> dims) {
  return tensorFromContents(DType::I64, Dims(dims.begin(), dims.end()),
                            /*scalar=*/false);
}

Tensor GraphBuilder::sizeScalar(const DimExpr &size) {
  Tensor result = tensorFromContents(DType::I64, {size}, /*scalar=*/true);
  return result ? result : fail("a size overflows");
}

Tensor GraphBuilder::iota(DType dtype, const DimExpr &start, int64_t step,
                          const DimExpr &size) {
  return emit({}, dtype, {size}, /*mayFold=*/true,
              [&](OpBuilder &b, Location loc, RankedTensorType type,
                  ValueRange) -> Operation * {
                return plm::IotaOp::create(b, loc, type, start.str(), step);
              });
}

} // namespace plmc::importer
