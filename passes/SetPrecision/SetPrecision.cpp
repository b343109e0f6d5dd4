//===- SetPrecision.cpp - Products below f32 ------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A parameter is often read more than once: shared layers, the decoder of a
// masked language model that is its word table. Every reader whose scales lie
// along the same axis gets the same integers, so what was shared stays shared.
//
//===----------------------------------------------------------------------===//

#include "plmc/Passes/SetPrecision.h"
#include "QuantizeMatrix.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"
#include "plmc/Support/HostTensor.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_SETPRECISION
#define GEN_PASS_DEF_SETPRECISION
#include "Passes.h.inc"
} // namespace plmc

namespace {

struct SetPrecision : plmc::impl::SetPrecisionBase<SetPrecision> {
  using SetPrecisionBase::SetPrecisionBase;

  void runOnOperation() override;

private:
  using Form = plmc::QuantizedForm;
  struct Stored {
    FlatSymbolRefAttr values, scales, zeroPoints;
  };
  /// Of a weight; 0: it is no integer.
  int64_t weightBits() const {
    int64_t bits = 0;
    StringRef text = precision.getValue();
    return text.consume_front("int") && !text.getAsInteger(10, bits) ? bits : 0;
  }
  /// The largest group up to the one asked for that divides `length`; 0: none.
  int64_t blockFor(int64_t length) const {
    for (int64_t size = groupSize; size >= 32; size /= 2)
      if (length % size == 0 && length != size)
        return size;
    return 0;
  }
  LogicalResult setLinear(LinearOp op);
  LogicalResult setTable(Operation *op, OpOperand &table);
  void setAttention(AttentionOp op);
  /// The f32 matrix parameter that `value` reads, if it is large enough.
  ParameterOp matrixOf(Value value);
  FailureOr<Value> dequantized(OpBuilder &builder, GetParameterOp get,
                               ParameterOp parameter, Form form);
  FailureOr<Stored> quantize(ParameterOp parameter, Form form);
  FlatSymbolRefAttr addParameter(ParameterOp before, const Twine &name,
                                 DenseResourceElementsAttr value);
  void eraseUnused();
  void count(StringRef name, int64_t value) {
    plmc::addCounter(getOperation(), getArgument(), name, value);
  }

  std::optional<SymbolTable> symbols;
  std::map<std::pair<Operation *, Form>, Stored> stored;
};

} // namespace

ParameterOp SetPrecision::matrixOf(Value value) {
  auto get = value.getDefiningOp<GetParameterOp>();
  if (!get)
    return nullptr;
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() != 2 || !type.getElementType().isF32() ||
      type.getNumElements() < minElements)
    return nullptr;
  return symbols->lookup<ParameterOp>(get.getParameter());
}

FlatSymbolRefAttr SetPrecision::addParameter(ParameterOp before,
                                             const Twine &name,
                                             DenseResourceElementsAttr value) {
  OpBuilder builder(before);
  auto parameter =
      ParameterOp::create(builder, before.getLoc(), name.str(), value);
  symbols->insert(parameter, Block::iterator(before)); // renames on a clash
  return FlatSymbolRefAttr::get(parameter);
}

