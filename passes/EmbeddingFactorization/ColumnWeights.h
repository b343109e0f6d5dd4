//===- ColumnWeights.h - What columns of a word table count -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_EMBEDDINGFACTORIZATION_COLUMNWEIGHTS_H
#define PLMC_PASSES_EMBEDDINGFACTORIZATION_COLUMNWEIGHTS_H

#include "plmc/Calibration/WordTable.h"

namespace plmc {

/// What columns of the table count: by how much the layer norm stretches them
/// that the embeddings, with what is added to them, go into. Where a gain is
/// near nothing, the column still is not given up. An error if there is no
/// norm.
llvm::Expected<Eigen::RowVectorXf> columnWeights(const WordTable &table);

} // namespace plmc

#endif // PLMC_PASSES_EMBEDDINGFACTORIZATION_COLUMNWEIGHTS_H
