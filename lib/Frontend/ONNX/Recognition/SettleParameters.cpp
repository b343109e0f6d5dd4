//===- SettleParameters.cpp - plm-settle-parameters -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Code generation packs a weight that is a parameter, not one that is computed.
// Where recognition left a view in front of a weight (the query's third of a
// fused projection, a bias [1, N], an einsum's [K, heads, d]), the view is
// taken now and becomes a parameter itself, with a name that tells where it is
// from: `encoder.0.qkv.weight` gives `encoder.0.qkv.weight.view`.
//
// Sharing stays: equal views of one parameter are one parameter, so ALBERT's
// layers still read the same weights after their projections were split. A
// reshape alone shares the bytes of the original. Other views are copies, and
// what nobody reads any more goes, so that memory never holds much more than
// the file did.
//
//===----------------------------------------------------------------------===//

#include "Passes.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/SymbolTable.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/CopiedBlob.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Support/xxhash.h"

namespace plmc {
#define GEN_PASS_DEF_SETTLEPARAMETERSPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

DenseResourceElementsAttr resource(RankedTensorType type, StringRef name,
                                   ArrayRef<char> bytes) {
  return DenseResourceElementsAttr::get(type, name, copiedBlob(bytes, 64));
}

class Settler {
public:
  explicit Settler(ModuleOp module) : module(module), symbols(module) {}

  /// Makes the operand a parameter if it is a view of one, or a constant
  /// matrix.
  void settle(OpOperand &operand);
  /// Erases the parameters of which only views were read.
  void eraseUnread();

private:
  ParameterOp store(ArrayRef<Operation *> views, Operation *root,
                    StringRef suffix);
  ParameterOp create(OpBuilder &builder, Location loc, StringRef name,
                     ElementsAttr value);
  ElementsAttr evaluate(ArrayRef<Operation *> views, Operation *root,
                        RankedTensorType type, StringRef name);

  ModuleOp module;
  SymbolTable symbols;
  llvm::StringMap<ParameterOp> stored; // by source and views
  llvm::StringMap<ParameterOp> byContent;
  llvm::StringSet<> sources;
};

std::optional<StringRef> bytesOf(ElementsAttr value) {
  auto shared = dyn_cast<DenseResourceElementsAttr>(value);
  AsmResourceBlob *blob = shared ? shared.getRawHandle().getBlob() : nullptr;
  if (!blob)
    return std::nullopt;
  return StringRef(blob->getData().data(), blob->getData().size());
}

/// What was done, as text: equal texts are equal views.
std::string describe(ArrayRef<Operation *> views, Operation *root) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << root->getAttrDictionary();
  for (Operation *view : views)
    os << '|' << view->getName().getStringRef() << view->getAttrDictionary()
       << view->getResult(0).getType();
  return text;
}

ElementsAttr Settler::evaluate(ArrayRef<Operation *> views, Operation *root,
                               RankedTensorType type, StringRef name) {
  ElementsAttr source;
  if (auto get = dyn_cast<GetParameterOp>(root)) {
    auto parameter = symbols.lookup<ParameterOp>(get.getParameter());
    if (!parameter)
      return {};
    source = parameter.getValue();
  } else {
    source = cast<ConstantOp>(root).getValue();
  }
  bool keepsOrder =
      llvm::all_of(views, [](Operation *view) { return isa<ReshapeOp>(view); });
  if (keepsOrder)
    if (auto shared = dyn_cast<DenseResourceElementsAttr>(source))
      return DenseResourceElementsAttr::get(type, shared.getRawHandle());
  llvm::Expected<HostTensor> value = tensorFromAttr(source);
  for (Operation *view : views)
    if (value) {
      HostTensor operand = std::move(*value);
      value = evaluateOp(view, operand, {});
    }
  if (!value) { // bytes that were elided: the view stays
    llvm::consumeError(value.takeError());
    return {};
  }
  return resource(type, name, value->data);
}

