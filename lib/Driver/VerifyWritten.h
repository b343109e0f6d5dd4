//===- VerifyWritten.h - plmc compress --verify -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_VERIFYWRITTEN_H
#define PLMC_LIB_DRIVER_VERIFYWRITTEN_H

#include "Output.h"
#include "mlir/IR/OwningOpRef.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Driver/Verify.h"

namespace plmc {

/// Compares what was written with `reference`, the module after lossy steps, or
/// if that is null with the model as it was given. Errors name the file that
/// the user asked for.
llvm::Expected<VerifyResult>
verifyWritten(mlir::OwningOpRef<mlir::ModuleOp> reference,
              const std::string &written, const CompressOptions &options,
              OutputFormat format, mlir::MLIRContext *context);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_VERIFYWRITTEN_H
