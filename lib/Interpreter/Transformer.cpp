//===- Transformer.cpp - attention, layer_norm, pool, l2_normalize --------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Multiply.h"
#include "Registry.h"
#include "Tensors.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/BFloat16.h"
#include <cmath>
#include <limits>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::SmallVector;
using llvm::Twine;
using plmc::plm::PoolKind;

namespace plmc::interp {

/// The kept positions of each of `batch` sequences of `length`: all of them
/// without a mask. Fails when the mask is not [batch, length].
static Expected<std::vector<std::vector<int64_t>>>
keptPositions(const EvalContext &ctx, const HostTensor *mask, int64_t batch,
              int64_t length) {
  std::vector<double> keep;
  if (mask) {
    if (ArrayRef<int64_t>(mask->shape) != ArrayRef<int64_t>{batch, length})
      return ctx.error("mask of shape " + shapeString(mask->shape) +
                       " where [" + Twine(batch) + ", " + Twine(length) +
                       "] is needed");
    keep = toDoubles(*mask);
  }
  std::vector<std::vector<int64_t>> kept(batch);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t i = 0; i < length; ++i)
      if (!mask || keep[b * length + i] != 0)
        kept[b].push_back(i);
  return kept;
}

//===----------------------------------------------------------------------===//
// attention
//===----------------------------------------------------------------------===//

namespace {
/// One head of one sequence. Masked keys are left out rather than given a
/// weight of 0, so that their values, even infinite ones, cannot matter.
struct AttentionHead {
  std::vector<double> query; // [S, D]
  std::vector<double> key;   // [D, T'], T' kept keys
  std::vector<double> value; // [T', Dv]
  std::vector<double> bias;  // [S, T'] or empty
  int64_t queries, keys, size, valueSize;
  bool bf16 = false; // operands of the products are rounded

  AttentionHead(int64_t queries, int64_t keys, int64_t size, int64_t valueSize)
      : query(queries * size), key(size * keys), value(keys * valueSize),
        queries(queries), keys(keys), size(size), valueSize(valueSize) {}

  /// softmax(scale Q K^T + bias) V: [S, Dv]; 0 where all scores are -inf.
  std::vector<double> compute(double scale) {
    for (std::vector<double> *operand : {&query, &key, &value})
      if (bf16)
        for (double &x : *operand)
          x = roundToBF16(static_cast<float>(x));
    std::vector<double> inverse(queries, 0), weights(queries * keys),
        out(queries * valueSize);
    multiply<double>(
        query.data(), key.data(), (const double *)nullptr, queries, keys, size,
        [&](int64_t i, int64_t j, const double *values, int64_t count) {
          for (int64_t c = 0; c < count; ++c)
            weights[i * keys + j + c] = scale * values[c];
        });
    for (size_t i = 0; i < bias.size(); ++i)
      weights[i] += bias[i];
    for (int64_t i = 0; i < queries; ++i) {
      double *row = weights.data() + i * keys;
      double greatest = -std::numeric_limits<double>::infinity(), sum = 0;
      for (int64_t j = 0; j < keys; ++j)
        greatest = std::fmax(greatest, row[j]);
      if (std::isinf(greatest) && greatest < 0) { // attends to nothing
        std::fill_n(row, keys, 0.0);
        continue;
      }
      for (int64_t j = 0; j < keys; ++j)
        sum += row[j] = std::exp(row[j] - greatest);
      inverse[i] = 1 / sum;
      for (int64_t j = 0; bf16 && j < keys; ++j)
        row[j] = roundToBF16(static_cast<float>(row[j]));
    }
    multiply<double>(
        weights.data(), value.data(), (const double *)nullptr, queries,
        valueSize, keys,
        [&](int64_t i, int64_t j, const double *values, int64_t count) {
          for (int64_t c = 0; c < count; ++c)
            out[i * valueSize + j + c] = values[c] * inverse[i];
        });
    return out;
  }
};
} // namespace

/// The attention's bias as [B, heads, S, T], by strides of 0 where it repeats.
struct AttentionBias {
  std::vector<double> values; // empty: none
  int64_t strides[4] = {0, 0, 0, 0};

