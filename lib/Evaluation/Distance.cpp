//===- Distance.cpp - How far two models' outputs are apart ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Distance.h"
#include <cmath>
#include <limits>

using llvm::ArrayRef;

namespace plmc {
namespace {

using Values = std::vector<double>;

Values valuesAt(const HostTensor &tensor, int64_t begin, int64_t count) {
  Values values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = tensor.getDouble(begin + i);
  return values;
}

double cosineOf(const Values &a, const Values &b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  if (aa == 0 && bb == 0)
    return 1;
  double cosine = dot / std::sqrt(aa) / std::sqrt(bb);
  if (aa == 0 || bb == 0)
    return std::isfinite(aa + bb) ? 0 : -1;
  return std::isfinite(cosine) ? std::min(std::max(cosine, -1.0), 1.0) : -1;
}

/// Logarithms of the softmax.
Values logSoftmax(Values values) {
  double most = *std::max_element(values.begin(), values.end()), sum = 0;
  for (double value : values)
    sum += std::exp(value - most);
  double shift = most + std::log(sum);
  for (double &value : values)
    value -= shift;
  return values;
}

struct Divergence {
  double kl;
  bool sameTop;
};

Divergence divergenceOf(Values expected, Values actual) {
  // One number is the log-odds of the first of two.
  if (expected.size() == 1) {
    expected.push_back(0);
    actual.push_back(0);
  }
  auto top = [](const Values &values) {
    return std::max_element(values.begin(), values.end()) - values.begin();
  };
  Divergence result{0, top(expected) == top(actual)};
  Values p = logSoftmax(std::move(expected)), q = logSoftmax(std::move(actual));
  for (size_t i = 0; i < p.size(); ++i)
    if (p[i] > -700) // else the share is 0
      result.kl += std::exp(p[i]) * (p[i] - q[i]);
  if (!std::isfinite(result.kl))
    return {std::numeric_limits<double>::infinity(), false};
  result.kl = std::max(result.kl, 0.0);
  return result;
}

/// One output of one sequence.
struct RowDistance {
  double cosine = 1;
  double tokenCosines = 0, minTokenCosine = 1;
  double kl = 0, top1 = 0; // means over tokens
  int64_t tokens = 0;
};

class RowComparison {
public:
  RowComparison(const TokenBatch &batch, int64_t row,
                const HostTensor &expected, const HostTensor &actual)
      : batch(batch), row(row), expected(expected), actual(actual),
        size(expected.numElements() / expected.shape[0]) {}

  RowDistance compare(OutputMeaning kind) {
    switch (kind) {
    case OutputMeaning::Embedding:
      result.cosine = cosineOf(valuesAt(expected, row * size, size),
                               valuesAt(actual, row * size, size));
      break;
    case OutputMeaning::Tokens:
      compareTokens();
      break;
    case OutputMeaning::Logits:
      addDivergence(divergenceOf(valuesAt(expected, row * size, size),
                                 valuesAt(actual, row * size, size)));
      break;
    case OutputMeaning::TokenLogits:
      for (int64_t i = 0; i < batch.length; ++i)
        if (kept(i))
          addDivergence(divergenceOf(token(expected, i), token(actual, i)));
      break;
    case OutputMeaning::Positions: {
      Values a, b;
      for (int64_t i = 0; i < batch.length; ++i)
        if (kept(i)) {
          a.push_back(expected.getDouble(row * size + i));
          b.push_back(actual.getDouble(row * size + i));
        }
      addDivergence(divergenceOf(std::move(a), std::move(b)));
      break;
    }
    }
    if (result.tokens) {
      result.kl /= result.tokens;
      result.top1 /= result.tokens;
    }
    return result;
  }

private:
  bool kept(int64_t i) const { return batch.keep[row * batch.length + i]; }
  Values token(const HostTensor &tensor, int64_t i) const {
    int64_t width = size / batch.length;
    return valuesAt(tensor, row * size + i * width, width);
  }
  void addDivergence(Divergence divergence) {
    result.kl += divergence.kl;
    result.top1 += divergence.sameTop;
    ++result.tokens;
  }
  void compareTokens() {
    Values meanA(size / batch.length), meanB(size / batch.length);
    for (int64_t i = 0; i < batch.length; ++i) {
      if (!kept(i))
        continue;
      Values a = token(expected, i), b = token(actual, i);
      double cosine = cosineOf(a, b);
      result.tokenCosines += cosine;
      result.minTokenCosine = std::min(result.minTokenCosine, cosine);
      ++result.tokens;
      for (size_t j = 0; j < a.size(); ++j) {
        meanA[j] += a[j];
        meanB[j] += b[j];
      }
    }
    result.cosine = cosineOf(meanA, meanB);
  }

