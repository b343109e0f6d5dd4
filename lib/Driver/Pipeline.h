//===- Pipeline.h - The passes of a compression -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_PIPELINE_H
#define PLMC_LIB_DRIVER_PIPELINE_H

#include "DumpIR.h"
#include "Progress.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Driver/Compress.h"
#include "plmc/Recipe/Recipe.h"

namespace plmc {

/// The passes on plm: recognition, then the steps of a completed recipe.
llvm::Error buildModelPipeline(mlir::OpPassManager &pm, const Recipe &recipe);
/// Down to what emitLibrary takes; empty for .mlir and .onnx.
void buildLowering(mlir::OpPassManager &pm, const CompressOptions &options,
                   OutputFormat format);

CompileOptions compileOptions(const CompressOptions &options);

/// What plmc-opt's --pass-pipeline takes: "builtin.module(...)".
llvm::Expected<std::string> pipelineText(const Recipe &recipe,
                                         const CompressOptions &options,
                                         OutputFormat format,
                                         mlir::MLIRContext *context);

/// Runs pass managers over one module, with dumps, progress, MLIR's own
/// --mlir-print-ir-* and --mlir-timing, and an error that names the pass.
class PassRunner {
public:
  /// `pipeline` is the text of all that will be run, for a reproducer.
  PassRunner(mlir::ModuleOp module, const CompressOptions &options,
             std::string pipeline, Progress &progress, DumpIR *dump);
  ~PassRunner();

  /// Steps are the user's: what one refuses, with a message and without
  /// harm to the module, is no failure to reproduce.
  enum class Kind { Internal, Step };
  llvm::Error run(llvm::function_ref<void(mlir::OpPassManager &)> addPasses,
                  Kind kind = Kind::Internal);
  std::vector<CompressReport::PassRun> takePassRuns();

private:
  class Instrumentation;
  struct State;
  std::unique_ptr<State> state;
};

/// Printing flags for a module whose large weights are left out or not.
mlir::OpPrintingFlags printingFlags(bool elideWeights);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_PIPELINE_H
