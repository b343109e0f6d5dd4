//===- Conv.cpp - Convolutions along a sequence ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// DeBERTa-v2 has a convolution of three tokens beside its first layer. Conv of
// x [batch, channels, length] and a weight [outputs, channels, taps] is a sum
// over the taps: the tokens, shifted, times a matrix [channels, outputs]. So it
// is imported, with the tokens' channels last, as linear layers have them.
//
//===----------------------------------------------------------------------===//

#include "MatMulParts.h"

namespace plmc::importer {

/// Zeros in front of and behind x [batch, length, channels], along its length.
static Tensor paddedLength(GraphBuilder &b, const Tensor &x, int64_t before,
                           int64_t after) {
  llvm::SmallVector<Tensor> parts;
  auto zeros = [&](int64_t count) {
    if (count)
      parts.push_back(b.broadcastTo(b.scalar(x.dtype(), 0),
                                    {x.dim(0), DimExpr(count), x.dim(2)}));
  };
  zeros(before);
  parts.push_back(x);
  zeros(after);
  return parts.size() == 1 ? x : b.concat(parts, 1);
}

static void importConv(Node &node) {
  GraphBuilder &b = node.b;
  Tensor x = node.input(0), weight = node.input(1);
  if (!x || !weight || b.hasFailed())
    return;
  auto onlyOne = [](const std::optional<llvm::SmallVector<int64_t>> &list) {
    return !list || (list->size() == 1 && list->front() == 1);
  };
  if (x.rank() != 3 || weight.rank() != 3 || node.intAttr("group", 1) != 1 ||
      !onlyOne(node.intsAttr("strides"))) {
    b.unsupported("operator Conv is supported along one dimension only, in one "
                  "group and with stride 1");
    return;
  }
  std::optional<int64_t> taps = weight.dim(2).constant();
  auto dilations = node.intsAttr("dilations");
  int64_t dilation = dilations && !dilations->empty() ? dilations->front() : 1;
  if (!taps || *taps < 1 || *taps > 1024 || dilation < 1 || dilation > 1024) {
    b.unsupported("a convolution of this many taps or this dilation");
    return;
  }
  int64_t reach = (*taps - 1) * dilation, before = 0, after = 0;
  std::string pad = node.stringAttr("auto_pad", "NOTSET");
  if (pad == "SAME_UPPER" || pad == "SAME_LOWER") {
    before = pad == "SAME_UPPER" ? reach / 2 : reach - reach / 2;
    after = reach - before;
  } else if (pad == "NOTSET") {
    if (auto pads = node.intsAttr("pads")) {
      if (pads->size() != 2 || (*pads)[0] < 0 || (*pads)[1] < 0 ||
          (*pads)[0] > (1 << 20) || (*pads)[1] > (1 << 20)) {
        b.fail("pads must be two sizes from 0 to 1048576");
        return;
      }
      before = (*pads)[0];
      after = (*pads)[1];
    }
  } else if (pad != "VALID") {
    b.fail("auto_pad is none of NOTSET, SAME_UPPER, SAME_LOWER, VALID");
    return;
  }
  DimExpr length = x.dim(2) + DimExpr(before + after - reach);
  b.requireLessEqual(DimExpr(1), length,
                     "the sequence is shorter than the convolution");
  Tensor tokens = paddedLength(b, b.transpose(x, {0, 2, 1}), before, after),
         sum;
  for (int64_t tap = 0; tap < *taps && !b.hasFailed(); ++tap) {
    Tensor shifted =
        b.slice(tokens, {DimExpr(0), DimExpr(tap * dilation), DimExpr(0)},
                {1, 1, 1}, {tokens.dim(0), length, tokens.dim(2)});
    Tensor own = b.slice(weight, {DimExpr(0), DimExpr(0), DimExpr(tap)},
                         {1, 1, 1}, {weight.dim(0), weight.dim(1), DimExpr(1)});
    own = b.transpose(b.reshape(own, {weight.dim(0), weight.dim(1)}), {1, 0});
    Tensor product = b.matmul(shifted, own);
    sum = sum ? b.add(sum, product) : product;
  }
  if (Tensor bias = node.optionalInput(2))
    sum = b.add(sum, bias);
  node.output(0, b.transpose(sum, {0, 2, 1}));
}

void registerConv(OpTable &table) { table["Conv"] = importConv; }

} // namespace plmc::importer
