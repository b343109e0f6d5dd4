//===- Import.cpp - A module from a file ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Import.h"
#include "mlir/Parser/Parser.h"
#include "plmc/Driver/Error.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/InitAll.h"

using namespace mlir;

namespace plmc {

std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
  return context;
}

llvm::Expected<OwningOpRef<ModuleOp>> importModel(StringRef path,
                                                  MLIRContext *context) {
  if (llvm::Error error = checkReadable(path))
    return error;
  DiagnosticCollector diagnostics(context);
  if (path.ends_with(".mlir")) {
    OwningOpRef<ModuleOp> module =
        parseSourceFile<ModuleOp>(path, ParserConfig(context));
    if (!module)
      return makeError(ExitCode::BadInput,
                       diagnostics.firstError().empty()
                           ? "'" + path.str() + "' is no MLIR module"
                           : diagnostics.firstError());
    return module;
  }
  llvm::Expected<OwningOpRef<ModuleOp>> module = importONNX(path, context);
  if (!module)
    return withCode(module.takeError(), ExitCode::BadInput);
  return module;
}

llvm::Expected<func::FuncOp> forwardFunction(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func || !func.getBody().hasOneBlock())
    return makeError(ExitCode::BadInput,
                     "the module has no function @forward with a body");
  return func;
}

static std::string nameOr(StringAttr name, unsigned index) {
  return name ? name.str() : std::to_string(index);
}

std::string inputName(func::FuncOp func, unsigned index) {
  return nameOr(func.getArgAttrOfType<StringAttr>(index, "plm.name"), index);
}

std::string outputName(func::FuncOp func, unsigned index) {
  return nameOr(func.getResultAttrOfType<StringAttr>(index, "plm.name"), index);
}

} // namespace plmc
