//===- CodeGenAttentionBiasTest.cpp - Attention with a bias -----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The bias lies in the batch's own positions, the rows are packed: every way
// of repeating it, with padding on any side and in holes, against the
// interpreter.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "llvm/Support/FormatVariadic.h"
#include <limits>

using namespace plmc;
using namespace plmc::test;

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float lowest = std::numeric_limits<float>::lowest();

struct BiasShape {
  bool batch, heads, queries, keys;
  std::string type() const {
    return llvm::formatv("tensor<{0}x{1}x{2}x{3}xf32, #plm.dims<\"{4}\", "
                         "\"{5}\", \"{6}\", \"{7}\">>",
                         batch ? "?" : "1", heads ? "3" : "1",
                         queries ? "?" : "1", keys ? "?" : "1",
                         batch ? "b" : "1", heads ? "3" : "1",
                         queries ? "s" : "1", keys ? "s" : "1");
  }
  HostTensor values(Random &random, int64_t b, int64_t s) const {
    HostTensor bias = random.floats(
        {batch ? b : 1, heads ? 3 : 1, queries ? s : 1, keys ? s : 1}, 2);
    for (int64_t i = 0; i < bias.numElements(); ++i)
      if (random.engine() % 5 == 0)
        bias.as<float>()[i] = random.engine() % 2 ? -inf : lowest;
    // Two rows of nothing else: one gives 0, one an average.
    int64_t row = keys ? s : 1;
    for (int64_t i = 0; queries && s > 2 && i < row; ++i) {
      bias.as<float>()[i] = -inf;
      bias.as<float>()[row + i] = lowest;
    }
    return bias;
  }
};

enum class Padding { None, Right, Left, Holes };

HostTensor makeMask(int64_t batch, int64_t length, Padding padding) {
  HostTensor mask(DType::I64, {batch, length});
  for (int64_t b = 0; b < batch; ++b) {
    int64_t kept = std::max<int64_t>(1, length - 2 * b - 1);
    for (int64_t s = 0; s < length; ++s)
      mask.as<int64_t>()[b * length + s] =
          padding == Padding::None    ? 1
          : padding == Padding::Left  ? s >= length - kept
          : padding == Padding::Holes ? (s + b) % 3 != 1 || length == 1
                                      : s < kept;
  }
  return mask;
}

std::string moduleText(const BiasShape &shape, bool mask) {
  std::string x = "tensor<?x?x30xf32, #plm.dims<\"b\", \"s\", \"30\">>";
  std::string keep = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  std::string bias = shape.type();
  return llvm::formatv(
      "func.func @forward(%q: {0} {{plm.name = \"q\"}, %k: {0} {{plm.name = "
      "\"k\"}, %mask: {1} {{plm.name = \"mask\"}, %bias: {2} {{plm.name = "
      "\"bias\"}) -> ({0} {{plm.name = \"y\"}) {{\n"
      "%y = plm.attention %q, %k, %q{3} bias %bias {{num_heads = 3 : i64, "
      "scale = 0.3 : f64} : ({0}, {0}, {0}{4}, {2}) -> {0}\n"
      "return %y : {0}\n}\n",
      x, keep, bias, mask ? " mask %mask" : "", mask ? ", " + keep : "");
}

void check(const BiasShape &shape, bool mask, bool computePadding) {
  std::string text = moduleText(shape, mask);
  SCOPED_TRACE(shape.type() + (mask ? " masked" : ""));
  CompileOptions options;
  options.computePadding = computePadding;
  auto model = compile(text, options);
  ASSERT_TRUE(model);
  Random random(7);
  auto context = model->createContext(2);
  ASSERT_TRUE(bool(context));
  for (int64_t batch : {1, 3})
    for (int64_t length : {1, 2, 7, 8, 17, 33})
      for (Padding padding :
           {Padding::None, Padding::Right, Padding::Left, Padding::Holes}) {
        SCOPED_TRACE(
            llvm::formatv("{0}x{1} padding {2}", batch, length, int(padding))
                .str());
        HostTensor keep = makeMask(batch, length, padding);
        std::vector<HostTensor> inputs{random.floats({batch, length, 30}),
                                       random.floats({batch, length, 30}), keep,
                                       shape.values(random, batch, length)};
        auto got = (*context)->run(inputs);
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        auto want = interpretText(text, inputs);
        bool zero = mask && !computePadding;
        expectClose((*got)[0], want[0], 1e-5, zero ? &keep : nullptr);
      }
}

TEST(CodeGenAttentionBias, EveryWayOfRepeating) {
  for (int bits : {0b0000, 0b0001, 0b0010, 0b0100, 0b1000, 0b1001, 0b1110})
    check({bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8)},
          bits % 3 != 0, bits % 2 == 0);
}

TEST(CodeGenAttentionBias, EveryWayOfPacking) {
  for (bool mask : {false, true})
    for (bool computePadding : {false, true})
      check({true, true, true, true}, mask, computePadding);
}

/// A mask that the bias repeats is a hint: without a reader of masked rows
/// they are left out, with one the average of an excluded row runs over all.
TEST(CodeGenAttentionBias, MaskInBias) {
  std::string x = "tensor<?x?x30xf32, #plm.dims<\"b\", \"s\", \"30\">>";
  std::string keep = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  std::string bias = BiasShape{true, false, true, true}.type();
  std::string pooled = "tensor<?x30xf32, #plm.dims<\"b\", \"30\">>";
  for (bool pool : {false, true}) {
    std::string out = pool ? pooled : x;
    std::string text = llvm::formatv(
        "func.func @forward(%q: {0} {{plm.name = \"q\"}, %mask: {1} {{plm.name "
        "= \"mask\"}, %bias: {2} {{plm.name = \"bias\"}) -> ({3} {{plm.name = "
        "\"y\"}) {{\n%y = plm.attention %q, %q, %q mask %mask bias %bias "
        "{{num_heads = 3 : i64, scale = 0.3 : f64, mask_in_bias} : ({0}, {0}, "
        "{0}, {1}, {2}) -> {0}\n{4}\n}\n",
        x, keep, bias, out,
        pool ? "%p = plm.pool first %y : (" + x + ") -> " + pooled +
                   "\nreturn %p : " + pooled
             : "return %y : " + x);
    auto model = compile(text);
    ASSERT_TRUE(model);
    auto context = model->createContext(1);
    Random random(11);
    // Of 4 positions, 0 and 2 are kept: packed as 0 2 1 3.
    for (auto [padding, length] :
         {std::pair<Padding, int64_t>{Padding::Left, 9},
          {Padding::Right, 17},
          {Padding::Holes, 4},
          {Padding::Holes, 33}}) {
      int64_t batch = 2;
      HostTensor mask = makeMask(batch, length, padding);
      HostTensor values(DType::F32, {batch, 1, length, length});
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t q = 0; q < length; ++q)
          for (int64_t k = 0; k < length; ++k)
            values.as<float>()[(b * length + q) * length + k] =
                mask.getInt(b * length + q) && mask.getInt(b * length + k)
                    ? 0.25f * (q - k)
                    : lowest;
      std::vector<HostTensor> inputs{random.floats({batch, length, 30}), mask,
                                     values};
      auto got = (*context)->run(inputs);
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], interpretText(text, inputs)[0], 1e-5,
                  pool ? nullptr : &mask);
    }
  }
}

} // namespace
