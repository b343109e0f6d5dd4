//===- WeightStore.h - Weights as attributes, equal ones once ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layers that share a weight are often exported as copies of it (and always
// are when a tool writes one initializer per use), so weights are identified
// by content, not by name. Each distinct one becomes one resource whose blob
// is the range of the mapped file. The store outlives the rounds of an import:
// resources belong to the MLIR context and are never freed before it.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_WEIGHTSTORE_H
#define PLMC_FRONTEND_ONNX_WEIGHTSTORE_H

#include "Literal.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringSet.h"
#include <deque>

namespace plmc::importer {

struct Weight {
  LiteralPtr literal;
  mlir::DenseResourceElementsAttr value;
  std::string symbol; // unique in the model
};

class WeightStore {
public:
  explicit WeightStore(mlir::MLIRContext *context) : context(context) {}
  /// The weight with this type and content; a new one gets a symbol after
  /// `name`.
  const Weight &intern(const LiteralPtr &literal, llvm::StringRef name);

private:
  mlir::MLIRContext *context;
  std::deque<Weight> weights;
  llvm::DenseMap<uint64_t, llvm::SmallVector<Weight *, 1>> byHash;
  llvm::DenseMap<const Literal *, Weight *> byLiteral;
  llvm::StringSet<> symbols;
  std::vector<LiteralPtr> keepAlive;
};

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_WEIGHTSTORE_H
