//===- Scores.h - How good answers are, given the right ones ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EVALUATION_SCORES_H
#define PLMC_EVALUATION_SCORES_H

#include "plmc/Evaluation/Condition.h"
#include <map>

namespace plmc {

/// Values of metrics that need labels.
using Scores = std::map<Metric, double>;

/// Accuracy; F1, of class 1 where there are two, else the mean over classes;
/// and Matthews' correlation (Gorodkin's for more than two classes; 0 where all
/// answers, or all labels, are one class).
Scores classificationScores(llvm::ArrayRef<int64_t> expected,
                            llvm::ArrayRef<int64_t> found, int64_t classes);

/// Spearman's and Pearson's correlation; of equal values the mean rank. 0 where
/// one of the two is constant or no number.
Scores correlationScores(llvm::ArrayRef<double> expected,
                         llvm::ArrayRef<double> found);

/// exp of the mean negative logarithm of probabilities; infinite where one of
/// them is no number or 0.
Scores perplexityScores(llvm::ArrayRef<double> logProbabilities);

} // namespace plmc

#endif // PLMC_EVALUATION_SCORES_H
