//===- WeightSection.h - The weights of an emitted library ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_WEIGHTSECTION_H
#define PLMC_LIB_CODEGEN_WEIGHTSECTION_H

#include "plmc/CodeGen/WeightStorage.h"
#include "plmc/Dialect/PLK/PLK.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace plmc {

/// Collects constants, gives each an offset, and writes them packed into an
/// object file. Values are read from their source only while that one is
/// written, so memory stays at one packed matrix whatever the model's size.
class WeightSection {
public:
  explicit WeightSection(mlir::ModuleOp module) : symbols(module) {}

  /// Offset of a plk.weight or of a plm.parameter as it is.
  llvm::Expected<int64_t> offsetOf(llvm::StringRef symbol);
  /// Offset of a small constant.
  llvm::Expected<int64_t> offsetOf(plm::ConstantOp constant);
  /// Offset of bytes that must live until the section is written.
  int64_t offsetOf(llvm::ArrayRef<char> bytes);
  /// Never 0, so that the section exists.
  int64_t size() const { return std::max<int64_t>(total, 64); }

  /// What there is so far, by its form; the largest first.
  std::vector<WeightStorage> storage(mlir::ModuleOp module) const;

  /// Writes size() bytes at the stream's position.
  llvm::Error writeContents(llvm::raw_pwrite_stream &os);
  /// Writes an x86-64 ELF relocatable with the section .plm.weights (read
  /// only, page aligned) and the hidden symbol `plm_weights` at its start.
  llvm::Error writeObject(llvm::StringRef path);

private:
  struct Entry {
    mlir::Operation *op;
    int64_t offset, bytes;
    const char *data = nullptr; // without an op
  };
  llvm::Expected<int64_t> add(mlir::Operation *op, int64_t bytes);
  llvm::Error write(llvm::raw_ostream &os, const Entry &entry);
  llvm::Error writePanels(llvm::raw_ostream &os, plk::WeightOp weight);

  mlir::SymbolTable symbols;
  std::vector<Entry> entries;
  llvm::DenseMap<mlir::Operation *, int64_t> offsets;
  int64_t total = 0;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_WEIGHTSECTION_H
