//===- InitAll.cpp - All dialects and passes of plmc ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/InitAll.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "plmc/CodeGen/Compile.h"
#include "plmc/Dialect/PLK/PLK.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Passes/EmbeddingFactorization.h"
#include "plmc/Passes/LayerSharing.h"
#include "plmc/Passes/LowRank.h"
#include "plmc/Passes/ProductQuantization.h"
#include "plmc/Passes/PruneOutputs.h"
#include "plmc/Passes/Pruning.h"
#include "plmc/Passes/Quantization.h"
#include "plmc/Passes/SetPrecision.h"
#include "plmc/Passes/VocabularyReduction.h"

void plmc::registerAllDialects(mlir::DialectRegistry &registry) {
  registry.insert<plm::PLMDialect, plk::PLKDialect, mlir::func::FuncDialect,
                  mlir::arith::ArithDialect, mlir::LLVM::LLVMDialect,
                  mlir::math::MathDialect, mlir::scf::SCFDialect,
                  mlir::vector::VectorDialect>();
}

void plmc::registerAllPasses() {
  mlir::registerCanonicalizerPass();
  mlir::registerCSEPass();
  mlir::registerSymbolDCEPass();
  mlir::registerStripDebugInfoPass();
  registerRecognitionPasses();
  registerEmbeddingFactorizationPasses();
  registerLayerSharingPasses();
  registerLowRankPasses();
  registerProductQuantizationPasses();
  registerPrunePasses();
  registerPrecisionPasses();
  registerPruningPasses();
  registerQuantizationPasses();
  registerVocabularyPasses();
  registerCodeGenPasses();
}
