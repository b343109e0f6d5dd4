//===- Condition.h - size<7MB, cosine>=0.98, latency<5ms@1x32 ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The language of --fail-if and --budget: conditions on what can be measured of
// a compressed model, divided by commas.
//
//   METRIC RELATION NUMBER [UNIT] [@BATCHxLENGTH]
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_CONDITION_H
#define PLMC_EVALUATION_CONDITION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc {

enum class Metric {
  Size,       // bytes of the written file
  Parameters, // elements
  Macs,       // multiply-accumulates a token
  Latency,    // seconds of a run, one thread
  Memory,     // bytes: the library, and what a run with one thread allocates
  Cosine,     // mean, to the original's outputs (Distance.h)
  MinCosine,  // of the worst sequence
  Kl,         // mean divergence, nats
  Top1,       // share of equal decisions
  // On labelled texts (LabelledTask.h).
  Accuracy,
  F1,
  Matthews,
  Spearman,
  Pearson,
  Perplexity // of hidden tokens
};

struct MetricInfo {
  enum class Unit { Bytes, Count, Seconds, Share, Number };
  Metric metric;
  llvm::StringRef name;
  Unit unit;
  bool higherIsBetter;
  bool needsSequences;   // of the original's and the compressed model's outputs
  bool needsLabels;      // texts and what is right of them: --eval
  double least, most;    // what it can be
  bool hasShape = false; // is of a run, @BATCHxLENGTH
};
llvm::ArrayRef<MetricInfo> allMetrics();
const MetricInfo &metricInfo(Metric metric);

struct Condition {
  enum class Relation { Less, LessEqual, Greater, GreaterEqual };
  Metric metric;
  Relation relation;
  double value;                    // bytes, seconds, a share of 1, ...
  int64_t batch = 0, sequence = 0; // where the metric has a shape; else 0
  std::string text;                // as written

  bool holds(double measured) const;
  /// "@1x128"; empty where there is no shape.
  std::string shapeText() const;
  bool isUpper() const {
    return relation == Relation::Less || relation == Relation::LessEqual;
  }
};

/// Errors quote `option` and the part that is wrong: an unknown metric (with
/// the nearest name), unit or relation, a number that the metric cannot be.
llvm::Expected<std::vector<Condition>> parseConditions(llvm::StringRef option,
                                                       llvm::StringRef text);

/// What must hold. Refused beyond parseConditions: bounds on the wrong side
/// ("cosine<0.9" would ask for a worse model), a metric bounded twice, and
/// latencies that contradict one another (a larger shape with less time).
llvm::Expected<std::vector<Condition>> parseBudget(llvm::StringRef text);

/// "6.8 MB", "4.1 ms", "0.9812": a value of the metric for people.
std::string formatMetric(Metric metric, double value);

} // namespace plmc

#endif // PLMC_EVALUATION_CONDITION_H
