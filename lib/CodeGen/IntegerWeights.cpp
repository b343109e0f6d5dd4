//===- IntegerWeights.cpp - Weights of products of integers -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Beside the codes a library has the scales, the zero points and the sums of
// the columns, in panels. The smaller the blocks, the more of the weight they
// are: an f32 for 64 values is half a bit for each. So scales of blocks are
// stored in bf16 where that loses nothing, which the quantizer sees to; a sum,
// one a column, is then three numbers in bf16 that add up to it exactly.
//
//===----------------------------------------------------------------------===//

#include "Kernels/DotProduct.h"
#include "LowerWeights.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/BFloat16.h"
#include "plmc/Support/CopiedBlob.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace plmc;

uint64_t plmc::hashOf(ArrayRef<float> values) {
  return llvm::xxh3_64bits(ArrayRef<uint8_t>(
      reinterpret_cast<const uint8_t *>(values.data()), values.size() * 4));
}

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {

/// A weight [K, N] (or, transposed, [N, K]) and what belongs to its columns,
/// [blocks, N].
struct IntegerMatrix {
  int64_t k = 0, n = 0, block = 0, bits = 8;
  bool transposed = false, isUnsigned = false;
  std::vector<float> scales, zeroPoints; // no zero points: all 0

  int64_t blocks() const { return block ? k / block : 1; }
  /// The sums of the columns. Fails if a value needs more bits.
  llvm::Expected<std::vector<float>> sums(plm::ParameterOp parameter) const;
};

} // namespace

llvm::Expected<std::vector<float>>
IntegerMatrix::sums(plm::ParameterOp parameter) const {
  auto tensor = tensorFromAttr(parameter.getValue());
  if (!tensor)
    return tensor.takeError();
  const auto *values = tensor->as<uint8_t>();
  std::vector<double> sums(n, 0.0);
  int least = isUnsigned ? 0 : -(1 << (bits - 1)), end = least + (1 << bits);
  for (int64_t i = 0; i < k * n; ++i) {
    int64_t row = transposed ? i % k : i / n,
            column = transposed ? i / k : i % n;
    int value = isUnsigned ? values[i] : int8_t(values[i]);
    if (value < least || value >= end)
      return llvm::createStringError("the weight has the value " +
                                     Twine(value) + ", which does not fit " +
                                     Twine(bits) + " bits");
    int64_t slice = (block ? row / block : 0) * n + column;
    double zero = zeroPoints.empty() ? 0 : zeroPoints[slice];
    sums[column] += (value - zero) * scales[slice];
  }
  return std::vector<float>(sums.begin(), sums.end());
}

/// Three rows of bf16 that add up to each of `values`: a float has 24 bits.
static std::vector<float> inThreeParts(ArrayRef<float> values) {
  std::vector<float> rows(3 * values.size());
  for (auto [column, value] : llvm::enumerate(values)) {
    float rest = value;
    for (int part = 0; part < 3; ++part) {
      float upper =
          llvm::bit_cast<float>(llvm::bit_cast<uint32_t>(rest) & 0xffff0000u);
      rows[part * values.size() + column] = upper;
      rest -= upper;
    }
  }
  return rows;
}