  static Expected<AttentionBias> read(const EvalContext &ctx,
                                      const HostTensor *tensor,
                                      ArrayRef<int64_t> shape) {
    AttentionBias bias;
    if (!tensor)
      return bias;
    auto strides = broadcastStrides(tensor->shape, shape);
    if (tensor->rank() != 4 || !strides)
      return ctx.error("bias of shape " + shapeString(tensor->shape) +
                       " where " + shapeString(shape) + " is needed");
    std::copy_n(strides->begin(), 4, bias.strides);
    bias.values = toDoubles(*tensor);
    return bias;
  }
};

static Expected<HostTensor> evaluateAttention(const EvalContext &ctx) {
  auto op = llvm::cast<plm::AttentionOp>(ctx.op);
  const HostTensor &query = ctx.operand(0), &key = ctx.operand(1),
                   &value = ctx.operand(2);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  int64_t heads = op.getNumHeads();
  if (query.rank() != 3 || key.rank() != 3 || value.rank() != 3)
    return ctx.error("query, key and value must have rank 3");
  int64_t batch = query.shape[0], queries = query.shape[1];
  int64_t length = key.shape[1];
  if (heads < 1 || query.shape[2] % heads || value.shape[2] % heads ||
      key.shape[0] != batch || key.shape[2] != query.shape[2] ||
      value.shape[0] != batch || value.shape[1] != length)
    return ctx.error("query " + shapeString(query.shape) + ", key " +
                     shapeString(key.shape) + " and value " +
                     shapeString(value.shape) + " do not fit " + Twine(heads) +
                     " heads");
  if (Error err =
          ctx.checkResultShape(*result, {batch, queries, value.shape[2]}))
    return err;
  auto kept = keptPositions(
      ctx, op.getMask() && !op.getMaskInBias() ? &ctx.operand(3) : nullptr,
      batch, length);
  if (!kept)
    return kept.takeError();
  auto bias =
      AttentionBias::read(ctx, op.getBias() ? ctx.operands.back() : nullptr,
                          {batch, heads, queries, length});
  if (!bias)
    return bias.takeError();
  std::vector<double> q = toDoubles(query), k = toDoubles(key),
                      v = toDoubles(value);
  int64_t width = query.shape[2], valueWidth = value.shape[2];
  int64_t size = width / heads, valueSize = valueWidth / heads;
  double scale = op.getScale().convertToDouble();
  for (int64_t b = 0; b < batch; ++b) {
    ArrayRef<int64_t> keys = (*kept)[b];
    if (keys.empty())
      continue; // attends to nothing: the result stays 0
    for (int64_t h = 0; h < heads; ++h) {
      AttentionHead head(queries, keys.size(), size, valueSize);
      head.bf16 = op.getPrecision() == plm::Precision::BF16;
      for (int64_t i = 0; i < queries; ++i)
        std::copy_n(&q[(b * queries + i) * width + h * size], size,
                    head.query.data() + i * size);
      for (int64_t j = 0; j < head.keys; ++j) {
        int64_t row = b * length + keys[j];
        for (int64_t d = 0; d < size; ++d)
          head.key[d * head.keys + j] = k[row * width + h * size + d];
        std::copy_n(&v[row * valueWidth + h * valueSize], valueSize,
                    head.value.data() + j * valueSize);
      }
      if (!bias->values.empty()) {
        const int64_t *strides = bias->strides;
        for (int64_t i = 0; i < queries; ++i)
          for (int64_t t : keys)
            head.bias.push_back(bias->values[b * strides[0] + h * strides[1] +
                                             i * strides[2] + t * strides[3]]);
      }
      std::vector<double> out = head.compute(scale);
      for (int64_t i = 0; i < queries; ++i)
        storeDoubles(*result, (b * queries + i) * valueWidth + h * valueSize,
                     out.data() + i * valueSize, valueSize);
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// layer_norm, l2_normalize: over the last dimension
//===----------------------------------------------------------------------===//

static Expected<HostTensor> evaluateLayerNorm(const EvalContext &ctx) {
  auto op = llvm::cast<plm::LayerNormOp>(ctx.op);
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (input.rank() < 1)
    return ctx.error("the input must have rank 1 or more");
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  int64_t width = input.shape.back();
  for (const HostTensor *operand : ctx.operands.drop_front())
    if (ArrayRef<int64_t>(operand->shape) != ArrayRef<int64_t>{width})
      return ctx.error("gamma and beta must have shape [" + Twine(width) +
                       "], got " + shapeString(operand->shape));
  std::vector<double> values = toDoubles(input);
  std::vector<double> gamma = toDoubles(ctx.operand(1));
  std::vector<double> beta(width, 0);
  if (op.getBeta())
    beta = toDoubles(ctx.operand(2));
  double epsilon = op.getEpsilon().convertToDouble();
  for (double *x = values.data(), *end = x + values.size(); x < end;
       x += width) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < width; ++i)
      mean += x[i];
    mean /= width;
    for (int64_t i = 0; i < width; ++i)
      variance += (x[i] - mean) * (x[i] - mean);
    double factor = 1 / std::sqrt(variance / width + epsilon);
    for (int64_t i = 0; i < width; ++i)
      x[i] = (x[i] - mean) * factor * gamma[i] + beta[i];
  }
  storeDoubles(*result, values);
  return result;
}

static Expected<HostTensor> evaluateL2Normalize(const EvalContext &ctx) {
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (input.rank() < 1)
    return ctx.error("the input must have rank 1 or more");
  if (Error err = ctx.checkResultShape(*result, input.shape))
    return err;
  double epsilon =
      llvm::cast<plm::L2NormalizeOp>(ctx.op).getEpsilon().convertToDouble();
  int64_t width = input.shape.back();
  std::vector<double> values = toDoubles(input);
  for (double *x = values.data(), *end = x + values.size(); x < end;
       x += width) {
    double sum = 0;
    for (int64_t i = 0; i < width; ++i)
      sum += x[i] * x[i];
    double norm = std::sqrt(sum);
    // Not std::max: a NaN must come out.
    norm = norm < epsilon ? epsilon : norm;
    for (int64_t i = 0; i < width; ++i)
      x[i] /= norm;
  }
  storeDoubles(*result, values);
  return result;
}

//===----------------------------------------------------------------------===//
// pool
//===----------------------------------------------------------------------===//

static Expected<HostTensor> evaluatePool(const EvalContext &ctx) {
  auto op = llvm::cast<plm::PoolOp>(ctx.op);
  PoolKind kind = op.getKind();
  const HostTensor &input = ctx.operand(0);
  Expected<HostTensor> result = ctx.allocateResult();
  if (!result)
    return result.takeError();
  if (input.rank() != 3)
    return ctx.error("the input must have rank 3");
  int64_t batch = input.shape[0], length = input.shape[1];
  int64_t width = input.shape[2];
  if (Error err = ctx.checkResultShape(*result, {batch, width}))
    return err;
  auto kept = keptPositions(ctx, op.getMask() ? &ctx.operand(1) : nullptr,
                            batch, length);
  if (!kept)
    return kept.takeError();
  if (kind == PoolKind::First && length == 0)
    return ctx.error("the sequence has no first position");
  std::vector<double> x = toDoubles(input), out(batch * width, 0);
  double epsilon = op.getEpsilon().convertToDouble();
  for (int64_t b = 0; b < batch; ++b) {
    double *row = out.data() + b * width;
    auto at = [&](int64_t position) {
      return x.data() + (b * length + position) * width;
    };
    if (kind == PoolKind::First) {
      std::copy_n(at(0), width, row);
      continue;
    }
    ArrayRef<int64_t> positions = (*kept)[b];
    if (kind == PoolKind::Mean) {
      for (int64_t position : positions)
        for (int64_t i = 0; i < width; ++i)
          row[i] += at(position)[i];
      double count = std::max<double>(positions.size(), epsilon);
      for (int64_t i = 0; i < width; ++i)
        row[i] /= count;
      continue;
    }
    for (int64_t i = 0; i < width; ++i)
      row[i] = positions.empty() ? -1e9 : at(positions.front())[i];
    for (int64_t position : positions)
      for (int64_t i = 0; i < width; ++i) {
        double value = at(position)[i];
        if (std::isnan(value) || value > row[i])
          row[i] = value;
      }
  }
  storeDoubles(*result, out);
  return result;
}

void registerTransformer(EvaluatorTable &table) {
  table["plm.attention"] = evaluateAttention;
  table["plm.layer_norm"] = evaluateLayerNorm;
  table["plm.l2_normalize"] = evaluateL2Normalize;
  table["plm.pool"] = evaluatePool;
}

} // namespace plmc::interp