FailureOr<SetPrecision::Stored> SetPrecision::quantize(ParameterOp parameter,
                                                       Form form) {
  Stored &known = stored[{parameter, form}];
  if (known.values)
    return known;
  plmc::HostTensor copy;
  ArrayRef<char> bytes;
  if (std::optional<ArrayRef<char>> there = parameter.getBytes()) {
    bytes = *there;
  } else {
    auto tensor = plmc::tensorFromAttr(parameter.getValue());
    if (!tensor)
      return parameter.emitError()
             << "@" << parameter.getSymName()
             << " has no value: " << llvm::toString(tensor.takeError());
    copy = std::move(*tensor);
    bytes = copy.data;
  }
  RankedTensorType type = parameter.getTensorType();
  int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
  if (int64_t(bytes.size()) != rows * columns * 4)
    return parameter.emitError()
           << "@" << parameter.getSymName() << " has no value";
  plmc::QuantizedMatrix matrix =
      plmc::quantizeMatrix(bytes, rows, columns, form);

  Builder builder(&getContext());
  std::string name = parameter.getSymName().str();
  SmallVector<int64_t> scaleShape{form.axis == 0 ? rows : columns};
  if (form.block) {
    scaleShape = {rows, columns};
    int64_t &divided = scaleShape[1 - form.axis];
    divided = llvm::divideCeil(divided, form.block);
  }
  auto blob = [](auto values) {
    return plmc::copiedBlob(ArrayRef(values.data(), values.size()));
  };
  known.values = addParameter(
      parameter, name + ".q" + Twine(form.bits),
      DenseResourceElementsAttr::get(
          RankedTensorType::get({rows, columns}, builder.getI8Type()), name,
          blob(matrix.values)));
  known.scales =
      addParameter(parameter, name + ".scale",
                   DenseResourceElementsAttr::get(
                       RankedTensorType::get(scaleShape, builder.getF32Type()),
                       name, blob(matrix.scales)));
  if (form.asymmetric)
    known.zeroPoints =
        addParameter(parameter, name + ".zero_point",
                     DenseResourceElementsAttr::get(
                         RankedTensorType::get(scaleShape, builder.getI8Type()),
                         name, blob(matrix.zeroPoints)));
  count("parameters quantised", 1);
  return known;
}

FailureOr<Value> SetPrecision::dequantized(OpBuilder &builder,
                                           GetParameterOp get,
                                           ParameterOp parameter, Form form) {
  FailureOr<Stored> matrix = quantize(parameter, form);
  if (failed(matrix))
    return failure();
  auto read = [&](FlatSymbolRefAttr symbol) -> Value {
    auto source = symbols->lookup<ParameterOp>(symbol.getValue());
    return GetParameterOp::create(builder, get.getLoc(), source.getTensorType(),
                                  symbol);
  };
  auto op = DequantizeOp::create(
      builder, get.getLoc(), get.getType(), read(matrix->values),
      read(matrix->scales),
      matrix->zeroPoints ? read(matrix->zeroPoints) : Value(),
      form.block ? 1 - form.axis : form.axis, form.block, form.bits);
  return op.getResult();
}

LogicalResult SetPrecision::setLinear(LinearOp op) {
  ParameterOp parameter = matrixOf(op.getWeight());
  if (!parameter || op.getPrecision() ||
      (op.getBias() && !isa_and_present<GetParameterOp, ConstantOp>(
                           op.getBias().getDefiningOp())))
    return success();
  if (precision == "bf16") {
    op.setPrecision(Precision::BF16);
    count("products in bf16", 1);
    return success();
  }
  RankedTensorType type = parameter.getTensorType();
  int64_t axis = op.getTransposed() ? 0 : 1; // of the columns of the product
  int64_t k = type.getDimSize(1 - axis);
  if (k > (int64_t(1) << 16)) // sums must fit 32 bits
    return success();
  Form form{axis, 0, weightBits()};
  if (form.bits < 8)
    form.block = blockFor(k);
  form.asymmetric = form.bits < 4;
  form.scalesInBF16 = form.block != 0; // see IntegerWeights.cpp
  OpBuilder builder(op);
  FailureOr<Value> weight = dequantized(
      builder, op.getWeight().getDefiningOp<GetParameterOp>(), parameter, form);
  if (failed(weight))
    return failure();
  op.getWeightMutable().assign(*weight);
  op.setPrecision(Precision::Int8);
  count("products in int8", 1);
  return success();
}

/// Its operands are computed while the model runs; int8 would need their ranges
/// head by head, and gains little over bf16 below some hundred tokens.
void SetPrecision::setAttention(AttentionOp op) {
  auto isF32 = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getElementType().isF32();
  };
  if (op.getPrecision() || !isF32(op.getQuery()) || !isF32(op.getResult()))
    return;
  op.setPrecision(Precision::BF16);
  count("attentions in bf16", 1);
}

