//===- ReplaceRows.cpp - Another vocabulary for a model
//----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ReplaceRows.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace plmc;
using llvm::Error;

namespace {

class RowReplacement {
public:
  RowReplacement(VocabularyUses &uses, func::FuncOp func, SymbolTable &symbols,
                 ArrayRef<RowMix> rows)
      : uses(uses), func(func), symbols(symbols), rows(rows) {}
  Error run();

private:
  Error checkIds(Value ids);
  llvm::Expected<Value> replaced(Operation *op, Value old, int64_t axis);
  Error replaceDecoder(plm::LinearOp op);

  VocabularyUses &uses;
  func::FuncOp func;
  SymbolTable &symbols;
  ArrayRef<RowMix> rows;
  llvm::StringMap<FlatSymbolRefAttr> known; // by old symbol and axis
};

} // namespace

/// Position ids of RoBERTa come from where the ids are the padding's: that
/// stays right as long as the padding keeps its id.
Error RowReplacement::checkIds(Value ids) {
  for (OpOperand &use : ids.getUses()) {
    Operation *op = use.getOwner();
    if (llvm::is_contained(uses.embeddings, op))
      continue;
    if (isa<plm::CastOp>(op)) {
      if (Error error = checkIds(op->getResult(0)))
        return error;
      continue;
    }
    auto binary = dyn_cast<plm::BinaryOp>(op);
    Operation *other =
        binary ? op->getOperand(1 - use.getOperandNumber()).getDefiningOp()
               : nullptr;
    bool compares = binary && (binary.getKind() == plm::BinaryKind::Eq ||
                               binary.getKind() == plm::BinaryKind::Ne);
    if (!compares || !isa_and_present<plm::ConstantOp>(other))
      return errorAt(op, "computes with the token ids, which would change");
    auto value = evaluateOp(other, {}, {});
    if (!value)
      return value.takeError();
    for (int64_t i = 0; i < value->numElements(); ++i) {
      int64_t id = value->getInt(i);
      // No id of either vocabulary: never equal, before and after.
      if ((id < 0 || id >= uses.rows) && (id < 0 || id >= int64_t(rows.size())))
        continue;
      if (id < 0 || id >= int64_t(rows.size()) || rows[id].size() != 1 ||
          rows[id].front().first != id)
        return errorAt(op, "compares with the token id " + Twine(id) +
                               ", which would change");
    }
  }
  return Error::success();
}

/// The parameter or constant `old` with other entries along `axis`.
llvm::Expected<Value> RowReplacement::replaced(Operation *op, Value old,
                                               int64_t axis) {
  auto get = old.getDefiningOp<plm::GetParameterOp>();
  std::string name = get ? get.getParameter().str() : "decoder.bias";
  auto type = cast<RankedTensorType>(old.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[axis] = rows.size();
  auto changed = RankedTensorType::get(shape, type.getElementType());
  OpBuilder builder(op);
  FlatSymbolRefAttr &symbol = known[name + "|" + std::to_string(axis)];
  if (get && symbol)
    return plm::GetParameterOp::create(builder, op->getLoc(), changed, symbol)
        .getResult();
  if (!type.getElementType().isF32())
    return errorAt(op, "has a parameter over the vocabulary that is not f32");
  auto tensor =
      get ? tensorFromAttr(
                symbols.lookup<plm::ParameterOp>(get.getParameter()).getValue())
          : evaluateOp(old.getDefiningOp(), {}, {});
  if (!tensor)
    return errorAt(op, "has a parameter without a value: " +
                           llvm::toString(tensor.takeError()));
  const float *from = tensor->as<float>();
  int64_t outer = axis == 0 ? 1 : shape[0];
  int64_t inner = axis + 1 == int64_t(shape.size()) ? 1 : shape.back();
  std::vector<float> values(outer * rows.size() * inner);
  for (int64_t o = 0; o < outer; ++o)
    for (auto [place, mix] : llvm::enumerate(rows))
      for (int64_t i = 0; i < inner; ++i) {
        auto at = [&](int64_t id) {
          return from[(o * uses.rows + id) * inner + i];
        };
        float value = at(mix.front().first);
        if (mix.size() > 1) {
          double sum = 0;
          for (auto [id, weight] : mix)
            sum += weight * at(id);
          value = float(sum);
        }
        values[(o * rows.size() + place) * inner + i] = value;
      }
  Value result = addParameter(
      builder, symbols, name, changed,
      HeapAsmResourceBlob::allocateAndCopyInferAlign(ArrayRef<float>(values)));
  if (get)
    symbol = result.getDefiningOp<plm::GetParameterOp>().getParameterAttr();
  return result;
}

Error RowReplacement::replaceDecoder(plm::LinearOp op) {
  auto weight = replaced(op, op.getWeight(), op.getTransposed() ? 0 : 1);
  if (!weight)
    return weight.takeError();
  op.getWeightMutable().assign(*weight);
  if (op.getBias()) {
    auto bias = replaced(op, op.getBias(), 0);
    if (!bias)
      return bias.takeError();
    op.getBiasMutable().assign(*bias);
  }
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<DimExpr> dims = getDims(type);
  dims.back() = DimExpr(int64_t(rows.size()));
  op.getResult().setType(makeTensorType(dims, type.getElementType()));
  return Error::success();
}

Error RowReplacement::run() {
  for (BlockArgument ids : uses.ids)
    if (Error error = checkIds(ids))
      return error;
  for (plm::EmbeddingOp op : uses.embeddings) {
    auto table = replaced(op, op.getTable(), 0);
    if (!table)
      return table.takeError();
    op.getTableMutable().assign(*table);
  }
  for (plm::LinearOp op : uses.decoders)
    if (Error error = replaceDecoder(op))
      return error;
  auto end = cast<func::ReturnOp>(func.getBody().front().getTerminator());
  func.setFunctionType(
      FunctionType::get(func.getContext(), func.getArgumentTypes(),
                        SmallVector<Type>(end.getOperandTypes())));
  return Error::success();
}

Error plmc::replaceRows(VocabularyUses &uses, func::FuncOp func,
                        SymbolTable &symbols, ArrayRef<RowMix> rows) {
  return RowReplacement(uses, func, symbols, rows).run();
}
