//===- PruneOutputs.cpp - Keep only the outputs that are asked for --------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Passes/PruneOutputs.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/Counters.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace plmc {
#define GEN_PASS_DECL_PRUNEOUTPUTS
#define GEN_PASS_DEF_PRUNEOUTPUTS
#include "Passes.h.inc"
} // namespace plmc

namespace {

constexpr StringLiteral nameAttr = "plm.name";

std::string outputName(func::FuncOp func, unsigned index) {
  auto name = func.getResultAttrOfType<StringAttr>(index, nameAttr);
  return name ? name.str() : std::to_string(index);
}

struct PruneOutputs : plmc::impl::PruneOutputsBase<PruneOutputs> {
  using PruneOutputsBase::PruneOutputsBase;

  void runOnOperation() override;

private:
  FailureOr<llvm::BitVector> chooseResults(func::FuncOp func);
  int64_t eraseDeadOps(func::FuncOp func);
  void eraseUnusedParameters();
  void count(StringRef name, int64_t value) {
    plmc::addCounter(getOperation(), getArgument(), name, value);
  }
};

} // namespace

/// The results to erase; fails when a wanted name is not an output.
FailureOr<llvm::BitVector> PruneOutputs::chooseResults(func::FuncOp func) {
  llvm::StringSet<> wanted;
  for (const std::string &name : outputs)
    wanted.insert(name);
  llvm::StringSet<> known;
  llvm::BitVector erased(func.getNumResults());
  std::string list;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    std::string name = outputName(func, i);
    list += (i ? ", " : "") + name;
    known.insert(name);
    if (!wanted.contains(name))
      erased.set(i);
  }
  for (const std::string &name : outputs)
    if (!known.contains(name))
      return func.emitError()
             << "there is no output '" << name << "'; the model has: " << list;
  return erased;
}

/// Backwards once: an op's users come after it.
int64_t PruneOutputs::eraseDeadOps(func::FuncOp func) {
  int64_t erased = 0;
  for (Block &block : func.getBody())
    for (Operation &op :
         llvm::make_early_inc_range(llvm::reverse(block.getOperations())))
      if (isOpTriviallyDead(&op)) {
        // Reads of parameters are not work; they are counted as parameters.
        erased += !isa<plmc::plm::GetParameterOp>(op);
        op.erase();
      }
  return erased;
}

void PruneOutputs::eraseUnusedParameters() {
  llvm::DenseSet<StringRef> used;
  if (std::optional<SymbolTable::UseRange> uses =
          SymbolTable::getSymbolUses(&getOperation().getBodyRegion()))
    for (SymbolTable::SymbolUse use : *uses)
      used.insert(use.getSymbolRef().getRootReference().getValue());
  else
    return; // an op of an unknown dialect may refer to anything
  int64_t parameters = 0, bytes = 0;
  for (auto parameter : llvm::make_early_inc_range(
           getOperation().getOps<plmc::plm::ParameterOp>())) {
    if (used.contains(parameter.getSymName()))
      continue;
    RankedTensorType type = parameter.getTensorType();
    ++parameters;
    bytes += type.getNumElements() *
             llvm::divideCeil(type.getElementTypeBitWidth(), 8);
    parameter.erase();
  }
  count("parameters removed", parameters);
  count("bytes removed", bytes);
}

void PruneOutputs::runOnOperation() {
  if (outputs.empty())
    return markAllAnalysesPreserved();
  for (auto func : getOperation().getOps<func::FuncOp>()) {
    if (func.isDeclaration())
      continue;
    FailureOr<llvm::BitVector> erased = chooseResults(func);
    if (failed(erased))
      return signalPassFailure();
    if (erased->none())
      continue;
    for (auto op : llvm::make_early_inc_range(func.getOps<func::ReturnOp>())) {
      SmallVector<Value> kept;
      for (auto [index, value] : llvm::enumerate(op.getOperands()))
        if (!erased->test(index))
          kept.push_back(value);
      op->setOperands(kept);
    }
    if (failed(func.eraseResults(*erased)))
      return signalPassFailure();
    count("outputs removed", erased->count());
    count("operations removed", eraseDeadOps(func));
  }
  eraseUnusedParameters();
}

std::unique_ptr<Pass>
plmc::createPruneOutputsPass(ArrayRef<std::string> outputs) {
  PruneOutputsOptions options;
  options.outputs.assign(outputs.begin(), outputs.end());
  return std::make_unique<PruneOutputs>(options);
}

void plmc::registerPrunePasses() {
  registerPass([] { return createPruneOutputsPass(); });
}
