//===- LayerGroups.h - Which layers have one set of weights -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_LAYERSHARING_LAYERGROUPS_H
#define PLMC_PASSES_LAYERSHARING_LAYERGROUPS_H

#include "plmc/Calibration/Matrix.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// Groups of two layers or more, each ascending.
using LayerGroups = std::vector<std::vector<int64_t>>;

/// "0-1;2,4": an error for what is no such text, a layer that there is not, or
/// one that comes twice.
llvm::Expected<LayerGroups> parseGroups(llvm::StringRef text, int64_t layers);

/// Clusters whose mean distance is least are joined until `count` are left.
/// `distances` [layers, layers].
LayerGroups groupsOfNeighbours(const Matrix &distances, int64_t count);

} // namespace plmc

#endif // PLMC_PASSES_LAYERSHARING_LAYERGROUPS_H
