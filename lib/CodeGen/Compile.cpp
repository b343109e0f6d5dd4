//===- Compile.cpp - plm module to a native library -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/Compile.h"
#include "CodeCache.h"
#include "Kernels/TileProduct.h"
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

/// What to emit code for, the best first.
static llvm::Expected<std::vector<TargetInfo>>
resolveTargets(const CompileOptions &options) {
  if (options.cpu == "any")
    return allX86Targets();
  auto target = resolveX86Target(options.cpu);
  if (!target)
    return target.takeError();
  if (!options.tileOfLevel.empty())
    setRegisterTile(*target, options.tileOfLevel);
  return std::vector<TargetInfo>{*target};
}

/// Drops AMX from targets whose kernels here do not use it: it has to be asked
/// of the operating system.
static void dropUnusedTiles(std::vector<TargetInfo> &targets, ModuleOp module) {
  for (TargetInfo &target : targets) {
    bool used = false;
    module.walk([&](plk::WeightOp weight) {
      auto format = DotFormat::of(weight);
      used |= format && usesTiles(target, *format, weight.getShape()[0]);
    });
    if (!used)
      dropTiles(target);
  }
}

/// Drops targets that would get the same code as a less demanding one: their
/// dot products are not this model's.
static void dropEqualTargets(std::vector<TargetInfo> &targets,
                             ModuleOp module) {
  bool int8 = false, bf16 = false;
  module.walk([&](Operation *op) {
    if (auto weight = dyn_cast<plk::WeightOp>(op)) {
      int8 |= weight.getPrecision() == plm::Precision::Int8;
      bf16 |= weight.getPrecision() == plm::Precision::BF16;
    }
    if (auto attention = dyn_cast<plk::AttentionOp>(op))
      bf16 |= attention.getPrecision() == plm::Precision::BF16;
  });
  auto code = [&](const TargetInfo &target) {
    return std::make_tuple(target.cpu, int8 && target.dotInt8,
                           bf16 && target.dotBF16, target.hasTiles());
  };
  std::vector<TargetInfo> kept;
  for (const TargetInfo &target : llvm::reverse(targets))
    if (llvm::none_of(kept, [&](const TargetInfo &other) {
          return code(other) == code(target);
        }))
      kept.insert(kept.begin(), target);
  targets = std::move(kept);
}

void plmc::buildLoweringPipeline(OpPassManager &pm,
                                 const CompileOptions &options) {
  LowerToPLKOptions lower;
  lower.computePadding = options.computePadding;
  if (auto targets = resolveTargets(options)) {
    // Panels for the widest vectors serve the narrower ones, too.
    lower.panelWidth = 0;
    for (const TargetInfo &target : *targets)
      lower.panelWidth =
          std::max<int64_t>(lower.panelWidth, target.panelWidth());
  } else { // emitLibrary reports it
    llvm::consumeError(targets.takeError());
  }
  pm.addPass(createLowerToPLK(lower));
  pm.addPass(createFusePLK());
  pm.addPass(createCSEPass());
  pm.addPass(createPlanArena());
}

void plmc::registerCodeGenPasses() { registerPLKPasses(); }

llvm::Error plmc::checkCpuName(StringRef cpu) {
  CompileOptions options;
  options.cpu = cpu.str();
  auto targets = resolveTargets(options);
  return targets ? llvm::Error::success() : targets.takeError();
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
  // The runtime learns the symbols from the inputs.
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
    for (const DimExpr &dim : getDims(cast<RankedTensorType>(type)))
      if (!dim.isConstant() && !dim.isSymbol())
        return llvm::createStringError(
            "input " + Twine(index) + " of the model has a dimension '" +
            dim.str() + "'; those of inputs are symbols or numbers");
  return check(func.getResultTypes(), "output");
}

/// Every id that the tokenizer may give must be one that the model takes, and
/// the model may have a few rows more, as padding: exporters round the number
/// of rows up.
static llvm::Error checkTokenizer(ModuleOp module,
                                  const CompileOptions &options,
                                  const ProgramInfo &info) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (options.tokenizer.empty() || !func)
    return llvm::Error::success();
  constexpr int64_t padding = 512;
  for (const ProgramInfo::IdCheck &check : info.idChecks)
    if (isTokenInput(func, check.input) &&
        (options.tokenizerIds > check.limit ||
         options.tokenizerIds < check.limit - padding))
      return llvm::createStringError(
          "the tokenizer has ids up to " + Twine(options.tokenizerIds - 1) +
          ", the model's embedding table has " + Twine(check.limit) +
          " rows: give the tokenizer that belongs to the model");
  return llvm::Error::success();
}

