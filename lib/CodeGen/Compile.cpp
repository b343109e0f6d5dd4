//===- Compile.cpp - plm module to a native library -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/Compile.h"
#include "Link.h"
#include "ModelTables.h"
#include "NativeCode.h"
#include "ProgramEmitter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "plmc/CodeGen/Passes.h"
#include "plmc/Support/TemporaryFile.h"
#include "plmc/Target/X86/X86Target.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace plmc;

static llvm::Expected<TargetInfo> resolveTarget(const CompileOptions &options) {
  auto target = resolveX86Target(options.cpu);
  if (target && !options.tileOfLevel.empty())
    setRegisterTile(*target, options.tileOfLevel);
  return target;
}

void plmc::buildLoweringPipeline(OpPassManager &pm,
                                 const CompileOptions &options) {
  LowerToPLKOptions lower;
  lower.computePadding = options.computePadding;
  if (auto target = resolveTarget(options))
    lower.panelWidth = target->panelWidth();
  else // emitLibrary reports it
    llvm::consumeError(target.takeError());
  pm.addPass(createLowerToPLK(lower));
  pm.addPass(createFusePLK());
  pm.addPass(createCSEPass());
  pm.addPass(createPlanArena());
}

void plmc::registerCodeGenPasses() { registerPLKPasses(); }

llvm::Error plmc::checkCpuName(StringRef cpu) {
  auto target = resolveX86Target(cpu);
  return target ? llvm::Error::success() : target.takeError();
}

namespace {
uint64_t fileSize(StringRef path) {
  uint64_t size = 0;
  llvm::sys::fs::file_size(path, size);
  return size;
}
} // namespace

/// PLM_MAX_RANK of include/plm/model.h.
static llvm::Error checkRanks(ModuleOp module) {
  constexpr int64_t maxRank = 8;
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func)
    return llvm::Error::success(); // reported later
  auto check = [&](TypeRange types, StringRef what) -> llvm::Error {
    for (auto [index, type] : llvm::enumerate(types))
      if (auto tensor = dyn_cast<RankedTensorType>(type);
          !tensor || tensor.getRank() > maxRank)
        return llvm::createStringError(
            what + " " + Twine(index) + " of the model has more than " +
            Twine(maxRank) + " dimensions, the most that the C ABI carries");
    return llvm::Error::success();
  };
  if (llvm::Error error = check(func.getArgumentTypes(), "input"))
    return error;
  return check(func.getResultTypes(), "output");
}

llvm::Expected<CompileResult> plmc::emitLibrary(ModuleOp module,
                                                const CompileOptions &options,
                                                OutputKind kind,
                                                StringRef outputPath) {
  auto target = resolveTarget(options);
  if (!target)
    return target.takeError();
  if (llvm::Error error = checkRanks(module))
    return std::move(error);
  MLIRContext *context = module.getContext();
  context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect,
                       math::MathDialect, scf::SCFDialect,
                       vector::VectorDialect, func::FuncDialect>();

  // Diagnostics of the emitter become the error of this function.
  std::string diagnostic;
  WeightSection weights(module);
  ProgramInfo info;
  FailureOr<OwningOpRef<ModuleOp>> kernels = failure();
  {
    ScopedDiagnosticHandler handler(context, [&](Diagnostic &d) {
      if (d.getSeverity() == DiagnosticSeverity::Error && diagnostic.empty())
        diagnostic = d.str();
      return success();
    });
    kernels = emitProgram(module, *target, weights, info);
  }
  if (failed(kernels))
    return llvm::createStringError(diagnostic.empty() ? "internal error"
                                                      : diagnostic);

  llvm::LLVMContext llvmContext;
  auto llvmModule = translateKernels(**kernels, llvmContext, *target);
  if (!llvmModule)
    return llvmModule.takeError();
  auto description =
      describeModel(module, *target, options, info, weights.size());
  if (!description)
    return description.takeError();
  addModelTables(**llvmModule, module, *target, info, *description);

  // Names that nobody else has, whoever compiles what to where meanwhile.
  SmallString<128> unique;
  llvm::sys::fs::createUniquePath(outputPath + ".%%%%%%", unique,
                                  /*MakeAbsolute=*/false);
  TemporaryFile code(unique + ".code.o"), data(unique + ".weights.o"),
      result(unique + ".tmp");
  auto undefined = emitObject(std::move(*llvmModule), *target, code.path);
  if (!undefined)
    return undefined.takeError();
  if (kind != OutputKind::SharedLibrary)
    if (llvm::Error error = weights.writeObject(data.path))
      return std::move(error);

  std::vector<std::string> objects{code.path, data.path};
  llvm::Error error = llvm::Error::success();
  switch (kind) {
  case OutputKind::SharedLibrary:
    error = linkSharedLibrary(code.path, *undefined, weights,
                              options.soname.empty()
                                  ? llvm::sys::path::filename(outputPath)
                                  : StringRef(options.soname),
                              result.path);
    break;
  case OutputKind::Object:
    error = linkRelocatable(objects, result.path);
    break;
  case OutputKind::Archive:
    error =
        writeArchive(objects, {"model.code.o", "model.weights.o"}, result.path);
    break;
  }
  if (error)
    return std::move(error);
  CompileResult compiled;
  compiled.cpu = target->name;
  compiled.weightBytes = weights.size();
  compiled.codeBytes = fileSize(code.path);
  if (std::error_code ec = llvm::sys::fs::rename(result.path, outputPath))
    return llvm::createStringError(ec, "cannot write " + outputPath + ": " +
                                           ec.message());
  return compiled;
}
