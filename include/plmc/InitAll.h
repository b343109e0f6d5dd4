//===- InitAll.h - All dialects and passes of plmc --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INITALL_H
#define PLMC_INITALL_H

namespace mlir {
class DialectRegistry;
}

namespace plmc {

/// plm, plk and the upstream dialects that code generation goes through.
void registerAllDialects(mlir::DialectRegistry &registry);
/// Our passes, MLIR's generic ones (canonicalize, cse, symbol-dce).
void registerAllPasses();

} // namespace plmc

#endif // PLMC_INITALL_H