/// The weight of a product in int8, see plk.weight.
FailureOr<plk::WeightOp> WeightLowering::integers(plm::LinearOp linear) {
  auto source = QuantizedWeight::matchBlocks(linear.getWeight());
  if (!source)
    return linear.emitOpError("in int8 takes a weight whose integers are an i8 "
                              "or ui8 parameter and whose scales and zero "
                              "points are constant");
  plm::GetParameterOp get = source->parameter;
  IntegerMatrix matrix;
  matrix.transposed = linear.getTransposed();
  matrix.isUnsigned = source->elementType().isUnsignedInteger();
  matrix.bits = source->bits > 4 ? 8 : source->bits;
  matrix.block = source->block;
  ArrayRef<int64_t> shape = typeOf(get.getResult()).getShape();
  int64_t kAxis = matrix.transposed ? 1 : 0;
  int64_t k = matrix.k = shape[kAxis], n = matrix.n = shape[1 - kAxis];
  if (k > (int64_t(1) << 16))
    return linear.emitOpError("in int8 sums more than 65536 products");
  bool ofColumns = source->axis == 1 - kAxis;
  if (matrix.block ? ofColumns || k % matrix.block || matrix.block % 32
                   : source->axis >= 0 && !ofColumns)
    return linear.emitOpError(
        "in int8 needs one scale for each column of the weight, or for blocks "
        "of 32, 64, ... of its rows that divide their number");
  int64_t blocks = matrix.blocks();
  auto scales = source->scales(blocks * n),
       zeroPoints = source->zeroPoints(blocks * n);
  if (!scales || !zeroPoints) {
    for (auto *error : {&scales, &zeroPoints})
      if (!*error)
        linear.emitOpError() << llvm::toString(error->takeError());
    return failure();
  }
  matrix.scales = *scales;
  matrix.zeroPoints = *zeroPoints;
  if (matrix.block && matrix.transposed) // [N, blocks]
    for (auto *values : {&matrix.scales, &matrix.zeroPoints}) {
      std::vector<float> turned(values->size());
      for (size_t i = 0; i < values->size(); ++i)
        turned[i % blocks * n + i / blocks] = (*values)[i];
      *values = turned;
    }
  plk::WeightOp &known =
      weights[llvm::formatv("{0}|i{1}{2}|{3}|{4:x}|{5:x}", get.getParameter(),
                            matrix.bits, matrix.transposed ? "t" : "",
                            matrix.block, hashOf(matrix.scales),
                            hashOf(matrix.zeroPoints))
                  .str()];
  if (known)
    return known;
  auto sums = matrix.sums(symbols.lookup<plm::ParameterOp>(get.getParameter()));
  if (!sums) {
    linear.emitOpError() << llvm::toString(sums.takeError());
    return failure();
  }

  std::string name = get.getParameter().str();
  std::vector<float> rows(matrix.scales);
  DotFormat format{plm::Precision::Int8, matrix.bits};
  format.isUnsigned = matrix.isUnsigned;
  format.zeroPoint = !matrix.zeroPoints.empty();
  for (float &scale : rows)
    scale = std::ldexp(scale, -int(format.codeShift()));
  bool inBF16 = matrix.bits < 8 && matrix.block &&
                llvm::all_of(
                    llvm::concat<const float>(rows, *sums),
                    [](float x) { return std::isfinite(x); }) &&
                llvm::all_of(rows, isBF16);
  llvm::append_range(rows, inBF16 ? inThreeParts(*sums) : *sums);
  Ref scale =
      store(name + ".scale", rows, {int64_t(rows.size()) / n, n}, panelWidth);
  if (inBF16)
    symbols.lookup<plk::WeightOp>(scale.getValue())
        .setPrecision(plm::Precision::BF16);
  Ref zeroPoint;
  if (!matrix.zeroPoints.empty()) {
    std::vector<uint8_t> bytes;
    for (float value : matrix.zeroPoints)
      bytes.push_back(static_cast<uint8_t>(static_cast<int>(value)));
    zeroPoint = storeBlob(
        name + ".zero_point", copiedBlob(ArrayRef<uint8_t>(bytes)),
        RankedTensorType::get({blocks, n}, source->elementType()), panelWidth);
  }
  plk::WeightOp op = create(get, /*panels=*/true, matrix.transposed);
  op.setQuantizedAttr(TypeAttr::get(source->elementType()));
  op.setScaleAttr(scale);
  op.setZeroPointAttr(zeroPoint);
  op.setAxisAttr(builder.getI64IntegerAttr(1));
  op.setPrecision(plm::Precision::Int8);
  op.setBits(matrix.bits);
  if (matrix.block)
    op.setBlock(matrix.block);
  return known = op;
}

plk::WeightOp WeightLowering::integerPanels(plm::LinearOp linear) {
  auto source = QuantizedWeight::match(linear.getWeight());
  int64_t ofColumns = linear.getTransposed() ? 0 : 1;
  if (linear.getPrecision() || !source ||
      !source->elementType().isSignlessInteger(8) ||
      (source->axis >= 0 && source->axis != ofColumns))
    return {};
  ArrayRef<int64_t> shape = typeOf(linear.getWeight()).getShape();
  if (shape[1 - ofColumns] > (int64_t(1) << 16)) // sums must fit 32 bits
    return {};
  auto zeroPoints = source->zeroPoints(shape[ofColumns]);
  if (!zeroPoints) {
    llvm::consumeError(zeroPoints.takeError());
    return {};
  }
  if (!zeroPoints->empty())
    return {};
  FailureOr<plk::WeightOp> weight = integers(linear);
  return failed(weight) ? plk::WeightOp() : *weight;
}
