//===- Family.h - Table lookups and the family they tell ---------*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which tables a model reads rows of, and what for. Lookups may still be
// tensor operations: a plm.gather along axis 0 of a parameter counts.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_ANALYSIS_FAMILY_H
#define PLMC_ANALYSIS_FAMILY_H

#include "EncoderTraits.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Analysis/ModelSummary.h"
#include "llvm/ADT/SmallVector.h"

namespace plmc::analysis {

enum class LookupKind {
  Word,           // the table with most rows
  Position,       // ids are counted, not given
  MaskedPosition, // ids are counted over kept tokens (RoBERTa's cumsum)
  Other           // token types
};

struct Lookup {
  mlir::Operation *op;
  LookupKind kind;
  int64_t rows, width;
  int64_t offset = 0; // first row that a plm.position_embedding reads
};

/// Every lookup of the function, in its order.
llvm::SmallVector<Lookup> findLookups(mlir::func::FuncOp func);

/// Guesses the family. The rules, in order:
///   no attention                                          unknown
///   rotary positions, GELU or SiLU gate        ModernBERT or NomicBERT
///   products picked by distance in the scores             DeBERTa-v2, or
///     DeBERTa if keys have no bias
///   scores compare positions (causal, window)             unknown transformer
///     encoder, and so are other rotary ones
///   a table by distance is added to the scores            MPNet
///   x * g + b in place of norms                           MobileBERT
///   fewer sets of weights than layers                     ALBERT
///   embedding width != hidden size                        ELECTRA (small)
///   positions start past row 0 or count kept tokens       RoBERTa
///   parameters are called so                              ELECTRA
///   products with a table by distance in the scores       BERT
///   the embedding sum has only words and positions        DistilBERT
///   otherwise                                             BERT
/// The last but one counts any third term, so that a BERT exported without
/// token_type_ids (one row, folded to a constant) is not a DistilBERT.
std::string guessFamily(mlir::func::FuncOp func, const ModelSummary &summary,
                        const EncoderTraits &traits,
                        llvm::ArrayRef<Lookup> lookups);

/// The value without the casts, scales of 8-bit weights, reshapes, transposes
/// and broadcasts that it went through.
mlir::Value skipMovement(mlir::Value value);
/// The parameter that a value reads (through skipMovement), or null.
mlir::FlatSymbolRefAttr parameterOf(mlir::Value value);

} // namespace plmc::analysis

#endif // PLMC_ANALYSIS_FAMILY_H