/// A table is read row by row: a scale for each row. Where many ids share the
/// rows of a smaller table, through plm.gather, it is that one.
LogicalResult SetPrecision::setTable(Operation *op, OpOperand &table) {
  if (auto gather = table.get().getDefiningOp<GatherOp>();
      gather && gather.getAxis() == 0)
    return setTable(gather, gather.getDataMutable());
  ParameterOp parameter = matrixOf(table.get());
  if (!parameter || precision == "bf16")
    return success();
  OpBuilder builder(op);
  Form form{0, 0, tableBits};
  if (!tableBits) // below 4 bits a table loses more than a product does
    form.bits = weightBits() <= 4 ? 4 : 8;
  if (form.bits < 8)
    form.block = blockFor(parameter.getTensorType().getDimSize(1));
  // No zero points, which would be a byte for each block: the values of a row
  // lie about 0.
  form.signedScales = form.bits < 4;
  form.scalesInBF16 = true; // half the bytes: see LowerTables.cpp
  FailureOr<Value> value = dequantized(
      builder, table.get().getDefiningOp<GetParameterOp>(), parameter, form);
  if (failed(value))
    return failure();
  table.set(*value);
  count("tables in int" + std::to_string(form.bits), 1);
  return success();
}

void SetPrecision::eraseUnused() {
  llvm::DenseSet<StringRef> used;
  getOperation().walk([&](GetParameterOp get) {
    if (get->use_empty())
      get->erase();
    else
      used.insert(get.getParameter());
  });
  for (auto parameter :
       llvm::make_early_inc_range(getOperation().getOps<ParameterOp>()))
    if (!used.contains(parameter.getSymName()) &&
        SymbolTable::symbolKnownUseEmpty(parameter, getOperation()))
      symbols->erase(parameter);
}

void SetPrecision::runOnOperation() {
  if (precision == "f32")
    return markAllAnalysesPreserved();
  if (!llvm::is_contained({"bf16", "int8", "int4", "int3", "int2"},
                          precision.getValue())) {
    getOperation().emitError()
        << "precision=" << precision.getValue()
        << ": known are f32, bf16, int8, int4, int3, int2";
    return signalPassFailure();
  }
  if (groupSize != 0 && groupSize != 32 && groupSize != 64 &&
      groupSize != 128) {
    getOperation().emitError() << "group-size=" << groupSize.getValue()
                               << ": known are 0, 32, 64, 128";
    return signalPassFailure();
  }
  if (!llvm::is_contained({0, 2, 3, 4, 8}, tableBits.getValue())) {
    getOperation().emitError()
        << "table-bits=" << tableBits.getValue() << ": known are 0, 2, 3, 4, 8";
    return signalPassFailure();
  }
  stored.clear();
  symbols.emplace(getOperation());
  SmallVector<Operation *> ops;
  getOperation().walk([&](Operation *op) { ops.push_back(op); });
  for (Operation *op : ops) {
    LogicalResult status = success();
    if (auto linear = dyn_cast<LinearOp>(op))
      status = setLinear(linear);
    else if (auto attention = dyn_cast<AttentionOp>(op))
      setAttention(attention);
    else if (auto embedding = dyn_cast<EmbeddingOp>(op))
      status = setTable(op, embedding.getTableMutable());
    else if (auto position = dyn_cast<PositionEmbeddingOp>(op))
      status = setTable(op, position.getTableMutable());
    if (failed(status))
      return signalPassFailure();
  }
  eraseUnused();
}

std::unique_ptr<Pass> plmc::createSetPrecisionPass(StringRef precision,
                                                   int64_t groupSize,
                                                   int64_t minElements,
                                                   int64_t tableBits) {
  SetPrecisionOptions options;
  options.precision = precision.str();
  options.groupSize = groupSize;
  options.tableBits = tableBits;
  options.minElements = minElements;
  return std::make_unique<SetPrecision>(options);
}

void plmc::registerPrecisionPasses() {
  registerPass([] { return createSetPrecisionPass("f32"); });
}
