//===- TensorOps.cpp - plm tensor operations as ONNX nodes ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc::onnx_export {
namespace {

using Writer = GraphWriter;

void write(Writer &w, UnaryOp op) {
  static constexpr StringLiteral names[] = {
      "Neg",        "Abs", "Exp",   "Log",   "Sqrt",  "",
      "Reciprocal", "Erf", "Floor", "Ceil",  "Sin",   "Cos",
      "Sign",       "Not", "IsNaN", "IsInf", "Round", "Softplus"};
  std::string input = w.nameOf(op.getInput());
  std::string output = w.nameOf(op.getResult());
  if (op.getKind() == UnaryKind::Rsqrt) {
    w.node("Reciprocal", {w.node("Sqrt", {input})}, {}, output);
    return;
  }
  w.node(names[size_t(op.getKind())], {input}, {}, output);
}

void write(Writer &w, BinaryOp op) {
  static constexpr StringLiteral names[] = {
      "Add", "Sub",  "Mul",         "Div",     "Pow",           "Min",
      "Max", "Mod",  "And",         "Or",      "Xor",           "Equal",
      "",    "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  SmallVector<std::string> inputs = {w.nameOf(op.getLhs()),
                                     w.nameOf(op.getRhs())};
  std::string output = w.nameOf(op.getResult());
  DType dtype = dtypeOf(op.getLhs());
  std::string name = names[size_t(op.getKind())].str();
  SmallVector<Attr> attrs;
  switch (op.getKind()) {
  case BinaryKind::Ne:
    w.node("Not", {w.node("Equal", inputs)}, {}, output);
    return;
  case BinaryKind::Mod:
    if (isFloat(dtype))
      attrs.push_back(Attr::of("fmod", int64_t(1)));
    break;
  case BinaryKind::And:
  case BinaryKind::Or:
  case BinaryKind::Xor:
    if (dtype != DType::Bool)
      name = "Bitwise" + name;
    break;
  default:
    break;
  }
  w.node(name, inputs, attrs, output);
}

void write(Writer &w, SelectOp op) {
  w.node("Where",
         {w.nameOf(op.getCondition()), w.nameOf(op.getOnTrue()),
          w.nameOf(op.getOnFalse())},
         {}, w.nameOf(op.getResult()));
}

void write(Writer &w, CastOp op) {
  w.node("Cast", {w.nameOf(op.getInput())},
         {Attr::of("to", int64_t(onnxType(dtypeOf(op.getResult()))))},
         w.nameOf(op.getResult()));
}

/// Zeros in the shape of the scale; in 4 bits with `halfBytes`.
std::string zeroPoint(Writer &w, Value scale, DType dtype,
                      bool halfBytes = false) {
  auto type = cast<RankedTensorType>(scale.getType());
  if (type.getRank() == 0 && !halfBytes)
    return w.scalar(0, dtype);
  int64_t count = type.hasStaticShape() ? type.getNumElements() : 0;
  Initializer zeros{
      w.freshName("zero_point"), dtype, {}, {}, nullptr, halfBytes};
  zeros.shape.assign(type.getShape().begin(), type.getShape().end());
  zeros.own(std::vector<char>(halfBytes ? (count + 1) / 2
                                        : count * dtypeSize(dtype)));
  std::string name = zeros.name;
  w.addInitializer(std::move(zeros));
  return name;
}

void write(Writer &w, QuantizeOp op) {
  // Without a zero point the result would be uint8.
  SmallVector<std::string> inputs = {w.nameOf(op.getInput()),
                                     w.nameOf(op.getScale())};
  DType dtype = dtypeOf(op.getResult());
  inputs.push_back(op.getZeroPoint() ? w.nameOf(op.getZeroPoint())
                                     : zeroPoint(w, op.getScale(), dtype));
  w.node("QuantizeLinear", inputs, {Attr::of("axis", int64_t(op.getAxis()))},
         w.nameOf(op.getResult()));
}

void write(Writer &w, DequantizeOp op) {
  SmallVector<std::string> inputs = {w.nameOf(op.getInput()),
                                     w.nameOf(op.getScale())};
  // ONNX Runtime 1.32 refuses a list of scales without zero points once it has
  // moved the node.
  if (op.getZeroPoint())
    inputs.push_back(w.nameOf(op.getZeroPoint()));
  else if (!dimsOf(op.getScale()).empty())
    inputs.push_back(zeroPoint(w, op.getScale(), dtypeOf(op.getInput()),
                               w.halfBytes.contains(op.getInput())));
  SmallVector<Attr> attributes{Attr::of("axis", int64_t(op.getAxis()))};
  if (op.getBlockSize())
    attributes.push_back(Attr::of("block_size", int64_t(op.getBlockSize())));
  w.node("DequantizeLinear", inputs, attributes, w.nameOf(op.getResult()));
}

void write(Writer &w, MatmulOp op) {
  w.node("MatMul", {w.nameOf(op.getLhs()), w.nameOf(op.getRhs())}, {},
         w.nameOf(op.getResult()));
}

void write(Writer &w, TransposeOp op) {
  w.node("Transpose", {w.nameOf(op.getInput())},
         {Attr::of("perm", op.getPermutation())}, w.nameOf(op.getResult()));
}

/// The target shape needs no arithmetic where the input's dimension can be
/// copied (0) or one dimension is left to infer (-1).
void write(Writer &w, ReshapeOp op) {
  SmallVector<DimExpr> from = dimsOf(op.getInput()),
                       to = dimsOf(op.getResult());
  SmallVector<int64_t> spelled;
  unsigned inferred = 0;
  bool empty = false;
  for (auto [axis, expr] : llvm::enumerate(to)) {
    std::optional<int64_t> value = expr.constant();
    empty |= value == 0;
    if (value)
      spelled.push_back(*value);
    else if (axis < from.size() && from[axis] == expr)
      spelled.push_back(0);
    else
      spelled.push_back(-1), ++inferred;
  }
  bool plain = inferred <= 1 && !empty;
  SmallVector<Attr> attrs;
  if (!plain)
    attrs.push_back(Attr::of("allowzero", int64_t(1)));
  w.node("Reshape",
         {w.nameOf(op.getInput()), plain ? w.ints(spelled) : w.dims(to)}, attrs,
         w.nameOf(op.getResult()));
}

void write(Writer &w, BroadcastOp op) {
  w.node("Expand", {w.nameOf(op.getInput()), w.dims(dimsOf(op.getResult()))},
         {}, w.nameOf(op.getResult()));
}

void write(Writer &w, ConcatOp op) {
  SmallVector<std::string> inputs;
  for (Value input : op.getInputs())
    inputs.push_back(w.nameOf(input));
  w.node("Concat", inputs, {Attr::of("axis", int64_t(op.getAxis()))},
         w.nameOf(op.getResult()));
}

void write(Writer &w, SliceOp op) {
  SmallVector<DimExpr> from = dimsOf(op.getInput()),
                       to = dimsOf(op.getResult());
  SmallVector<DimExpr> starts, ends;
  SmallVector<int64_t> axes, steps;
  for (auto [axis, text] : llvm::enumerate(op.getStarts())) {
    std::optional<DimExpr> start =
        DimExpr::parse(cast<StringAttr>(text).getValue());
    int64_t step = op.getSteps()[axis];
    if (!start)
      return w.fail(op, "start is not a dimension expression");
    if (start->isConstant(0) && step == 1 && from[axis] == to[axis])
      continue;
    axes.push_back(axis);
    steps.push_back(step);
    starts.push_back(*start);
    // Going down, the end may be -1, which ONNX would count from the back:
    // count all of them from the back.
    DimExpr end = *start + to[axis] * DimExpr(step);
    ends.push_back(step > 0 ? end : end - from[axis]);
  }
  if (axes.empty()) {
    w.node("Identity", {w.nameOf(op.getInput())}, {}, w.nameOf(op.getResult()));
    return;
  }
  w.node("Slice",
         {w.nameOf(op.getInput()), w.dims(starts), w.dims(ends), w.ints(axes),
          w.ints(steps)},
         {}, w.nameOf(op.getResult()));
}

/// As int64: ONNX takes no other indices than int32 and int64.
std::string indices(Writer &w, Value value) {
  DType dtype = dtypeOf(value);
  if (dtype == DType::I64 || dtype == DType::I32)
    return w.nameOf(value);
  return w.node("Cast", {w.nameOf(value)},
                {Attr::of("to", int64_t(onnxType(DType::I64)))});
}

template <typename GatherLike>
void writeGather(Writer &w, GatherLike op, StringRef type, Attr attr) {
  w.node(type, {w.nameOf(op.getData()), indices(w, op.getIndices())}, {attr},
         w.nameOf(op.getResult()));
}
void write(Writer &w, GatherOp op) {
  writeGather(w, op, "Gather", Attr::of("axis", int64_t(op.getAxis())));
}
void write(Writer &w, GatherElementsOp op) {
  writeGather(w, op, "GatherElements", Attr::of("axis", int64_t(op.getAxis())));
}
void write(Writer &w, GatherNDOp op) {
  writeGather(w, op, "GatherND",
              Attr::of("batch_dims", int64_t(op.getBatchDims())));
}

/// All codebooks are one list of entries; that of sub-vector m begins at m * C.
void write(Writer &w, CodebookLookupOp op) {
  SmallVector<DimExpr> books = dimsOf(op.getCodebooks());
  std::optional<int64_t> parts = books[0].constant(),
                         entries = books[1].constant(),
                         size = books[2].constant();
  if (!parts || !entries || !size)
    return w.fail(op, "the shape of the codebooks must be constant");
  SmallVector<int64_t> starts;
  for (int64_t part = 0; part < *parts; ++part)
    starts.push_back(part * *entries);
  std::string list = w.node("Reshape", {w.nameOf(op.getCodebooks()),
                                        w.ints({*parts * *entries, *size})});
  std::string index =
      w.node("Add", {indices(w, op.getCodes()), w.ints(starts)});
  std::string rows =
      w.node("Gather", {list, index}, {Attr::of("axis", int64_t(0))});
  SmallVector<int64_t> shape(dimsOf(op.getResult()).size() - 1, 0);
  shape.push_back(*parts * *size);
  w.node("Reshape", {rows, w.ints(shape)}, {}, w.nameOf(op.getResult()));
}

template <typename ScatterLike>
void writeScatter(Writer &w, ScatterLike op, StringRef type,
                  SmallVector<Attr> attrs) {
  static constexpr StringLiteral names[] = {"none", "add", "mul", "max", "min"};
  attrs.push_back(Attr::of("reduction", names[size_t(op.getKind())]));
  w.node(type,
         {w.nameOf(op.getData()), w.nameOf(op.getIndices()),
          w.nameOf(op.getUpdates())},
         attrs, w.nameOf(op.getResult()));
}
void write(Writer &w, ScatterNDOp op) { writeScatter(w, op, "ScatterND", {}); }
void write(Writer &w, ScatterElementsOp op) {
  writeScatter(w, op, "ScatterElements",
               {Attr::of("axis", int64_t(op.getAxis()))});
}

void write(Writer &w, ArgReduceOp op) {
  w.node(op.getKind() == ReduceKind::Max ? "ArgMax" : "ArgMin",
         {w.nameOf(op.getInput())},
         {Attr::of("axis", int64_t(op.getAxis())),
          Attr::of("keepdims", int64_t(op.getKeepdims())),
          Attr::of("select_last_index", int64_t(op.getLast()))},
         w.nameOf(op.getResult()));
}

void write(Writer &w, ReduceOp op) {
  static constexpr StringLiteral names[] = {
      "ReduceSum",  "ReduceMean", "ReduceMax", "ReduceMin",
      "ReduceProd", "ReduceL1",   "ReduceL2",  "ReduceSumSquare"};
  // An empty list of axes would reduce all of them.
  if (op.getAxes().empty()) {
    if (op.getKind() == ReduceKind::SumSquare)
      w.node("Mul", {w.nameOf(op.getInput()), w.nameOf(op.getInput())}, {},
             w.nameOf(op.getResult()));
    else
      w.node(op.getKind() == ReduceKind::L1 || op.getKind() == ReduceKind::L2
                 ? "Abs"
                 : "Identity",
             {w.nameOf(op.getInput())}, {}, w.nameOf(op.getResult()));
    return;
  }
  w.node(names[size_t(op.getKind())],
         {w.nameOf(op.getInput()), w.ints(op.getAxes())},
         {Attr::of("keepdims", int64_t(op.getKeepdims()))},
         w.nameOf(op.getResult()));
}

void write(Writer &w, SoftmaxOp op) {
  w.node("Softmax", {w.nameOf(op.getInput())},
         {Attr::of("axis", int64_t(op.getAxis()))}, w.nameOf(op.getResult()));
}

/// int64 data as the result's element type.
void castFromInt64(Writer &w, const std::string &input, Value result) {
  if (dtypeOf(result) == DType::I64)
    w.node("Identity", {input}, {}, w.nameOf(result));
  else
    w.node("Cast", {input},
           {Attr::of("to", int64_t(onnxType(dtypeOf(result))))},
           w.nameOf(result));
}

void write(Writer &w, IotaOp op) {
  std::optional<DimExpr> start = DimExpr::parse(op.getStart());
  if (!start)
    return w.fail(op, "start is not a dimension expression");
  DimExpr limit =
      *start + dimsOf(op.getResult())[0] * DimExpr(int64_t(op.getStep()));
  castFromInt64(w,
                w.node("Range", {w.dimScalar(*start), w.dimScalar(limit),
                                 w.intScalar(op.getStep())}),
                op.getResult());
}

void write(Writer &w, CumSumOp op) {
  w.node("CumSum", {w.nameOf(op.getInput()), w.intScalar(op.getAxis())},
         {Attr::of("exclusive", int64_t(op.getExclusive())),
          Attr::of("reverse", int64_t(op.getReverse()))},
         w.nameOf(op.getResult()));
}

void write(Writer &w, ShapeValueOp op) {
  SmallVector<DimExpr> exprs;
  for (Attribute text : op.getExprs()) {
    std::optional<DimExpr> expr =
        DimExpr::parse(cast<StringAttr>(text).getValue());
    if (!expr)
      return w.fail(op, "not a dimension expression");
    exprs.push_back(*expr);
  }
  bool scalar = dimsOf(op.getResult()).empty();
  castFromInt64(w, scalar ? w.dimScalar(exprs[0]) : w.dims(exprs),
                op.getResult());
}

} // namespace

bool writeTensorOp(Writer &w, Operation *op) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<UnaryOp, BinaryOp, SelectOp, CastOp, QuantizeOp, DequantizeOp,
            MatmulOp, TransposeOp, ReshapeOp, BroadcastOp, ConcatOp, SliceOp,
            GatherOp, GatherElementsOp, GatherNDOp, CodebookLookupOp,
            ScatterNDOp, ScatterElementsOp, ArgReduceOp, ReduceOp, SoftmaxOp,
            IotaOp, CumSumOp, ShapeValueOp>([&](auto concrete) {
        write(w, concrete);
        return true;
      })
      .Default(false);
}

} // namespace plmc::onnx_export
