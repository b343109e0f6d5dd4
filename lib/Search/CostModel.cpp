//===- CostModel.cpp - What a plan is expected to cost --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Search/CostModel.h"
#include "plmc/Search/Knapsack.h"
#include <cmath>
#include <numeric>
#include <set>

namespace plmc {

/// What is left of the cost of rounding to 3 bits when weights are calibrated
/// and have 4, 3 or 2: where the factors begin. As found on a sentence encoder.
static double priorOf(int64_t bits) {
  return bits == 4 ? 0.07 : bits == 3 ? 0.22 : bits == 2 ? 1.0 : 0;
}

/// Likewise of scales that more weights share.
static double priorOfGroupSize(int64_t size) {
  return size == 0 ? 1.35 : size == 128 ? 1.1 : 1;
}

/// Of a share of the neurons that stays.
static double priorOfNeurons(double keep) {
  return keep >= 1 ? 0 : 0.33 * std::pow(1 - keep, 1.5) / std::pow(keep, 0.5);
}
constexpr double priorOfLayer = 0.12;

/// The code that a further number of bits takes in the library.
constexpr double bytesOfKind = 30e3;

/// How many numbers of bits there are beside the first.
static int64_t furtherKinds(const Plan &plan) {
  std::set<int64_t> kinds(plan.bits.begin(), plan.bits.end());
  return std::max<int64_t>(int64_t(kinds.size()) - 1, 0);
}

CostModel::CostModel(const Inventory &inventory, Measurement base)
    : inventory(inventory), base(std::move(base)),
      groupSensitivity(inventory.groups.size(), -1) {
  factors.fill(1);
  addTable({8, 0, 0}, this->base);
}

void CostModel::addTable(const TableChoice &table, const Measurement &m) {
  known.push_back(table);
  tableCost.push_back(std::max(0.0, m.cost() - base.cost()));
  tableBytes.push_back(double(m.fileBytes - base.fileBytes));
}

void CostModel::addUniform(int64_t bits, const Measurement &m) {
  double elements = 0;
  for (const MatrixGroup &group : inventory.groups)
    elements += double(group.elements);
  // What is more than the codes belongs to the scales. (A base of 8 bits has
  // next to none.)
  double perElement = 1 - double(base.fileBytes - m.fileBytes) / elements;
  scaleBytes[bits] =
      std::clamp((perElement - double(bits) / 8) * 64, 0.0, 32.0);
}

void CostModel::addGroup(size_t group, const Measurement &m) {
  groupSensitivity[group] = std::max(1e-7, m.cost() - base.cost());
}

double CostModel::groupCost(size_t group, int64_t bits,
                            int64_t groupSize) const {
  double sensitivity = groupSensitivity[group];
  if (sensitivity < 0) {
    // The mean of those that were measured, by size.
    double sum = 0, count = 0;
    for (size_t i = 0; i < groupSensitivity.size(); ++i)
      if (groupSensitivity[i] >= 0) {
        sum += groupSensitivity[i];
        count += double(inventory.groups[i].elements);
      }
    double all = 0;
    for (const MatrixGroup &one : inventory.groups)
      all += double(one.elements);
    sensitivity = (count ? sum / count : 0.3 / all) *
                  double(inventory.groups[group].elements);
  }
  return sensitivity * priorOf(bits) * priorOfGroupSize(groupSize);
}

double CostModel::bytesPerElement(int64_t bits, int64_t groupSize) const {
  if (bits == 8)
    return 1;
  auto it = scaleBytes.find(bits);
  double scale = it != scaleBytes.end() ? it->second : bits == 4 ? 2 : 3;
  return double(bits) / 8 + (groupSize ? scale / double(groupSize) : 0.005);
}

CostModel::Parts CostModel::parts(const Plan &plan) const {
  Parts result{};
  for (size_t i = 0; i < known.size(); ++i)
    if (known[i] == plan.table)
      result[Table] = tableCost[i];
  result[Neurons] = priorOfNeurons(plan.keep);
  result[Layers] = double(plan.dropped) * priorOfLayer;
  for (size_t i = 0; i < plan.bits.size(); ++i)
    if (plan.bits[i] != 8)
      result[plan.bits[i] == 4   ? Bits4
             : plan.bits[i] == 3 ? Bits3
                                 : Bits2] +=
          groupCost(i, plan.bits[i], plan.groupSize);
  return result;
}

double CostModel::cost(const Plan &plan) const {
  Parts all = parts(plan);
  return std::inner_product(all.begin(), all.end(), factors.begin(),
                            base.cost());
}

double CostModel::bytesBeside(const Plan &plan) const {
  double bytes = double(base.fileBytes);
  for (const MatrixGroup &group : inventory.groups)
    bytes -= double(group.elements);
  for (size_t i = 0; i < known.size(); ++i)
    if (known[i] == plan.table)
      bytes += tableBytes[i];
  return bytes;
}

/// All but what is learnt from built plans.
double CostModel::bytesByArithmetic(const Plan &plan) const {
  double bytes = bytesBeside(plan) + double(furtherKinds(plan)) * bytesOfKind;
  for (size_t i = 0; i < inventory.groups.size(); ++i)
    bytes += elementsLeft(inventory, i, plan) *
             bytesPerElement(plan.bits[i], plan.groupSize);
  return bytes;
}

/// What built plans were larger than predicted: those of the same shape, else
/// all, on average.
double CostModel::correction(const Plan &plan) const {
  double like = 0, all = 0;
  size_t likeCount = 0;
  for (const Built &one : built) {
    double difference = one.bytes - bytesByArithmetic(one.plan);
    all += difference;
    if (one.plan.keep == plan.keep && one.plan.dropped == plan.dropped &&
        one.plan.groupSize == plan.groupSize) {
      like += difference;
      ++likeCount;
    }
  }
  return likeCount       ? like / double(likeCount)
         : built.empty() ? 0
                         : all / double(built.size());
}

int64_t CostModel::bytes(const Plan &plan) const {
  return int64_t(bytesByArithmetic(plan) + correction(plan));
}

/// Every number of bits needs code of its own, which the knapsack cannot know:
/// it is asked for each set of neighbouring numbers.
bool CostModel::chooseBits(
    Plan &plan, int64_t limit,
    llvm::function_ref<bool(const Plan &)> allows) const {
  static constexpr int64_t choices[] = {8, 4, 3, 2};
  double left = double(limit) - bytesBeside(plan) - correction(plan);
  std::optional<double> least;
  Plan best;
  for (size_t first = 0; first < std::size(choices); ++first)
    for (size_t count = 1; first + count <= std::size(choices); ++count) {
      Plan chosen = plan;
      if (!chooseAmong(chosen, llvm::ArrayRef(choices).slice(first, count),
                       left - double(count - 1) * bytesOfKind) ||
          (allows && !allows(chosen)))
        continue;
      if (double cost = this->cost(chosen); !least || cost < *least) {
        least = cost;
        best = std::move(chosen);
      }
    }
  if (least)
    plan = std::move(best);
  return least.has_value();
}

bool CostModel::chooseAmong(Plan &plan, llvm::ArrayRef<int64_t> choices,
                            double left) const {
  std::vector<KnapsackGroup> groups;
  double most = 0;
  for (size_t i = 0; i < inventory.groups.size(); ++i) {
    KnapsackGroup group;
    for (int64_t bits : choices) {
      Part part = bits == 4 ? Bits4 : bits == 3 ? Bits3 : Bits2;
      group.push_back(
          {int64_t(std::ceil(elementsLeft(inventory, i, plan) *
                             bytesPerElement(bits, plan.groupSize))),
           bits == 8 ? 0 : groupCost(i, bits, plan.groupSize) * factors[part]});
    }
    most += double(group.front().bytes);
    groups.push_back(std::move(group));
  }
  // What is rounded up of each group has to have room, too.
  int64_t unit = std::max<int64_t>(1, int64_t(std::min(left, most) / 2048));
  int64_t room = int64_t(std::min(
      left, most + double(unit) * double(inventory.groups.size() + 1)));
  auto chosen = solveKnapsack(groups, room, unit);
  if (!chosen)
    return false;
  for (size_t i = 0; i < plan.bits.size(); ++i)
    plan.bits[i] = choices[(*chosen)[i]];
  return true;
}

void CostModel::addBuilt(const Plan &plan, const Measurement &m) {
  built.push_back({plan, m.cost(), double(m.fileBytes)});
  fitFactors();
}

void CostModel::fitFactors() {
  std::vector<std::vector<double>> rows;
  std::vector<double> wanted;
  for (const Built &one : built) {
    Parts all = parts(one.plan);
    double scale = std::max(one.cost, 1e-4);
    std::vector<double> row;
    for (double part : all)
      row.push_back(part / scale);
    rows.push_back(std::move(row));
    wanted.push_back((one.cost - base.cost()) / scale);
  }
  std::vector<double> solved = solveRidge(rows, wanted, /*ridge=*/0.03);
  for (size_t i = 0; i < numParts; ++i)
    factors[i] = std::clamp(solved[i], 0.1, 8.0);
}

std::vector<double> solveRidge(llvm::ArrayRef<std::vector<double>> rows,
                               llvm::ArrayRef<double> wanted, double ridge) {
  // (A'A + ridge) x = A'w + ridge, by elimination: it is positive definite.
  size_t n = rows.empty() ? 0 : rows.front().size();
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1));
  for (size_t i = 0; i < n; ++i) {
    a[i][i] += ridge;
    a[i][n] += ridge;
    for (size_t r = 0; r < rows.size(); ++r) {
      for (size_t j = 0; j < n; ++j)
        a[i][j] += rows[r][i] * rows[r][j];
      a[i][n] += rows[r][i] * wanted[r];
    }
  }
  for (size_t i = 0; i < n; ++i)
    for (size_t k = i + 1; k < n; ++k) {
      double f = a[k][i] / a[i][i];
      for (size_t j = i; j <= n; ++j)
        a[k][j] -= f * a[i][j];
    }
  std::vector<double> x(n);
  for (size_t i = n; i-- > 0;) {
    double sum = a[i][n];
    for (size_t j = i + 1; j < n; ++j)
      sum -= a[i][j] * x[j];
    x[i] = sum / a[i][i];
  }
  return x;
}

} // namespace plmc
