//===- SplitLinear.cpp - plm-split-linear ---------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Query, key and value are often one product that is cut afterwards
// (ModernBERT, NomicBERT, GPT-2; ORT's Attention), and so are the two halves of
// a gated feed-forward. Everything that looks at layers, from the attention
// recogniser to head pruning, wants to see a projection of its own for each:
//
//     slice(linear(x, W, b), columns) = linear(x, W[:, columns], b[columns])
//
// The cut may stand behind any reshapes and transposes ([B, S, 3, heads, d] or
// [B, S, heads, 3, d], cut by Split, Slice or Gather): the layout of the
// columns is followed there (Layout.h), and one factor of it is cut. A layer is
// only split if slices are all that reads it, and each column is read once at
// most; code generation merges projections of one input again, in its own
// order.
//
//===----------------------------------------------------------------------===//

#include "Layout.h"
#include "Passes.h"

namespace plmc {
#define GEN_PASS_DEF_SPLITLINEARPASS
#include "plmc/Frontend/ONNX/RecognitionPasses.h.inc"
} // namespace plmc

using namespace mlir;
using namespace plmc;
using namespace plmc::plm;
using namespace plmc::recognition;

namespace {

/// One slice of a layer's columns.
struct Cut {
  SliceOp slice;
  Layout layout; // of the slice's operand
  int64_t axis;  // of the slice, the one that is cut
  int64_t start, size;
  std::string label = {}; // ends the name of what is stored
};

/// The only axis along which the slice leaves elements out.
std::optional<std::pair<int64_t, int64_t>> cutAxis(SliceOp slice) {
  Dims from = dimsOf(slice.getInput()), to = dimsOf(slice.getResult());
  std::optional<std::pair<int64_t, int64_t>> result;
  for (auto [axis, attr] : llvm::enumerate(slice.getStarts())) {
    auto start = DimExpr::parse(cast<StringAttr>(attr).getValue());
    if (slice.getSteps()[axis] != 1 || !start)
      return std::nullopt;
    if (from[axis] == to[axis] && start->isConstant(0))
      continue;
    if (result || !start->isConstant() || !from[axis].isConstant() ||
        !to[axis].isConstant())
      return std::nullopt;
    result = {int64_t(axis), *start->constant()};
  }
  return result;
}

class Splitter {
public:
  explicit Splitter(LinearOp linear) : linear(linear) {}
  bool run();

private:
  bool collect(Value value, const Layout &layout, int depth);
  Value columns(OpBuilder &builder, Value weight, const Cut &cut, int axis);
  void rewrite(const Cut &cut);
  bool isColumn(int factor) const {
    return llvm::is_contained(table.resolve(columnFactors), factor);
  }

