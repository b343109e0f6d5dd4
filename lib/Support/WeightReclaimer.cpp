//===- WeightReclaimer.cpp - Frees weights of discarded modules -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/WeightReclaimer.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "plmc/Support/MappedFiles.h"

using namespace mlir;

namespace plmc {

static DialectResourceBlobManager &managerOf(MLIRContext *context) {
  return DenseResourceElementsHandle::getManagerInterface(context)
      .getBlobManager();
}

static std::vector<std::string> namesOf(MLIRContext *context) {
  std::vector<std::string> names;
  managerOf(context).getBlobMap([&](const auto &entries) {
    for (const auto &entry : entries)
      if (entry.second.getBlob() && !entry.second.getBlob()->getData().empty())
        names.push_back(entry.first().str());
  });
  return names;
}

WeightReclaimer::WeightReclaimer(MLIRContext *context) : context(context) {
  for (const std::string &name : namesOf(context))
    before.insert(name);
}

void WeightReclaimer::freeAllBut(ArrayRef<ModuleOp> kept) {
  llvm::StringSet<> live;
  AttrTypeWalker walker;
  walker.addWalk([&](DenseResourceElementsAttr values) {
    live.insert(values.getRawHandle().getKey());
  });
  for (ModuleOp module : kept)
    module->walk([&](Operation *op) { walker.walk(op->getAttrDictionary()); });
  for (const std::string &name : namesOf(context))
    if (!before.contains(name) && !live.contains(name))
      managerOf(context).update(name, AsmResourceBlob());
  releaseMemory();
}

} // namespace plmc
