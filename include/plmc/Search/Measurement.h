//===- Measurement.h - What is known of a plan, and what is asked -*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SEARCH_MEASUREMENT_H
#define PLMC_SEARCH_MEASUREMENT_H

#include "plmc/Evaluation/Condition.h"
#include <map>
#include <optional>
#include <tuple>

namespace plmc {

/// Of a model that was built. Metrics that do not apply to it are not there.
struct Measurement {
  int64_t fileBytes = 0;
  std::map<Metric, double> metrics; // but Size, and those that have a shape
  /// Those of a run: by metric, batch and sequence.
  std::map<std::tuple<Metric, int64_t, int64_t>, double> runs;
  double seconds = 0; // that it took

  double &ofRun(const Condition &condition) {
    return runs[{condition.metric, condition.batch, condition.sequence}];
  }

  std::optional<double> value(const Condition &condition) const;
  /// What the model lost, additive where losses are independent: the square of
  /// the noise over that of the signal, where there is a cosine; else nats.
  double cost() const;
};

/// The cost at a cosine: independent noise of square r beside a signal of 1
/// gives the cosine 1 / sqrt(1 + r).
double costOfCosine(double cosine);

/// What must hold, and what is better.
class Goal {
public:
  explicit Goal(std::vector<Condition> conditions)
      : conditions(std::move(conditions)) {}

  /// It has a value for each condition.
  bool isAnswered(const Measurement &measurement) const;
  bool isMet(const Measurement &measurement) const;
  /// By how much it is missed, as sum of shares of each bound; 0 if it is met.
  double distance(const Measurement &measurement) const;
  /// Met before missed, nearer before farther; of two that meet it the one that
  /// lost less, or where only losses are bounded, the smaller one.
  bool isBetter(const Measurement &a, const Measurement &b) const;
  /// "size 7.2 MB, asked for size<7MB", for those that are missed.
  std::string missed(const Measurement &measurement) const;

  std::optional<int64_t> sizeLimit() const; // bytes that are allowed
  std::optional<double> costLimit() const;  // of cosine or kl
  bool boundsAnswers() const;               // to labelled texts
  bool boundsResources() const;
  /// A bound that more neurons and layers make worse.
  static bool isWork(const Condition &condition);
  bool boundsWork() const;
  bool boundsLatency() const;

  llvm::ArrayRef<Condition> all() const { return conditions; }

private:
  std::vector<Condition> conditions;
};

} // namespace plmc

#endif // PLMC_SEARCH_MEASUREMENT_H
