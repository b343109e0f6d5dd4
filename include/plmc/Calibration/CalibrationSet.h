//===- CalibrationSet.h - Real input for passes that need it ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CALIBRATION_CALIBRATIONSET_H
#define PLMC_CALIBRATION_CALIBRATIONSET_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/Support/Error.h"
#include <vector>

namespace plmc {

/// Token sequences that stand for what a model will see.
struct CalibrationSet {
  /// Ids without padding, and the token type of each (all 0 if none is known).
  std::vector<std::vector<int64_t>> sequences, types;
  /// The row of the file that each sequence was; a row without tokens is none.
  std::vector<size_t> rows;

  /// An .npz with `input_ids` [N, S], and optionally `attention_mask` (1 keeps)
  /// and `token_type_ids` of the same shape; or a part of it, "calib.npz#fit"
  /// (Part.h). Errors, one line each, for what is
  /// missing, of another shape, negative or empty.
  static llvm::Expected<CalibrationSet> read(llvm::StringRef path);

  int64_t numTokens() const;
  /// How often each id occurs; an error for an id outside [0, vocabulary).
  llvm::Expected<std::vector<double>> frequencies(int64_t vocabulary) const;
};

/// Some sequences as the inputs of a model, padded to the longest.
struct CalibrationBatch {
  int64_t batch = 0, length = 0;
  std::vector<HostTensor> inputs; // in the order of the function's arguments
  std::vector<uint8_t> keep;      // [batch * length], 0: padding
};

/// The whole set in batches of sequences of similar length, about
/// `tokensPerBatch` tokens each; longest last. What an argument is follows from
/// its name and type: ids, a mask, token types, positions. An error names the
/// argument that is none of these.
llvm::Expected<std::vector<CalibrationBatch>>
makeBatches(mlir::func::FuncOp func, const CalibrationSet &set,
            int64_t tokensPerBatch = 2048);

} // namespace plmc

#endif // PLMC_CALIBRATION_CALIBRATIONSET_H
