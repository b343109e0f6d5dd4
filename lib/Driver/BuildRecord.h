//===- BuildRecord.h - What a library says of its making --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_BUILDRECORD_H
#define PLMC_LIB_DRIVER_BUILDRECORD_H

#include "Output.h"
#include "mlir/IR/BuiltinOps.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Recipe/Recipe.h"
#include "plmc/Tokenizer/Tokenizer.h"

namespace plmc {

/// In JSON: input, recipe, pipeline, vocabulary. No time and no host name: the
/// same inputs give the same bytes. `module` has done all steps of the recipe;
/// `tokenizer` may be null.
std::string buildRecord(mlir::ModuleOp module, const Recipe &recipe,
                        const ModelSummary &after, const Tokenizer *tokenizer,
                        const CompressOptions &options, OutputFormat format);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_BUILDRECORD_H