ParameterOp Settler::store(ArrayRef<Operation *> views, Operation *root,
                           StringRef suffix) {
  ParameterOp &result = stored[describe(views, root)];
  if (result)
    return result;
  Operation *last = views.empty() ? root : views.back();
  auto type = typeOf(last->getResult(0));
  std::string name = "constant";
  OpBuilder builder(module.getBody(), module.getBody()->begin());
  if (auto get = dyn_cast<GetParameterOp>(root)) {
    name = (get.getParameter() + "." + suffix).str();
    sources.insert(get.getParameter());
    if (auto parameter = symbols.lookup<ParameterOp>(get.getParameter()))
      builder.setInsertionPointAfter(parameter);
  }
  ElementsAttr value = evaluate(views, root, type, name);
  if (!value)
    return {};
  // Another way to the same elements.
  if (auto bytes = bytesOf(value)) {
    std::string key =
        llvm::formatv("{0} {1} {2:x}", name, type, llvm::xxh3_64bits(*bytes));
    ParameterOp &same = byContent[key];
    if (same && bytesOf(same.getValue()) == bytes)
      return result = same;
    if (!same)
      return same = result = create(builder, root->getLoc(), name, value);
  }
  return result = create(builder, root->getLoc(), name, value);
}

ParameterOp Settler::create(OpBuilder &builder, Location loc, StringRef name,
                            ElementsAttr value) {
  auto result = ParameterOp::create(builder, loc, name, value);
  symbols.insert(result); // renames on a clash
  return result;
}

void Settler::settle(OpOperand &operand) {
  Value value = operand.get();
  if (value.getDefiningOp<GetParameterOp>() || !isParameterView(value))
    return;
  llvm::SmallVector<Operation *> views;
  StringRef suffix = "view";
  for (; !isWeight(value); value = value.getDefiningOp()->getOperand(0)) {
    views.push_back(value.getDefiningOp());
    if (auto label = views.back()->getAttrOfType<StringAttr>(viewNameAttr))
      suffix = label.getValue();
  }
  std::reverse(views.begin(), views.end());
  // Code generation stores constant vectors itself.
  if (typeOf(value).getElementType().isInteger(1) ||
      (views.empty() && typeOf(value).getRank() != 2))
    return;
  if (ParameterOp parameter = store(views, value.getDefiningOp(), suffix)) {
    OpBuilder builder(operand.getOwner());
    operand.set(GetParameterOp::create(builder, parameter.getLoc(),
                                       parameter.getTensorType(),
                                       FlatSymbolRefAttr::get(parameter)));
  }
}

void Settler::eraseUnread() {
  llvm::StringSet<> read;
  module.walk([&](GetParameterOp get) { read.insert(get.getParameter()); });
  for (const auto &source : sources)
    if (!read.contains(source.getKey()))
      if (Operation *parameter = symbols.lookup(source.getKey()))
        symbols.erase(parameter);
}

/// Which operands code generation wants stored.
bool wantsParameter(OpOperand &operand) {
  Operation *op = operand.getOwner();
  unsigned index = operand.getOperandNumber();
  if (isa<LinearOp, LayerNormOp>(op))
    return index >= 1;
  if (isa<EmbeddingOp>(op))
    return index == 1;
  if (isa<PositionEmbeddingOp>(op))
    return index == 0;
  // The scales, too.
  return isa<DequantizeOp>(op);
}

struct SettleParameters
    : public plmc::impl::SettleParametersPassBase<SettleParameters> {
  void runOnOperation() override {
    Settler settler(getOperation());
    llvm::SmallVector<OpOperand *> operands;
    getOperation().walk([&](Operation *op) {
      for (OpOperand &operand : op->getOpOperands())
        if (wantsParameter(operand))
          operands.push_back(&operand);
    });
    for (OpOperand *operand : operands)
      settler.settle(*operand);
    eraseDeadOps(getOperation());
    settler.eraseUnread();
  }
};

} // namespace
