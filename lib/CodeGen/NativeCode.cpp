//===- NativeCode.cpp - Kernel module to machine code -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The runtime's functions keep the baseline CPU of their bitcode: plm_open has
// to run, and to refuse, on a CPU that lacks what the kernels need.
//
//===----------------------------------------------------------------------===//

#include "NativeCode.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "plmc/CodeGen/RuntimeBitcode.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

using namespace mlir;
using namespace plmc;

namespace {

/// erf, log, sin, ... of tensor operations by MLIR's polynomials; there is no
/// libm to call.
struct ApproximateMathPass
    : PassWrapper<ApproximateMathPass, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(ApproximateMathPass)
  StringRef getArgument() const override { return "plk-approximate-math"; }
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMathPolynomialApproximationPatterns(
        patterns, MathPolynomialApproximationOptions());
    math::populateExpansionPatterns(patterns, {"powf"});
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

void initializeTargets() {
  static bool done = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser();
    return true;
  }();
  (void)done;
}

std::unique_ptr<llvm::TargetMachine>
createTargetMachine(const TargetInfo &target, std::string &error) {
  initializeTargets();
  llvm::Triple triple(target.triple);
  const llvm::Target *registered =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!registered)
    return nullptr;
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  return std::unique_ptr<llvm::TargetMachine>(registered->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

} // namespace

llvm::Expected<std::unique_ptr<llvm::Module>>
plmc::translateKernels(ModuleOp module, llvm::LLVMContext &llvmContext,
                       const TargetInfo &target) {
  MLIRContext *context = module.getContext();
  registerBuiltinDialectTranslation(*context);
  registerLLVMDialectTranslation(*context);

  PassManager pm(context);
  pm.enableVerifier(false); // twice as fast; emitters are tested
  pm.addPass(std::make_unique<ApproximateMathPass>());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  if (failed(pm.run(module)))
    return llvm::createStringError("internal: kernels do not lower to LLVM");

  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, llvmContext, "plmc");
  if (!llvmModule)
    return llvm::createStringError("internal: kernels do not translate");
  for (llvm::Function &function : *llvmModule) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    if (target.lanes == 16)
      function.addFnAttr("prefer-vector-width", "512");
    // LLVM finds too late that it spills vectors to align them by itself; off
    // their alignment they take two cache lines each.
    if (target.lanes > 4)
      function.addFnAttr("stackrealign");
    function.addFnAttr(llvm::Attribute::NoUnwind);
    bool entry = function.getName().starts_with("plm_gen_");
    function.setLinkage(entry ? llvm::GlobalValue::ExternalLinkage
                              : llvm::GlobalValue::InternalLinkage);
    // A tile is called from three places; copies of it would only cost time.
    if (!entry)
      function.addFnAttr(llvm::Attribute::NoInline);
  }
  return llvmModule;
}

llvm::Expected<std::unique_ptr<llvm::Module>>
plmc::linkVariants(std::vector<std::unique_ptr<llvm::Module>> modules) {
  for (auto [index, module] : llvm::enumerate(modules)) {
    bool last = index + 1 == modules.size();
    for (llvm::Function &function : llvm::make_early_inc_range(*module)) {
      StringRef name = function.getName();
      if (name == "plm_gen_run" || name == "plm_gen_mask")
        function.setName(name + "." + Twine(index));
      else if (name.starts_with("plm_gen_") && !last)
        function.eraseFromParent();
    }
  }
  std::unique_ptr<llvm::Module> result = std::move(modules.back());
  modules.pop_back();
  for (std::unique_ptr<llvm::Module> &module : modules)
    if (llvm::Linker::linkModules(*result, std::move(module)))
      return llvm::createStringError("internal: the targets' code does not "
                                     "link");
  return std::move(result);
}

llvm::Expected<std::vector<std::string>>
plmc::emitObject(std::unique_ptr<llvm::Module> module, const TargetInfo &target,
                 StringRef path, bool textInput) {
  std::string error;
  std::unique_ptr<llvm::TargetMachine> machine =
      createTargetMachine(target, error);
  if (!machine)
    return llvm::createStringError("internal: no code generator: " + error);
  module->setTargetTriple(llvm::Triple(target.triple));
  module->setDataLayout(machine->createDataLayout());

  auto runtime = llvm::parseBitcodeFile(
      llvm::MemoryBufferRef(getRuntimeBitcode(), "runtime"),
      module->getContext());
  if (!runtime)
    return runtime.takeError();
  (*runtime)->setTargetTriple(module->getTargetTriple());
  (*runtime)->setDataLayout(module->getDataLayout());
  if (llvm::Linker::linkModules(*module, std::move(*runtime)))
    return llvm::createStringError("internal: the runtime does not link");
  // Only the C ABI is left visible (its functions have default visibility).
  for (llvm::GlobalValue &value : module->global_values())
    if (!value.isDeclaration() && !value.hasLocalLinkage() &&
        !value.hasAppendingLinkage() &&
        (value.hasHiddenVisibility() || value.getName().starts_with("plm_gen")))
      value.setLinkage(llvm::GlobalValue::InternalLinkage),
          value.setVisibility(llvm::GlobalValue::DefaultVisibility);

  // Nobody calls the tokenizer then.
  if (llvm::Function *text = module->getFunction("plm_run_text");
      text && !textInput)
    text->setLinkage(llvm::GlobalValue::InternalLinkage);

  std::string problem;
  llvm::raw_string_ostream problemStream(problem);
  if (llvm::verifyModule(*module, &problemStream))
    return llvm::createStringError("internal: invalid code: " + problem);

  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager sccs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(sccs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, sccs, modules);
  if (!textInput)
    llvm::GlobalDCEPass().run(*module, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2)
      .run(*module, modules);

  std::error_code ec;
  llvm::raw_fd_ostream os(path, ec, llvm::sys::fs::OF_None);
  if (ec)
    return llvm::createStringError(ec, "cannot write " + path + ": " +
                                           ec.message());
  std::vector<std::string> undefined;
  for (llvm::GlobalValue &value : module->global_values())
    if (value.isDeclaration() && !value.getName().starts_with("llvm.") &&
        value.getName() != "plm_weights")
      undefined.push_back(value.getName().str());
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, os, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return llvm::createStringError("internal: the target emits no objects");
  codegen.run(*module);
  os.close();
  if (os.has_error()) {
    std::error_code failure = os.error();
    os.clear_error();
    return llvm::createStringError(failure, "cannot write " + path + ": " +
                                                failure.message());
  }
  return undefined;
}