llvm::Expected<CompileResult> plmc::emitLibrary(ModuleOp module,
                                                const CompileOptions &options,
                                                OutputKind kind,
                                                StringRef outputPath) {
  auto targets = resolveTargets(options);
  if (!targets)
    return targets.takeError();
  dropUnusedTiles(*targets, module);
  dropEqualTargets(*targets, module);
  if (llvm::Error error = checkRanks(module))
    return std::move(error);
  MLIRContext *context = module.getContext();
  context->loadDialect<arith::ArithDialect, LLVM::LLVMDialect,
                       math::MathDialect, scf::SCFDialect,
                       vector::VectorDialect, func::FuncDialect>();

  // Diagnostics of the emitter become the error of this function.
  std::string diagnostic;
  WeightSection weights(module);
  ProgramInfo info; // the same for each target
  llvm::LLVMContext llvmContext;
  std::vector<std::unique_ptr<llvm::Module>> code;
  for (const TargetInfo &target : *targets) {
    FailureOr<OwningOpRef<ModuleOp>> kernels = failure();
    {
      ScopedDiagnosticHandler handler(context, [&](Diagnostic &d) {
        if (d.getSeverity() == DiagnosticSeverity::Error && diagnostic.empty())
          diagnostic = d.str();
        return success();
      });
      info = ProgramInfo();
      kernels = emitProgram(module, target, weights, info);
    }
    if (failed(kernels))
      return llvm::createStringError(diagnostic.empty() ? "internal error"
                                                        : diagnostic);
    auto translated = translateKernels(**kernels, llvmContext, target);
    if (!translated)
      return translated.takeError();
    code.push_back(std::move(*translated));
  }
  auto linked = linkVariants(std::move(code));
  if (!linked)
    return linked.takeError();
  std::unique_ptr<llvm::Module> llvmModule = std::move(*linked);
  auto description =
      describeModel(module, *targets, options, info, weights.size());
  if (!description)
    return description.takeError();
  if (llvm::Error error = checkTokenizer(module, options, info))
    return std::move(error);
  int64_t weightBytes = weights.size();
  std::optional<int64_t> tokenizer;
  if (!options.tokenizer.empty())
    tokenizer = weights.offsetOf(options.tokenizer);
  addModelTables(*llvmModule, module, *targets, info, *description, tokenizer,
                 options.tokenizer.size());

  // Names that nobody else has, whoever compiles what to where meanwhile.
  SmallString<128> unique;
  llvm::sys::fs::createUniquePath(outputPath + ".%%%%%%", unique,
                                  /*MakeAbsolute=*/false);
  TemporaryFile object(unique + ".code.o"), data(unique + ".weights.o"),
      result(unique + ".tmp");
  if (options.rewriteCode)
    options.rewriteCode(*llvmModule);
  auto emit = options.reuseCode ? emitKnownObject : emitObject;
  auto undefined = emit(std::move(llvmModule), targets->back(), object.path,
                        options.textInput);
  if (!undefined)
    return undefined.takeError();
  if (kind != OutputKind::SharedLibrary)
    if (llvm::Error error = weights.writeObject(data.path))
      return std::move(error);

  std::vector<std::string> objects{object.path, data.path};
  llvm::Error error = llvm::Error::success();
  switch (kind) {
  case OutputKind::SharedLibrary:
    error = linkSharedLibrary(object.path, *undefined, weights,
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
  compiled.cpu = cpuNames(*targets);
  compiled.weightBytes = weightBytes;
  compiled.storage = weights.storage(module);
  compiled.codeBytes = fileSize(object.path);
  if (std::error_code ec = llvm::sys::fs::rename(result.path, outputPath))
    return llvm::createStringError(ec, "cannot write " + outputPath + ": " +
                                           ec.message());
  return compiled;
}
