//===- Compile.h - plm module to a native library ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_COMPILE_H
#define PLMC_CODEGEN_COMPILE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/CodeGen/WeightStorage.h"
#include "llvm/Support/Error.h"
#include <functional>
#include <string>

namespace llvm {
class Module;
}

namespace plmc {

enum class OutputKind { SharedLibrary, Object, Archive };

struct CompileOptions {
  /// "native", a level ("x86-64-v2", "x86-64-v3", "x86-64-v4") or an LLVM CPU
  /// name ("skylake-avx512", "znver3").
  std::string cpu = "native";
  /// Compute rows at padding positions too (their values are then what the
  /// ONNX graph says instead of 0).
  bool computePadding = false;
  /// DT_SONAME of a shared library; empty: the file name of the output.
  std::string soname;
  /// Keep the machine code in memory, and take it from there for a model that
  /// differs in its weights only (lib/CodeGen/CodeCache.h).
  bool reuseCode = false;
  /// For tests: the register tile of another level than the CPU's, e.g.
  /// "x86-64-v4"; empty: the CPU's own.
  std::string tileOfLevel;
  /// For tests: called with the code of all kernels before it is optimised.
  std::function<void(llvm::Module &)> rewriteCode;
  /// JSON object merged into the library's description as "build".
  std::string buildRecord = "{}";
  /// A tokenizer image (docs/tokenizer.md) to put into the library, and how
  /// many ids it may give; empty: none.
  llvm::ArrayRef<char> tokenizer;
  int64_t tokenizerIds = 0;
  /// Without it a library has no plm_run_text, and takes less than half the
  /// time to compile: for what only this process runs.
  bool textInput = true;
};

struct CompileResult {
  std::string cpu; // what was chosen, e.g. "x86-64-v3 (znver3)"
  uint64_t codeBytes = 0;
  uint64_t weightBytes = 0;
  std::vector<WeightStorage> storage;
};

/// plm (after recognition and passes) to the kernel level: `plm-lower-to-plk`
/// and friends. Exposed so that --dump-ir and --print-pipeline see them.
void buildLoweringPipeline(mlir::OpPassManager &pm,
                           const CompileOptions &options);
void registerCodeGenPasses();

/// Emits a module that buildLoweringPipeline has lowered. Writes beside, then
/// renames; on failure nothing is left behind.
llvm::Expected<CompileResult> emitLibrary(mlir::ModuleOp module,
                                          const CompileOptions &options,
                                          OutputKind kind,
                                          llvm::StringRef outputPath);

/// Checks a --cpu value; an error lists what is known.
llvm::Error checkCpuName(llvm::StringRef cpu);

} // namespace plmc

#endif // PLMC_CODEGEN_COMPILE_H
