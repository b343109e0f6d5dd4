//===- Slice.cpp - Slice, Split, Pad --------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX clamps slices to the tensor. What a clamp of symbolic sizes gives is no
// polynomial, so the bound that graphs mean is taken and made a constraint: a
// table of 512 positions sliced to `sequence` is `sequence` rows, and a run
// with more is refused instead of computing something else.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include <limits>

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {
/// "To the end": exporters write the largest integer, tf2onnx a billion.
static constexpr int64_t openEnd = 1'000'000'000;

namespace {

struct Window {
  DimExpr start, size;
};

/// min(x, limit), 0 <= x: see above.
DimExpr clampAbove(Node &node, const DimExpr &x, const DimExpr &limit) {
  if (provenLessEqual(x, limit))
    return x;
  if (provenLessEqual(limit, x))
    return limit;
  if (limit.isConstant())
    node.b.requireLessEqual(x, limit,
                            x.str() + " is over the " + limit.str() +
                                " positions of the model");
  else
    node.b.requireLessEqual(x, limit,
                            x.str() + " is over " + limit.str() + ", where " +
                                node.b.getNodeName() + " slices");
  return x;
}

/// A slice position in [0, size], or nothing (and a failure).
std::optional<DimExpr> resolvePosition(Node &node, DimExpr position,
                                       const DimExpr &size) {
  std::optional<int64_t> constant = position.constant();
  if (constant && *constant >= openEnd)
    return size; // "to the end"
  if (constant && *constant <= std::numeric_limits<int32_t>::min() + 1)
    return DimExpr(0);
  std::optional<int64_t> low = lowerBound(position);
  std::optional<int64_t> lowNegated = lowerBound(position * DimExpr(-1));
  if (low && *low >= 0)
    return clampAbove(node, position, size);
  if (!lowNegated || *lowNegated < 1) {
    node.b.unsupported("cannot tell whether the position " + position.str() +
                       " counts from the end");
    return std::nullopt;
  }
  position = position + size;
  if (provenLessEqual(position, 0))
    return DimExpr(0);
  node.b.requireLessEqual(0, position,
                          "the slice from position " + position.str() +
                              " needs a longer input (" + node.b.getNodeName() +
                              ")");
  return position;
}

std::optional<Window> forwardWindow(Node &node, const DimExpr &start,
                                    const DimExpr &end, int64_t step,
                                    const DimExpr &size) {
  std::optional<DimExpr> from = resolvePosition(node, start, size);
  std::optional<DimExpr> to = resolvePosition(node, end, size);
  if (!from || !to)
    return std::nullopt;
  DimExpr length = *to - *from;
  std::optional<int64_t> constant = length.constant();
  if (constant && *constant <= 0)
    return Window{0, 0};
  if (!constant)
    node.b.requireLessEqual(*from, *to,
                            "the slice from " + from->str() + " to " +
                                to->str() + " ends before it starts (" +
                                node.b.getNodeName() + ")");
  if (step == 1)
    return Window{*from, length};
  if (constant)
    return Window{*from, (*constant - 1) / step + 1};
  if (!isManageable(length))
    return std::nullopt;
  if (std::optional<DimExpr> count = length.divideExactly(DimExpr(step)))
    return Window{*from, *count};
  node.b.unsupported("cannot tell how many elements a slice of " +
                     length.str() + " by steps of " + Twine(step) + " has");
  return std::nullopt;
}

/// Steps below 0: from `start` down to, not including, `end`.
std::optional<Window> backwardWindow(Node &node, const DimExpr &start,
                                     const DimExpr &end, int64_t step,
                                     const DimExpr &size) {
  std::optional<int64_t> first = start.constant(), last = end.constant();
  std::optional<int64_t> extent = size.constant();
  if (step == std::numeric_limits<int64_t>::min())
    step += 1;
  if (first && last && extent) {
    int64_t from = *first < 0 ? *first + *extent : *first;
    int64_t to =
        *last < 0 ? std::max<int64_t>(*last, -*extent - 1) + *extent : *last;
    from = std::min(std::max<int64_t>(from, -1), *extent - 1);
    to = std::min(std::max<int64_t>(to, -1), *extent - 1);
    if (from <= to)
      return Window{0, 0};
    return Window{from, (from - to - 1) / -step + 1};
  }
  bool fromEnd = start.isConstant(-1) || (first && *first >= openEnd);
  bool toStart = last && *last <= std::numeric_limits<int32_t>::min() + 1;
  if (fromEnd && toStart && step == -1)
    return Window{size - DimExpr(1), size};
  node.b.unsupported("a backward slice of a dynamic dimension");
  return std::nullopt;
}

} // namespace

static void importSlice(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  std::optional<Dims> starts, ends;
  if (node.hasAttr("starts")) { // opset 9, kept by some converters
    auto toDims = [](const std::optional<SmallVector<int64_t>> &values) {
      Dims dims;
      if (values)
        dims.append(values->begin(), values->end());
      return dims;
    };
    starts = toDims(node.intsAttr("starts"));
    ends = toDims(node.intsAttr("ends"));
  } else {
    starts = node.knownInput(1, "the start");
    ends = node.knownInput(2, "the end");
  }
  std::optional<SmallVector<int64_t>> axes = node.axes("axes", 3), steps;
  if (node.optionalInput(4))
    steps = node.constantInput(4, "the step");
  if (!x || !starts || !ends || b.hasFailed())
    return;
  if (!axes) {
    axes.emplace();
    for (size_t i = 0; i < starts->size(); ++i)
      axes->push_back(i);
  }
  if (!steps)
    steps.emplace(starts->size(), 1);
  if (ends->size() != starts->size() || axes->size() != starts->size() ||
      steps->size() != starts->size()) {
    b.fail("starts, ends, axes and steps have different lengths");
    return;
  }
  if (!node.normalizeAxes(*axes, x.rank()))
    return;

  Dims from(x.rank(), DimExpr(0)), sizes(x.dims().begin(), x.dims().end());
  SmallVector<int64_t> strides(x.rank(), 1);
  for (auto [index, axis] : enumerate(*axes)) {
    int64_t step = (*steps)[index];
    if (step == 0) {
      b.fail("a step is 0");
      return;
    }
    std::optional<Window> window = (step > 0 ? forwardWindow : backwardWindow)(
        node, (*starts)[index], (*ends)[index], step, x.dim(axis));
    if (!window)
      return;
    from[axis] = window->start;
    sizes[axis] = window->size;
    // Of one element the step does not matter, and a huge one may overflow.
    strides[axis] =
        window->size.isConstant() && *window->size.constant() <= 1 ? 1 : step;
  }
  node.output(0, b.slice(x, from, strides, sizes));
}

static void importSplit(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  if (!x)
    return;
  int64_t axis = node.normalizeAxis(node.intAttr("axis", 0), x.rank());
  int64_t parts = node.numOutputs();
  Dims sizes;
  if (node.hasAttr("split")) {
    for (int64_t size : node.intsAttr("split").value_or(SmallVector<int64_t>()))
      sizes.push_back(DimExpr(size));
  } else if (node.optionalInput(1)) {
    if (std::optional<Dims> known = node.knownInput(1, "the split"))
      sizes = *known;
  } else if (std::optional<int64_t> extent = x.dim(axis).constant()) {
    // All equal, but for a smaller last one (opset 18).
    int64_t chunk = parts ? (*extent + parts - 1) / parts : 0;
    for (int64_t i = 0; i < parts; ++i)
      sizes.push_back(DimExpr(std::min(chunk, *extent - i * chunk)));
  } else if (std::optional<DimExpr> chunk =
                 x.dim(axis).divideExactly(DimExpr(parts))) {
    sizes.assign(parts, *chunk);
  }
  if (b.hasFailed())
    return;
  if (int64_t(sizes.size()) != parts) {
    b.fail("cannot split " + shapeText(x.dims()) + " into " + Twine(parts) +
           " parts");
    return;
  }
  DimExpr position;
  for (int64_t i = 0; i < parts; ++i) {
    Dims starts(x.rank(), DimExpr(0)), window(x.dims().begin(), x.dims().end());
    starts[axis] = position;
    window[axis] = sizes[i];
    position = position + sizes[i];
    if (node.usesOutput(i))
      node.output(
          i, b.slice(x, starts, SmallVector<int64_t>(x.rank(), 1), window));
  }
  b.requireEqual(position, x.dim(axis), "the sum of the parts");
}

/// Constant padding, as concatenations; negative amounts are not supported.
static void importPad(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0);
  if (node.stringAttr("mode", "constant") != "constant") {
    b.unsupported("padding other than by a constant is not supported");
    return;
  }
  std::optional<SmallVector<int64_t>> pads = node.axes("pads", 1), axes;
  if (node.optionalInput(3))
    axes = node.constantInput(3, "axes");
  Tensor value = node.optionalInput(2);
  if (!value)
    value = b.scalar(x.dtype(), node.floatAttr("value", 0));
  if (!x || !pads || b.hasFailed())
    return;
  if (!axes) {
    axes.emplace();
    for (int64_t i = 0; i < x.rank(); ++i)
      axes->push_back(i);
  }
  if (!node.normalizeAxes(*axes, x.rank()))
    return;
  if (pads->size() != 2 * axes->size()) {
    b.fail("there are " + Twine(pads->size()) + " pads for " +
           Twine(axes->size()) + " axes");
    return;
  }
  value = b.reshape(value, {});
  for (size_t index = 0; index < axes->size(); ++index) {
    int64_t axis = (*axes)[index];
    auto filler = [&](int64_t amount) {
      Dims dims(x.dims().begin(), x.dims().end());
      dims[axis] = DimExpr(amount);
      return b.broadcastTo(value, dims);
    };
    int64_t before = (*pads)[index], after = (*pads)[index + axes->size()];
    if (before < 0 || after < 0) {
      b.unsupported("padding by a negative amount is not supported; "
                    "slice instead");
      return;
    }
    SmallVector<Tensor> parts;
    if (before)
      parts.push_back(filler(before));
    parts.push_back(x);
    if (after)
      parts.push_back(filler(after));
    x = b.concat(parts, axis);
    if (!x)
      return;
  }
  node.output(0, x);
}

void registerSlice(OpTable &table) {
  table["Slice"] = importSlice;
  table["Split"] = importSplit;
  table["Pad"] = importPad;
}

} // namespace plmc::importer
