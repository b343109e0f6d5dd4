//===- Import.cpp - A module from a file ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Import.h"
#include "Output.h"
#include "mlir/Parser/Parser.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Driver/Error.h"
#include "plmc/Frontend/HuggingFace/Import.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/InitAll.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;

namespace plmc {

std::unique_ptr<MLIRContext> makeContext() {
  DialectRegistry registry;
  registerAllDialects(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  context->loadAllAvailableDialects();
  return context;
}

llvm::Error checkModelPath(StringRef path) {
  return llvm::sys::fs::is_directory(path) ? llvm::Error::success()
                                           : checkReadable(path);
}

uint64_t modelBytes(StringRef path) {
  if (!isHuggingFacePath(path))
    return fileBytes(path) + fileBytes(path + ".data");
  uint64_t bytes = 0;
  std::error_code code;
  for (llvm::sys::fs::directory_iterator it(huggingFaceFolder(path), code), end;
       it != end && !code; it.increment(code))
    if (StringRef(it->path()).ends_with(".safetensors"))
      bytes += fileBytes(it->path());
  return bytes;
}

llvm::Expected<OwningOpRef<ModuleOp>> importModel(StringRef path,
                                                  MLIRContext *context) {
  if (llvm::Error error = checkModelPath(path))
    return error;
  if (isHuggingFacePath(path)) {
    llvm::Expected<OwningOpRef<ModuleOp>> module =
        importHuggingFace(path, context);
    if (!module)
      return withCode(module.takeError(), ExitCode::BadInput);
    return module;
  }
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

/// A ranked tensor of a known element type whose dynamic dimensions have
/// expressions: what importers make, but any .mlir file may hold.
static bool isModelType(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !dtypeFromMLIR(tensor.getElementType()))
    return false;
  if (tensor.hasStaticShape())
    return true;
  auto dims = dyn_cast_if_present<plm::DimsAttr>(tensor.getEncoding());
  return dims && int64_t(dims.getExprs().size()) == tensor.getRank() &&
         llvm::all_of(dims.getExprs(), [](StringAttr expr) {
           return DimExpr::parse(expr.getValue()).has_value();
         });
}

llvm::Expected<func::FuncOp> forwardFunction(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func || !func.getBody().hasOneBlock())
    return makeError(ExitCode::BadInput,
                     "the module has no function @forward with a body");
  for (TypeRange types :
       {TypeRange(func.getArgumentTypes()), TypeRange(func.getResultTypes())})
    for (Type type : types)
      if (!isModelType(type)) {
        std::string text;
        llvm::raw_string_ostream(text) << type;
        return makeError(ExitCode::BadInput,
                         "@forward takes or returns a value of type " + text +
                             ", which is no tensor of a model (dynamic "
                             "dimensions need #plm.dims)");
      }
  return func;
}

} // namespace plmc
