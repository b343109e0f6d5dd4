//===- PackPanels.h - Matrices as panels ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_PACKPANELS_H
#define PLMC_LIB_CODEGEN_PACKPANELS_H

#include "plmc/Dialect/PLK/PLK.h"
#include "llvm/ADT/ArrayRef.h"

namespace plmc {

/// A matrix of a weight, one of several side by side: row major [K, columns],
/// or [columns, K] if `transposed`; not aligned.
struct PanelSource {
  llvm::ArrayRef<char> bytes;
  int64_t columns = 0;
  bool transposed = false;
};

/// The panels of a plk.weight (its description says how they lie), filled
/// source by source, so that only one source has to be in memory.
class PanelPacker {
public:
  explicit PanelPacker(plk::WeightOp weight);
  void add(const PanelSource &source);
  llvm::ArrayRef<char> bytes() const { return panels; }

private:
  template <typename T, typename PlaceT>
  void forEach(const PanelSource &source, PlaceT place);

  int64_t k, width, packSize, packWords, bits;
  std::optional<plm::Precision> precision;
  bool quantized, isUnsigned;
  int64_t column0 = 0; // of the next source
  std::vector<char> panels;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_PACKPANELS_H
