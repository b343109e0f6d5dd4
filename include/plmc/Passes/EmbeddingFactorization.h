//===- EmbeddingFactorization.h - Factorised word tables --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_EMBEDDINGFACTORIZATION_H
#define PLMC_PASSES_EMBEDDINGFACTORIZATION_H

#include "mlir/Pass/Pass.h"
#include <memory>
#include <string>

namespace plmc {

/// The main options of plm-factorize-embedding.
struct EmbeddingFactorizationSettings {
  int64_t rank = 0; // 0: what `energy` needs
  double energy = 0.99;
  std::string weighting = "frequency"; // or "none"
  std::string calibration;             // an .npz
};

/// The word table [V, H] becomes [V, rank] and a product [rank, H].
std::unique_ptr<mlir::Pass> createEmbeddingFactorizationPass(
    const EmbeddingFactorizationSettings &settings = {});

/// Registers plm-factorize-embedding for plmc-opt.
void registerEmbeddingFactorizationPasses();

} // namespace plmc

#endif // PLMC_PASSES_EMBEDDINGFACTORIZATION_H
