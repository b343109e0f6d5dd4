//===- PlanArena.cpp - Slots for activations --------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The sizes of activations are expressions (tokens * 1536 * 4), so offsets
// cannot be fixed at compile time; who may share with whom can. The plan is a
// linear scan over the straight-line function: a value takes a free slot of the
// same size expression if there is one, else any free slot, else a new one; it
// is given back after its last use. At run time a slot is as large as the
// largest of its values and offsets are running sums (Program/Shapes.cpp).
// For a BERT encoder this gives some eight slots whatever its depth. (The
// values of a chain do not share: RowChains.h.)
//
// Results of the function need no slot: they are written where the caller
// wants them. A reshape is its operand under another type.
//
//===----------------------------------------------------------------------===//

#include "Kernels/Kernels.h"
#include "ProgramEmitter.h"
#include "RowChains.h"
#include "TensorOps/TensorOps.h"
#include "plmc/CodeGen/Passes.h"
#include "plmc/Dialect/PLM/DimExpr.h"

namespace plmc {
#define GEN_PASS_DEF_PLANARENA
#include "plmc/CodeGen/Passes.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;

namespace {

bool needsStorage(Operation *op) {
  return op->getNumResults() == 1 && !isView(op);
}

struct Slot {
  SmallVector<std::string> sizes;
  bool free = false;
};

struct PlanArenaPass : plmc::impl::PlanArenaBase<PlanArenaPass> {
  void runOnOperation() override {
    auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
    if (!func || func.isExternal()) {
      getOperation().emitError("there is no function @forward to plan");
      return signalPassFailure();
    }
    Block &block = func.getBody().front();
    Builder builder(&getContext());

    // Last use of every storage.
    DenseMap<Value, Operation *> lastUse;
    for (Operation &op : block)
      for (Value operand : op.getOperands())
        lastUse[storageOf(operand)] = &op;
    // A chain runs block by block: its last op has not ended before all have.
    DenseMap<Operation *, Operation *> chainEnd;
    for (const RowChain &chain : findRowChains(block))
      for (Operation *op : chain.ops)
        chainEnd[op] = chain.ops.back();
    DenseMap<Operation *, SmallVector<Value>> ends;
    for (auto [value, op] : lastUse) {
      Operation *end = chainEnd.lookup_or(op, op);
      ends[continuesRows(end) ? end->getNextNode() : end].push_back(value);
    }

    // The first return of a computed value is computed in place, unless it is
    // computed before the mask is known: there are no outputs yet.
    Operation *maskEnd = nullptr;
    for (auto mask : block.getOps<plk::KeepMaskOp>())
      maskEnd = mask;
    DenseMap<Value, int64_t> inOutput;
    for (OpOperand &operand : block.getTerminator()->getOpOperands()) {
      Value storage = storageOf(operand.get());
      Operation *producer = storage.getDefiningOp();
      if (producer && needsStorage(producer) &&
          !(maskEnd && producer->isBeforeInBlock(maskEnd)))
        inOutput.try_emplace(storage, operand.getOperandNumber());
    }

    std::vector<Slot> slots;
    DenseMap<Value, int64_t> slotOf;
    for (Operation &op : block) {
      if (needsStorage(&op)) {
        Value result = op.getResult(0);
        auto output = inOutput.find(result);
        if (output != inOutput.end()) {
          op.setAttr(attrs::output, builder.getI32IntegerAttr(output->second));
        } else {
          int64_t slot = take(slots, cast<RankedTensorType>(result.getType()));
          slotOf[result] = slot;
          op.setAttr(attrs::slot, builder.getI32IntegerAttr(slot));
          if (!lastUse.count(result)) // never read
            ends[chainEnd.lookup_or(&op, &op)].push_back(result);
        }
      }
      // Operands end only after the result has its place: kernels read and
      // write different memory.
      for (Value value : ends.lookup(&op))
        if (auto it = slotOf.find(value); it != slotOf.end())
          slots[it->second].free = true;
    }

    planScratch(block, slots);

    SmallVector<Attribute> attributes;
    for (const Slot &slot : slots)
      attributes.push_back(builder.getStrArrayAttr(
          SmallVector<StringRef>(slot.sizes.begin(), slot.sizes.end())));
    getOperation()->setAttr(attrs::slots, builder.getArrayAttr(attributes));
  }

  /// All attention ops share one slot for what a thread needs while it works.
  static void planScratch(Block &block, std::vector<Slot> &slots) {
    Slot scratch;
    Builder builder(block.getParentOp()->getContext());
    for (auto attention : block.getOps<plk::AttentionOp>()) {
      DimExpr bytes = (DimExpr::symbol(maxRowsSymbol) + DimExpr(64)) *
                      DimExpr(attentionScratchBytesPerRow(
                          attention.getHeadSize(), attention.getValueSize())) *
                      DimExpr::symbol(threadsSymbol);
      if (!llvm::is_contained(scratch.sizes, bytes.str()))
        scratch.sizes.push_back(bytes.str());
      attention->setAttr(attrs::scratchSlot,
                         builder.getI32IntegerAttr(slots.size()));
    }
    if (!scratch.sizes.empty())
      slots.push_back(scratch);
  }

  static int64_t take(std::vector<Slot> &slots, RankedTensorType type) {
    DimExpr bytes(storageBytes(type.getElementType()));
    for (const DimExpr &dim : getDims(type))
      bytes = bytes * dim;
    std::string size = bytes.str();
    int64_t best = -1;
    for (auto [index, slot] : llvm::enumerate(slots)) {
      if (!slot.free)
        continue;
      if (llvm::is_contained(slot.sizes, size)) {
        best = index;
        break;
      }
      best = index;
    }
    if (best < 0) {
      best = slots.size();
      slots.emplace_back();
    }
    slots[best].free = false;
    if (!llvm::is_contained(slots[best].sizes, size))
      slots[best].sizes.push_back(size);
    return best;
  }
};

} // namespace
