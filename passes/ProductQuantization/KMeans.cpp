//===- KMeans.cpp - Weighted k-means of small vectors ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Lloyd's algorithm from the start of Arthur and Vassilvitskii (k-means++,
// 2007): each first entry is a point that is drawn with the probability of its
// weighted squared distance to those before. The points are drawn from a sample
// by weight, which costs as much as one round instead of a hundred. An entry
// that no point is nearest to moves to the point that is off most.
//
//===----------------------------------------------------------------------===//

#include "KMeans.h"
#include "NearestEntry.h"
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

using namespace plmc;

namespace {

/// Uniform in (0, 1); std::uniform_real_distribution differs by library.
double uniform(std::mt19937_64 &random) {
  return (double(random() >> 11) + 0.5) * 0x1p-53;
}

class Clustering {
public:
  Clustering(llvm::ArrayRef<float> points, int64_t size,
             llvm::ArrayRef<double> weights, int64_t count, uint64_t seed)
      : points(points), size(size), weights(weights), n(weights.size()),
        count(std::min(count, n)), random(seed) {}

  void start();
  /// False if nothing is left to gain.
  bool round();
  std::vector<float> entries; // [count, size]

private:
  llvm::ArrayRef<float> point(int64_t i) const {
    return points.slice(i * size, size);
  }
  std::vector<int64_t> sample(int64_t most);
  void moveIdle(llvm::ArrayRef<double> total);

  llvm::ArrayRef<float> points;
  int64_t size;
  llvm::ArrayRef<double> weights;
  int64_t n, count;
  std::mt19937_64 random;
  std::vector<uint8_t> codes, lastCodes;
  std::vector<float> distances;
};

/// Points drawn by weight, none twice (Efraimidis and Spirakis, 2006).
std::vector<int64_t> Clustering::sample(int64_t most) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  if (n <= most)
    return order;
  std::vector<double> keys(n);
  for (int64_t i = 0; i < n; ++i)
    keys[i] = std::log(uniform(random)) / weights[i];
  std::nth_element(order.begin(), order.begin() + most, order.end(),
                   [&](int64_t a, int64_t b) {
                     return std::pair(-keys[a], a) < std::pair(-keys[b], b);
                   });
  order.resize(most);
  std::sort(order.begin(), order.end());
  return order;
}

void Clustering::start() {
  std::vector<int64_t> drawn = sample(16 * count);
  std::vector<double> mass(drawn.size(), std::numeric_limits<double>::max());
  for (int64_t entry = 0; entry < count; ++entry) {
    double total = 0;
    for (size_t i = 0; i < drawn.size(); ++i)
      total += entry ? mass[i] * weights[drawn[i]] : weights[drawn[i]];
    double place = uniform(random) * total;
    size_t chosen = 0;
    for (size_t i = 0; i < drawn.size(); ++i) {
      double part = entry ? mass[i] * weights[drawn[i]] : weights[drawn[i]];
      if (part > 0)
        chosen = i;
      if ((place -= part) < 0)
        break;
    }
    llvm::ArrayRef<float> centre = point(drawn[chosen]);
    entries.insert(entries.end(), centre.begin(), centre.end());
    for (size_t i = 0; i < drawn.size(); ++i) {
      double distance = 0;
      for (int64_t d = 0; d < size; ++d) {
        double difference = points[drawn[i] * size + d] - centre[d];
        distance += difference * difference;
      }
      mass[i] = std::min(mass[i], distance);
    }
  }
}

bool Clustering::round() {
  codes.resize(n);
  distances.resize(n);
  NearestEntry(entries, size).find(points, codes.data(), distances.data());
  if (codes == lastCodes)
    return false;
  lastCodes = codes;
  std::vector<double> sums(count * size, 0), total(count, 0);
  for (int64_t i = 0; i < n; ++i) {
    double weight = weights[i];
    total[codes[i]] += weight;
    for (int64_t d = 0; d < size; ++d)
      sums[codes[i] * size + d] += weight * points[i * size + d];
  }
  for (int64_t entry = 0; entry < count; ++entry)
    if (total[entry] > 0)
      for (int64_t d = 0; d < size; ++d)
        entries[entry * size + d] =
            float(sums[entry * size + d] / total[entry]);
  if (llvm::is_contained(total, 0.0))
    moveIdle(total);
  return true;
}

void Clustering::moveIdle(llvm::ArrayRef<double> total) {
  std::vector<double> loss(n);
  for (int64_t i = 0; i < n; ++i) {
    double square = 0;
    for (float value : point(i))
      square += double(value) * value;
    loss[i] = weights[i] * std::max(0.0, square + distances[i]);
  }
  for (int64_t entry = 0; entry < count; ++entry) {
    if (total[entry] > 0)
      continue;
    auto most = std::max_element(loss.begin(), loss.end());
    llvm::ArrayRef<float> target = point(most - loss.begin());
    std::copy(target.begin(), target.end(), entries.begin() + entry * size);
    *most = 0;
  }
}

} // namespace

std::vector<float> plmc::kMeans(llvm::ArrayRef<float> points, int64_t size,
                                llvm::ArrayRef<double> weights, int64_t count,
                                int64_t iterations, uint64_t seed) {
  Clustering clustering(points, size, weights, count, seed);
  clustering.start();
  for (int64_t i = 0; i < iterations && clustering.round(); ++i)
    ;
  return std::move(clustering.entries);
}
