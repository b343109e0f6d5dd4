//===- HalfBytes.cpp - Which integers ONNX can hold in 4 bits -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// In plm a weight of few bits is a parameter of bytes, and its plm.dequantize
// promises that the values are small. ONNX has the types INT4 and UINT4 for it,
// two numbers a byte, which only DequantizeLinear takes, and which values and
// zero points must have together. So it is decided for all that hang together:
// a parameter that anything else reads, or whose values are not small, keeps
// its bytes, and so do the others of each plm.dequantize that reads it.
// Operations and parameters are the two sides of a graph through which that
// spreads.
//
// ONNX Runtime has no types of 3 and 2 bits: these are written in 4.
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::onnx_export {
namespace {

/// All values of a parameter or constant fit in 4 bits.
bool isSmall(ElementsAttr attr) {
  llvm::Expected<HostTensor> tensor = tensorFromAttr(attr);
  if (!tensor) {
    llvm::consumeError(tensor.takeError());
    return false;
  }
  bool isSigned = tensor->dtype == DType::I8;
  if (!isSigned && tensor->dtype != DType::U8)
    return false;
  return llvm::all_of(tensor->data, [&](char byte) {
    auto value = static_cast<signed char>(byte);
    return isSigned ? value >= -8 && value < 8 : value >= 0 && value < 16;
  });
}

} // namespace

llvm::DenseSet<Operation *> findHalfBytes(ModuleOp module, func::FuncOp func) {
  SymbolTable symbols(module);
  // By what owns the numbers: a plm.parameter or a plm.constant.
  llvm::MapVector<Operation *, SmallVector<DequantizeOp>> readers;
  llvm::DenseMap<Operation *, SmallVector<Operation *>> owners;
  llvm::DenseSet<Operation *> refused;
  SmallVector<Operation *> work; // parameters that have been refused
  auto refuse = [&](Operation *owner) {
    if (refused.insert(owner).second)
      work.push_back(owner);
  };
  auto ownerOf = [&](Value value) -> Operation * {
    Operation *op = value.getDefiningOp();
    if (auto get = dyn_cast_or_null<GetParameterOp>(op))
      return symbols.lookup<ParameterOp>(get.getParameter());
    return isa_and_present<ConstantOp>(op) ? op : nullptr;
  };
  func.walk([&](DequantizeOp op) {
    SmallVector<Operation *> both{ownerOf(op.getInput())};
    if (op.getZeroPoint())
      both.push_back(ownerOf(op.getZeroPoint()));
    bool packs = op.getBits() <= 4 && !llvm::is_contained(both, nullptr);
    for (Operation *owner : both) {
      if (!owner)
        continue;
      readers[owner].push_back(op);
      owners[op].push_back(owner);
      if (!packs)
        refuse(owner);
    }
  });
  // Read by anything else?
  func.walk([&](Operation *op) {
    if (!isa<GetParameterOp, ConstantOp>(op))
      return;
    Operation *owner = ownerOf(op->getResult(0));
    if (!owner || !readers.count(owner))
      return;
    for (OpOperand &use : op->getResult(0).getUses()) {
      auto dequantize = dyn_cast<DequantizeOp>(use.getOwner());
      if (!dequantize || use.get() == dequantize.getScale())
        refuse(owner);
    }
  });
  for (auto &[owner, unused] : readers)
    if (!refused.contains(owner)) {
      auto parameter = dyn_cast<ParameterOp>(owner);
      if (!isSmall(parameter ? parameter.getValue()
                             : cast<ConstantOp>(owner).getValue()))
        refuse(owner);
    }
  while (!work.empty())
    for (DequantizeOp op : readers.lookup(work.pop_back_val()))
      for (Operation *owner : owners.lookup(op))
        refuse(owner);
  llvm::DenseSet<Operation *> result;
  for (auto &[owner, unused] : readers)
    if (!refused.contains(owner))
      result.insert(owner);
  return result;
}

std::vector<char> packHalfBytes(ArrayRef<char> bytes) {
  std::vector<char> packed((bytes.size() + 1) / 2);
  for (auto [index, byte] : llvm::enumerate(bytes))
    packed[index / 2] |= char((byte & 15) << (index % 2 * 4));
  return packed;
}

} // namespace plmc::onnx_export
