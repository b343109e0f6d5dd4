//===- Table.h - Forms of the tables of embeddings --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_TABLE_H
#define PLMC_LIB_CODEGEN_TABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Dialect/PLM/PLM.h"

namespace plmc {

/// A table of plm.embedding or plm.position_embedding that can be read row by
/// row as it is stored.
struct TableSource {
  /// A parameter or a plm.dequantize of one: the table, or the codebooks.
  mlir::Value values;
  /// [V, M] ui8, if the rows are codes; else null.
  plm::GetParameterOp codes;
  /// A parameter or constant, if the rows are chosen by one; else null.
  mlir::Value map;

  static std::optional<TableSource> match(mlir::Value table);
};

inline bool isTable(mlir::Value table) {
  return TableSource::match(table).has_value();
}

/// Embeddings as tensor operations: what computes a table goes below the
/// lookup, so that a run computes the rows that it reads and not all of them.
///
///     embedding(ids, codebook_lookup(codes, books))
///       => codebook_lookup(embedding(ids, codes), books)
void readTablesByRows(mlir::func::FuncOp func);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_TABLE_H
