//===- Scores.cpp - How good answers are, given the right ones ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Scores.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <numeric>

using llvm::ArrayRef;

namespace plmc {

Scores classificationScores(ArrayRef<int64_t> expected, ArrayRef<int64_t> found,
                            int64_t classes) {
  double total = double(expected.size()), correct = 0;
  std::vector<double> is(classes), said(classes), both(classes);
  for (auto [a, b] : llvm::zip_equal(expected, found)) {
    ++is[a];
    ++said[b];
    both[a] += a == b;
    correct += a == b;
  }
  auto f1 = [&](int64_t one) {
    double sum = is[one] + said[one];
    return sum ? 2 * both[one] / sum : 0.0;
  };
  double mean = 0, crossed = 0, ofIs = 0, ofSaid = 0;
  int64_t seen = 0;
  for (int64_t i = 0; i < classes; ++i) {
    crossed += is[i] * said[i];
    ofIs += is[i] * is[i];
    ofSaid += said[i] * said[i];
    if (is[i] + said[i] == 0)
      continue; // a class that nobody speaks of
    mean += f1(i);
    ++seen;
  }
  double scale = std::sqrt((total * total - ofIs) * (total * total - ofSaid));
  return {
      {Metric::Accuracy, total ? correct / total : 0},
      {Metric::F1, classes == 2 ? f1(1)
                   : seen       ? mean / double(seen)
                                : 0},
      {Metric::Matthews, scale > 0 ? (correct * total - crossed) / scale : 0}};
}

static double pearson(ArrayRef<double> a, ArrayRef<double> b) {
  double count = double(a.size());
  double meanA = std::accumulate(a.begin(), a.end(), 0.0) / count;
  double meanB = std::accumulate(b.begin(), b.end(), 0.0) / count;
  double ab = 0, aa = 0, bb = 0;
  for (auto [x, y] : llvm::zip_equal(a, b)) {
    ab += (x - meanA) * (y - meanB);
    aa += (x - meanA) * (x - meanA);
    bb += (y - meanB) * (y - meanB);
  }
  double value = ab / std::sqrt(aa * bb);
  return std::isfinite(value) ? value : 0;
}

static std::vector<double> ranks(ArrayRef<double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::sort(order, [&](size_t a, size_t b) {
    return std::tie(values[a], a) < std::tie(values[b], b);
  });
  std::vector<double> result(values.size());
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin + 1;
         end < order.size() && values[order[end]] == values[order[begin]];)
      ++end;
    for (size_t i = begin; i < end; ++i)
      result[order[i]] = double(begin + end - 1) / 2;
  }
  return result;
}

Scores correlationScores(ArrayRef<double> expected, ArrayRef<double> found) {
  auto finite = [](double value) { return std::isfinite(value); };
  if (expected.empty() || !llvm::all_of(found, finite))
    return {{Metric::Spearman, 0}, {Metric::Pearson, 0}};
  return {{Metric::Spearman, pearson(ranks(expected), ranks(found))},
          {Metric::Pearson, pearson(expected, found)}};
}

Scores perplexityScores(ArrayRef<double> logProbabilities) {
  double sum =
      std::accumulate(logProbabilities.begin(), logProbabilities.end(), 0.0);
  double value = std::exp(-sum / double(logProbabilities.size()));
  return {{Metric::Perplexity, std::isnan(value) ? HUGE_VAL : value}};
}

} // namespace plmc
