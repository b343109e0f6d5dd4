//===- VocabularyReduction.h - Smaller vocabularies -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_VOCABULARYREDUCTION_H
#define PLMC_PASSES_VOCABULARYREDUCTION_H

#include "mlir/Pass/Pass.h"

namespace plmc {

/// plm-reduce-vocabulary, with its options at their defaults.
std::unique_ptr<mlir::Pass> createReduceVocabularyPass();
void registerVocabularyPasses();

} // namespace plmc

#endif // PLMC_PASSES_VOCABULARYREDUCTION_H
