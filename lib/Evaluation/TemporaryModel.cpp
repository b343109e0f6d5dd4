//===- TemporaryModel.cpp - A module, compiled and loaded -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/TemporaryModel.h"
#include "mlir/IR/Diagnostics.h"
#include "plmc/CodeGen/Compile.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using llvm::Expected;

namespace plmc {

Expected<std::unique_ptr<LoadedModel>> compileTemporary(ModuleOp module) {
  OwningOpRef<ModuleOp> copy = module.clone();
  std::string problem;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &text) {
    if (text.getSeverity() == DiagnosticSeverity::Error && problem.empty())
      problem = text.str();
    return success();
  });
  CompileOptions options;
  options.textInput = false;
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  buildLoweringPipeline(pm, options);
  if (failed(pm.run(*copy)))
    return llvm::createStringError("cannot compile the model to measure it: " +
                                   problem);
  SmallString<128> folder, path;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, folder);
  llvm::sys::path::append(folder, "plmc-%%%%%%%%%%.so");
  llvm::sys::fs::createUniquePath(folder, path, /*MakeAbsolute=*/false);
  // Once loaded, the library needs no name any more.
  TemporaryFile file(path);
  Expected<CompileResult> emitted =
      emitLibrary(*copy, options, OutputKind::SharedLibrary, file.path);
  if (!emitted)
    return emitted.takeError();
  return LoadedModel::open(file.path);
}

} // namespace plmc