  const TokenBatch &batch;
  int64_t row;
  const HostTensor &expected, &actual;
  int64_t size;
  RowDistance result;
};

} // namespace

DistanceSum::DistanceSum(std::vector<Output> outputs) {
  for (Output &output : outputs) {
    sums.emplace_back();
    sums.back().output = std::move(output.name);
    sums.back().kind = output.kind;
  }
}

llvm::Error DistanceSum::add(const TokenBatch &batch,
                             ArrayRef<HostTensor> expected,
                             ArrayRef<HostTensor> actual) {
  for (auto [sum, a, b] : llvm::zip(sums, expected, actual))
    if (a.shape != b.shape || a.rank() < 2 || a.shape[0] != batch.batch ||
        a.numElements() == 0)
      return llvm::createStringError("output '" + sum.output +
                                     "' has another shape than the original's");
  for (int64_t row = 0; row < batch.used; ++row) {
    WorstExample worst{batch.sequences[row], "", -1};
    for (auto [sum, a, b] : llvm::zip(sums, expected, actual)) {
      RowDistance one = RowComparison(batch, row, a, b).compare(sum.kind);
      ++sum.sequences;
      sum.tokens += one.tokens;
      sum.meanCosine += one.cosine;
      sum.minCosine = std::min(sum.minCosine, one.cosine);
      sum.meanTokenCosine += one.tokenCosines;
      sum.minTokenCosine = std::min(sum.minTokenCosine, one.minTokenCosine);
      sum.meanKL += one.kl;
      sum.maxKL = std::max(sum.maxKL, one.kl);
      sum.top1 += one.top1;
      double distance = isDistribution(sum.kind) ? one.kl : 1 - one.cosine;
      if (distance > worst.distance) {
        worst.distance = distance;
        worst.output = sum.output;
      }
    }
    if (!sums.empty())
      all.push_back(std::move(worst));
  }
  return llvm::Error::success();
}

ModelDistance DistanceSum::finish(size_t worstCount) {
  ModelDistance result;
  for (OutputDistance sum : sums) {
    double sequences = std::max<int64_t>(sum.sequences, 1);
    sum.meanCosine /= sequences;
    sum.meanTokenCosine /= std::max<int64_t>(sum.tokens, 1);
    sum.meanKL /= sequences;
    sum.top1 /= sequences;
    result.outputs.push_back(std::move(sum));
  }
  llvm::stable_sort(all, [](const WorstExample &a, const WorstExample &b) {
    return a.distance != b.distance ? a.distance > b.distance
                                    : a.sequence < b.sequence;
  });
  all.resize(std::min(all.size(), worstCount));
  result.worst = std::move(all);
  return result;
}

/// The worst of a field over the outputs of a kind.
template <typename Better>
static std::optional<double>
worstOf(ArrayRef<OutputDistance> outputs, bool distribution,
        double OutputDistance::*field, Better better) {
  std::optional<double> worst;
  for (const OutputDistance &output : outputs)
    if (isDistribution(output.kind) == distribution)
      if (!worst || better(*worst, output.*field))
        worst = output.*field;
  return worst;
}

std::optional<double> ModelDistance::cosine() const {
  return worstOf(outputs, false, &OutputDistance::meanCosine, std::greater<>());
}
std::optional<double> ModelDistance::minCosine() const {
  return worstOf(outputs, false, &OutputDistance::minCosine, std::greater<>());
}
std::optional<double> ModelDistance::kl() const {
  return worstOf(outputs, true, &OutputDistance::meanKL, std::less<>());
}
std::optional<double> ModelDistance::top1() const {
  return worstOf(outputs, true, &OutputDistance::top1, std::greater<>());
}

} // namespace plmc