  LinearOp linear;
  FactorTable table;
  Layout root;
  Factors columnFactors;
  std::vector<Cut> cuts;
};

/// Follows every use of the layer through views, down to slices.
bool Splitter::collect(Value value, const Layout &layout, int depth) {
  if (depth > 16 || value.use_empty())
    return false;
  for (Operation *user : value.getUsers()) {
    if (cuts.size() > 64)
      return false;
    if (isa<ReshapeOp, TransposeOp>(user)) {
      std::optional<Layout> below = table.resultLayout(user, layout);
      if (!below || !collect(user->getResult(0), *below, depth + 1))
        return false;
      continue;
    }
    auto slice = dyn_cast<SliceOp>(user);
    auto cut = slice ? cutAxis(slice) : std::nullopt;
    if (!cut)
      return false;
    cuts.push_back({slice, layout, cut->first, cut->second,
                    *dimsOf(slice.getResult())[cut->first].constant()});
  }
  return true;
}

/// The columns that a cut keeps, of a weight whose dimension `axis` they are.
Value Splitter::columns(OpBuilder &builder, Value weight, const Cut &cut,
                        int axis) {
  if (auto dequantize = weight.getDefiningOp<DequantizeOp>()) {
    // The scales of columns are cut with them.
    auto part = [&](Value value, bool matrix) -> Value {
      if (!value || (!matrix && (!typeOf(value).getRank() ||
                                 int64_t(dequantize.getAxis()) != axis)))
        return value;
      return columns(builder, value, cut, matrix ? axis : 0);
    };
    Value input = part(dequantize.getInput(), true);
    return DequantizeOp::create(
        builder, dequantize.getLoc(),
        makeTensorType(dimsOf(input), typeOf(weight).getElementType()), input,
        part(dequantize.getScale(), false),
        part(dequantize.getZeroPoint(), false), dequantize.getAxisAttr());
  }
  Factors all = table.resolve(columnFactors);
  int kept = table.resolve(cut.layout[cut.axis]).front();
  Dims split, window, merged = dimsOf(weight);
  llvm::SmallVector<Attribute> starts;
  llvm::SmallVector<int64_t> steps;
  for (auto [index, dim] : llvm::enumerate(merged)) {
    if (int64_t(index) != axis) {
      split.push_back(dim);
      window.push_back(dim);
      starts.push_back(builder.getStringAttr("0"));
      continue;
    }
    for (int factor : all) {
      bool here = factor == kept;
      split.push_back(table.size(factor));
      window.push_back(here ? DimExpr(cut.size) : table.size(factor));
      starts.push_back(
          builder.getStringAttr(std::to_string(here ? cut.start : 0)));
    }
  }
  steps.assign(split.size(), 1);
  std::optional<DimExpr> rest = merged[axis].divideExactly(table.size(kept));
  merged[axis] = *rest * DimExpr(cut.size);
  Location loc = weight.getLoc();
  Type element = typeOf(weight).getElementType();
  Value view = reshapeTo(builder, loc, weight, split);
  auto slice = SliceOp::create(builder, loc, makeTensorType(window, element),
                               builder.getArrayAttr(starts),
                               builder.getDenseI64ArrayAttr(steps), view);
  slice->setAttr(viewNameAttr, builder.getStringAttr(cut.label));
  return reshapeTo(builder, loc, slice, merged);
}

void Splitter::rewrite(const Cut &cut) {
  SliceOp slice = cut.slice;
  OpBuilder builder(linear);
  int kept = table.resolve(cut.layout[cut.axis]).front();
  int outputAxis = linear.getTransposed() ? 0 : 1;
  Value weight = columns(builder, linear.getWeight(), cut, outputAxis);
  Value bias;
  if (linear.getBias())
    bias = columns(builder, linear.getBias(), cut, 0);
  Dims dims = dimsOf(linear.getResult());
  dims.back() = dimsOf(weight)[outputAxis];
  Value part = LinearOp::create(
      builder, linear.getLoc(),
      makeTensorType(dims, typeOf(linear.getResult()).getElementType()),
      linear.getInput(), weight, bias, linear.getTransposed());
  // The same order of factors, one of them shorter.
  int shorter = cut.size == 1 ? -1 : table.create(DimExpr(cut.size)).front();
  auto shorten = [&](Factors factors) {
    Factors result;
    for (int factor : factors) {
      int now = factor == kept ? shorter : factor;
      if (now >= 0)
        result.push_back(now);
    }
    return result;
  };
  builder.setInsertionPoint(slice);
  Value view = buildView(
      builder, slice.getLoc(), part, table, shorten(table.flatten(root)),
      shorten(table.flatten(cut.layout)), dimsOf(slice.getResult()));
  slice.getResult().replaceAllUsesWith(view);
}

bool Splitter::run() {
  Value result = linear.getResult();
  if (!isParameterView(linear.getWeight()) &&
      !isStoredMatrix(linear.getWeight()))
    return false;
  root = table.fresh(dimsOf(result));
  columnFactors = root.back();
  if (!collect(result, root, 0) || cuts.empty())
    return false;
  int64_t read = 0, width = typeOf(result).getShape().back();
  for (const Cut &cut : cuts) {
    Factors factors = table.resolve(cut.layout[cut.axis]);
    if (factors.size() != 1 || !isColumn(factors.front()))
      return false;
    int64_t size = *table.size(factors.front()).constant();
    if (cut.start < 0 || cut.start + cut.size > size)
      return false;
    read += width / size * cut.size;
  }
  if (read > width)
    return false;
  llvm::sort(cuts,
             [](const Cut &a, const Cut &b) { return a.start < b.start; });
  for (auto [index, cut] : llvm::enumerate(cuts)) {
    // Three are query, key and value.
    cut.label = cuts.size() == 3 ? std::string(1, "qkv"[index])
                                 : "part" + std::to_string(index);
    rewrite(cut);
  }
  return true;
}

struct SplitLinear : public plmc::impl::SplitLinearPassBase<SplitLinear> {
  void runOnOperation() override {
    llvm::SmallVector<LinearOp> linears;
    getOperation().walk([&](LinearOp op) { linears.push_back(op); });
    for (LinearOp linear : linears)
      Splitter(linear).run();
    eraseDeadOps(getOperation());
  }
};

} // namespace
