//===- CompressChecks.h - What plmc compress refuses ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_COMPRESSCHECKS_H
#define PLMC_LIB_DRIVER_COMPRESSCHECKS_H

#include "Output.h"
#include "mlir/IR/BuiltinOps.h"
#include "plmc/Driver/Compress.h"

namespace plmc {

/// Before anything is read. Chooses the format of the output.
llvm::Error checkCompressOptions(const CompressOptions &options,
                                 OutputFormat &format);
/// Of the model as imported: IR that was printed without its weights can be
/// looked at, not compiled.
llvm::Error checkWeights(mlir::ModuleOp module, const CompressOptions &options,
                         OutputFormat format);
/// Before the pass does: a name that is not there is the user's slip, not a
/// failed pass.
llvm::Error checkOutputNames(mlir::ModuleOp module,
                             const CompressOptions &options);
/// After all passes. Code generation takes far more memory than the file that
/// asks for it: bounds that no encoder comes near keep it below a few hundred
/// MB (weights aside).
llvm::Error checkSize(mlir::ModuleOp module, int64_t operations,
                      const CompressOptions &options, OutputFormat format);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_COMPRESSCHECKS_H
