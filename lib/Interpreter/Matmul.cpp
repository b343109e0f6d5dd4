//===- Matmul.cpp - matmul, linear ----------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Multiply.h"
#include "Precision.h"
#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/BFloat16.h"

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc::interp {

/// The elements as an array of T: the tensor's own when it holds such.
template <typename T> struct ElementsAs;

template <> struct ElementsAs<float> {
  std::vector<float> storage;
  const float *data;
  explicit ElementsAs(const HostTensor &tensor) {
    if (tensor.dtype == DType::F32) {
      data = tensor.as<float>();
      return;
    }
    storage.resize(tensor.numElements());
    for (size_t i = 0; i < storage.size(); ++i)
      storage[i] = static_cast<float>(tensor.getDouble(i));
    data = storage.data();
  }
};

template <> struct ElementsAs<double> {
  std::vector<double> storage;
  const double *data;
  explicit ElementsAs(const HostTensor &tensor)
      : storage(toDoubles(tensor)), data(storage.data()) {}
};

template <> struct ElementsAs<int64_t> {
  std::vector<int64_t> storage;
  const int64_t *data;
  explicit ElementsAs(const HostTensor &tensor)
      : storage(toInts(tensor)), data(storage.data()) {}
};

/// Writes pieces of product rows into the result, from element `base` on.
struct StoreRows {
  HostTensor &result;
  int64_t base, width;

  void operator()(int64_t row, int64_t column, const double *values,
                  int64_t count) const {
    storeDoubles(result, base + row * width + column, values, count);
  }
  void operator()(int64_t row, int64_t column, const uint64_t *values,
                  int64_t count) const {
    storeInts(result, base + row * width + column,
              reinterpret_cast<const int64_t *>(values), count);
  }
};

template <typename T, typename Acc>
static void multiplyBatches(const HostTensor &lhs, const HostTensor &rhs,
                            HostTensor &result, int64_t k) {
  ArrayRef<int64_t> shape(result.shape);
  int64_t m = shape[shape.size() - 2], n = shape.back();
  ArrayRef<int64_t> batch = shape.drop_back(2);
  auto lhsStrides =
      *broadcastStrides(ArrayRef<int64_t>(lhs.shape).drop_back(2), batch);
  auto rhsStrides =
      *broadcastStrides(ArrayRef<int64_t>(rhs.shape).drop_back(2), batch);
  std::vector<int64_t> rhsIndices;
  forEachOffset(batch, rhsStrides, 0,
                [&](int64_t index) { rhsIndices.push_back(index); });
  ElementsAs<T> a(lhs), b(rhs);
  int64_t done = 0;
  forEachOffset(batch, lhsStrides, 0, [&](int64_t index) {
    multiply<Acc, T>(a.data + index * m * k, b.data + rhsIndices[done] * k * n,
                     nullptr, m, n, k, StoreRows{result, done * m * n, n});
    ++done;
  });
}

static Expected<HostTensor> evaluateMatmul(const EvalContext &ctx) {
  const HostTensor &lhs = ctx.operand(0), &rhs = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (lhs.rank() < 2 || rhs.rank() < 2)
    return ctx.error("both operands must have rank 2 or more");
  ArrayRef<int64_t> lhsDims(lhs.shape), rhsDims(rhs.shape);
  int64_t k = lhsDims.back();
  if (rhsDims[rhsDims.size() - 2] != k)
    return ctx.error("shapes " + shapeString(lhsDims) + " and " +
                     shapeString(rhsDims) + " do not multiply");
  ArrayRef<int64_t> resultDims(result->shape);
  int64_t rank = std::max(lhs.rank(), rhs.rank());
  if (result->rank() != rank ||
      resultDims[rank - 2] != lhsDims[lhsDims.size() - 2] ||
      resultDims.back() != rhsDims.back() ||
      !broadcastStrides(lhsDims.drop_back(2), resultDims.drop_back(2)) ||
      !broadcastStrides(rhsDims.drop_back(2), resultDims.drop_back(2)))
    return ctx.error("product of " + shapeString(lhsDims) + " and " +
                     shapeString(rhsDims) + " has not the shape " +
                     shapeString(resultDims));
  if (lhs.dtype == DType::F64 || rhs.dtype == DType::F64)
    multiplyBatches<double, double>(lhs, rhs, *result, k);
  else if (isFloat(lhs.dtype) || isFloat(rhs.dtype))
    multiplyBatches<float, double>(lhs, rhs, *result, k);
  else
    multiplyBatches<int64_t, uint64_t>(lhs, rhs, *result, k);
  return result;
}

/// [n, k] to [k, n].
template <typename T>
static std::vector<T> transposed(const T *data, int64_t n, int64_t k) {
  std::vector<T> values(n * k);
  // In blocks: whole columns would miss the cache at every element.
  constexpr int64_t block = 16;
  for (int64_t i0 = 0; i0 < n; i0 += block)
    for (int64_t j0 = 0; j0 < k; j0 += block)
      for (int64_t i = i0; i < std::min(n, i0 + block); ++i)
        for (int64_t j = j0; j < std::min(k, j0 + block); ++j)
          values[j * n + i] = data[i * k + j];
  return values;
}

template <typename T, typename Acc>
static void linear(const EvalContext &ctx, bool isTransposed, bool hasBias,
                   HostTensor &result, int64_t m, int64_t n, int64_t k) {
  ElementsAs<T> input(ctx.operand(0)), weight(ctx.operand(1));
  std::optional<ElementsAs<T>> bias;
  if (hasBias)
    bias.emplace(ctx.operand(2));
  std::vector<T> turned;
  if (isTransposed)
    turned = transposed(weight.data, n, k);
  multiply<Acc, T>(input.data, isTransposed ? turned.data() : weight.data,
                   bias ? bias->data : nullptr, m, n, k,
                   StoreRows{result, 0, n});
}

/// A product below f32: the operands are rounded, then multiplied as ever. The
/// sums of integers are exact in double.
static void linearBelowF32(const EvalContext &ctx, plm::LinearOp op,
                           HostTensor &result, int64_t m, int64_t n,
                           int64_t k) {
  ElementsAs<float> input(ctx.operand(0)), weight(ctx.operand(1));
  std::vector<float> x(input.data, input.data + m * k),
      w(weight.data, weight.data + k * n);
  if (op.getPrecision() == plm::Precision::BF16) {
    for (float &value : x)
      value = roundToBF16(value);
    for (float &value : w)
      value = roundToBF16(value);
  }
  if (op.getTransposed())
    w = transposed(w.data(), n, k);
  std::vector<float> zero(n, 0.0f);
  const float *bias = zero.data();
  std::optional<ElementsAs<float>> biases;
  if (op.getBias()) {
    biases.emplace(ctx.operand(2));
    bias = biases->data;
  }
  if (op.getPrecision() == plm::Precision::BF16) {
    multiply<double, float>(x.data(), w.data(), bias, m, n, k,
                            StoreRows{result, 0, n});
    return;
  }
  // (scale * code + shift) W = scale * (codes W) + shift * (sum of W's column)
  std::vector<Int8Row> rows;
  for (int64_t row = 0; row < m; ++row)
    rows.push_back(
        encodeInt8(llvm::MutableArrayRef<float>(x).slice(row * k, k)));
  std::vector<double> sums(n, 0.0);
  for (int64_t i = 0; i < k * n; ++i)
    sums[i % n] += w[i];
  HostTensor product = result;
  multiply<double, float>(x.data(), w.data(), nullptr, m, n, k,
                          StoreRows{product, 0, n});
  std::vector<double> values = toDoubles(product);
  for (int64_t i = 0; i < m * n; ++i)
    values[i] = values[i] * rows[i / n].scale +
                rows[i / n].shift * sums[i % n] + bias[i % n];
  storeDoubles(result, values);
}

static Expected<HostTensor> evaluateLinear(const EvalContext &ctx) {
  auto op = llvm::cast<plm::LinearOp>(ctx.op);
  bool hasBias = static_cast<bool>(op.getBias());
  const HostTensor &input = ctx.operand(0), &weight = ctx.operand(1);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (input.rank() < 1 || weight.rank() != 2)
    return ctx.error("needs an input of rank 1 or more and a weight of rank 2");
  int64_t k = weight.shape[op.getTransposed() ? 1 : 0];
  int64_t n = weight.shape[op.getTransposed() ? 0 : 1];
  if (input.shape.back() != k)
    return ctx.error("input of shape " + shapeString(input.shape) +
                     " does not fit weight of shape " +
                     shapeString(weight.shape));
  if (hasBias && (ctx.operand(2).rank() != 1 || ctx.operand(2).shape[0] != n))
    return ctx.error("bias of shape " + shapeString(ctx.operand(2).shape) +
                     " does not fit " + Twine(n) + " columns");
  SmallVector<int64_t, 4> shape(input.shape);
  shape.back() = n;
  if (Error err = ctx.checkResultShape(*result, shape))
    return err;
  int64_t m = countElements(ArrayRef<int64_t>(shape).drop_back());
  if (op.getPrecision().value_or(plm::Precision::F32) != plm::Precision::F32) {
    linearBelowF32(ctx, op, *result, m, n, k);
    return result;
  }
  bool wide = false, floats = false;
  for (const HostTensor *operand : ctx.operands) {
    wide |= operand->dtype == DType::F64;
    floats |= isFloat(operand->dtype);
  }
  if (wide)
    linear<double, double>(ctx, op.getTransposed(), hasBias, *result, m, n, k);
  else if (floats)
    linear<float, double>(ctx, op.getTransposed(), hasBias, *result, m, n, k);
  else
    linear<int64_t, uint64_t>(ctx, op.getTransposed(), hasBias, *result, m, n,
                              k);
  return result;
}

void registerMatmul(EvaluatorTable &table) {
  table["plm.matmul"] = evaluateMatmul;
  table["plm.linear"] = evaluateLinear;
}

} // namespace plmc::interp
