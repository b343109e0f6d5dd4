//===- DumpIR.h - One file a pass that changed something --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_DUMPIR_H
#define PLMC_LIB_DRIVER_DUMPIR_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc {

/// The folder of --dump-ir:
///   000-import.mlir, 004-plm-recognize-linear.mlir, ...
///   index.txt   a line a pass that ran: number, name, file (or "-" when it
///               changed nothing), operations before and after, milliseconds
/// Numbers count the passes that ran, so that gaps show where nothing changed.
class DumpIR {
public:
  /// Creates the folder, or clears it of what an earlier dump left in it.
  static llvm::Expected<std::unique_ptr<DumpIR>>
  create(llvm::StringRef directory, bool elideWeights);

  /// One pass (or "import") has run.
  void add(llvm::StringRef name, mlir::ModuleOp module, bool changed,
           int64_t operationsBefore, double seconds);
  /// Writes the index; the first write error of all.
  llvm::Error finish();

private:
  DumpIR(llvm::StringRef directory, bool elideWeights)
      : directory(directory), elideWeights(elideWeights) {}
  void write(llvm::StringRef file,
             llvm::function_ref<void(llvm::raw_ostream &)> body);

  std::string directory;
  bool elideWeights;
  unsigned count = 0;
  std::vector<std::vector<std::string>> index;
  std::string error;
};

/// All operations of a module, nested ones included.
int64_t countOperations(mlir::Operation *root);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_DUMPIR_H
