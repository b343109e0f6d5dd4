//===- CodeGenEncoderTest.cpp - Compiled encoders against the interpreter ---*-
// C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"

using namespace plmc;
using namespace plmc::test;

namespace {

/// A one-layer post-LN encoder with odd widths.
struct Shape {
  int64_t hidden, heads, headSize, valueSize, ffn;
};

std::string encoder(const Shape &s, bool mask, llvm::StringRef tail,
                    llvm::StringRef resultType) {
  Random random(7);
  int64_t qk = s.heads * s.headSize, v = s.heads * s.valueSize, h = s.hidden;
  std::string text = "module {\n";
  auto add = [&](llvm::StringRef name, llvm::ArrayRef<int64_t> shape,
                 float scale) {
    text += parameter(random, name, shape, scale);
  };
  add("word", {50, h}, 1);
  add("position", {40, h}, 1);
  add("type", {2, h}, 1);
  float w = 1.5f / std::sqrt(float(h));
  add("wq", {h, qk}, w);
  add("bq", {qk}, 0.3f);
  add("wk", {qk, h}, w);
  add("bk", {qk}, 0.3f);
  add("wv", {h, v}, w);
  add("bv", {v}, 0.3f);
  add("wo", {v, h}, w);
  add("bo", {h}, 0.3f);
  add("w1", {h, s.ffn}, w);
  add("b1", {s.ffn}, 0.3f);
  add("w2", {s.ffn, h}, 1.5f / std::sqrt(float(s.ffn)));
  add("b2", {h}, 0.3f);
  for (const char *name : {"g0", "c0", "g1", "c1", "g2", "c2"})
    add(name, {h}, 0.7f);
  auto t = [&](int64_t width) {
    return llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", "
                         "\"{0}\">>",
                         width)
        .str();
  };
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  text += llvm::formatv(
      "func.func @forward(%ids: {0} {{plm.name = \"input_ids\"}, %mask: {0} "
      "{{plm.name = \"attention_mask\"}, %types: {0} {{plm.name = "
      "\"token_type_ids\"}) -> ({1} {{plm.name = \"out\"}) {{\n",
      ids, resultType);
  text += "plm.constraint \"40 - s\", \"s is over the 40 positions\"\n";
  auto get = [&](llvm::StringRef name, llvm::StringRef type) {
    text += llvm::formatv("%{0} = plm.get_parameter @{0} : tensor<{1}xf32>\n",
                          name, type);
  };
  auto mat = [](int64_t a, int64_t b) {
    return std::to_string(a) + "x" + std::to_string(b);
  };
  auto vec = [](int64_t a) { return std::to_string(a); };
  get("word", mat(50, h)), get("position", mat(40, h)), get("type", mat(2, h));
  get("wq", mat(h, qk)), get("bq", vec(qk)), get("wk", mat(qk, h));
  get("bk", vec(qk)), get("wv", mat(h, v)), get("bv", vec(v));
  get("wo", mat(v, h)), get("bo", vec(h)), get("w1", mat(h, s.ffn));
  get("b1", vec(s.ffn)), get("w2", mat(s.ffn, h)), get("b2", vec(h));
  for (const char *name : {"g0", "c0", "g1", "c1", "g2", "c2"})
    get(name, vec(h));
  std::string th = t(h);
  std::string position =
      llvm::formatv("tensor<1x?x{0}xf32, #plm.dims<\"1\", \"s\", \"{0}\">>", h);
  auto linear = [&](llvm::StringRef result, llvm::StringRef x,
                    llvm::StringRef weight, llvm::StringRef bias, int64_t k,
                    int64_t n, bool transposed = false) {
    text += llvm::formatv(
        "%{0} = plm.linear %{1}, %{2} bias %{3}{4} : ({5}, tensor<{6}xf32>, "
        "tensor<{7}xf32>) -> {8}\n",
        result, x, weight, bias, transposed ? " transposed" : "", t(k),
        transposed ? mat(n, k) : mat(k, n), n, t(n));
  };
  auto norm = [&](llvm::StringRef result, llvm::StringRef x, int index) {
    text += llvm::formatv("%{0} = plm.layer_norm %{1}, %g{2} beta %c{2} "
                          "{{epsilon = 1.0e-5 : f64} : ({3}, tensor<{4}xf32>, "
                          "tensor<{4}xf32>) -> {3}\n",
                          result, x, index, th, h);
  };
  auto addOp = [&](llvm::StringRef result, llvm::StringRef a, llvm::StringRef b,
                   llvm::StringRef typeB) {
    text += llvm::formatv("%{0} = plm.binary add %{1}, %{2} : ({3}, {4}) -> "
                          "{3}\n",
                          result, a, b, th, typeB);
  };
  text += llvm::formatv("%e0 = plm.embedding %ids, %word : ({0}, "
                        "tensor<50x{1}xf32>) -> {2}\n",
                        ids, h, th);
  text += llvm::formatv("%e1 = plm.embedding %types, %type : ({0}, "
                        "tensor<2x{1}xf32>) -> {2}\n",
                        ids, h, th);
  text += llvm::formatv("%e2 = plm.position_embedding %position : "
                        "(tensor<40x{0}xf32>) -> {1}\n",
                        h, position);
  addOp("e3", "e0", "e1", th);
  addOp("e4", "e3", "e2", position);
  norm("x", "e4", 0);
  linear("q", "x", "wq", "bq", h, qk);
  linear("k", "x", "wk", "bk", h, qk, true);
  linear("v", "x", "wv", "bv", h, v);
  text += llvm::formatv(
      "%a = plm.attention %q, %k, %v{0} {{num_heads = {1} : i64, scale = 0.4 : "
      "f64} : ({2}, {2}, {3}{4}) -> {3}\n",
      mask ? " mask %mask" : "", s.heads, t(qk), t(v),
      mask ? ", " + ids : std::string());
  linear("o", "a", "wo", "bo", v, h);
  addOp("r1", "x", "o", th);
  norm("y", "r1", 1);
  linear("f1", "y", "w1", "b1", h, s.ffn);
  text +=
      llvm::formatv("%f2 = plm.activation gelu %f1 : ({0}) -> {0}\n", t(s.ffn));
  linear("f3", "f2", "w2", "b2", s.ffn, h);
  addOp("r2", "f3", "y", th);
  norm("z", "r2", 2);
  text += tail.str();
  return text + "}\n}\n";
}

std::string hiddenType(int64_t h) {
  return llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>",
                       h);
}
std::string pooledType(int64_t h) {
  return llvm::formatv("tensor<?x{0}xf32, #plm.dims<\"b\", \"{0}\">>", h);
}

enum class Padding { None, Right, Left, Holes };

HostTensor makeMask(int64_t batch, int64_t length, Padding padding) {
  HostTensor mask(DType::I64, {batch, length});
  for (int64_t b = 0; b < batch; ++b) {
    int64_t kept = padding == Padding::None
                       ? length
                       : std::max<int64_t>(1, length - 3 * b - 1);
    for (int64_t s = 0; s < length; ++s)
      mask.as<int64_t>()[b * length + s] =
          padding == Padding::Left    ? s >= length - kept
          : padding == Padding::Holes ? (s + b) % 3 != 1 || length == 1
                                      : s < kept;
  }
  return mask;
}

void runAll(const std::string &text, bool tokenOutput, bool usesMask,
            CompileOptions options = {}) {
  auto model = compile(text, options);
  ASSERT_TRUE(model);
  Random random(3);
  for (int threads : {1, 3}) {
    auto context = model->createContext(threads);
    ASSERT_TRUE(bool(context)) << llvm::toString(context.takeError());
    for (int64_t batch : {1, 3})
      for (int64_t length : {1, 7, 16, 33})
        for (Padding padding :
             {Padding::None, Padding::Right, Padding::Left, Padding::Holes}) {
          SCOPED_TRACE(llvm::formatv("{0}x{1} padding {2} threads {3}", batch,
                                     length, int(padding), threads)
                           .str());
          HostTensor mask = makeMask(batch, length, padding);
          std::vector<HostTensor> inputs{random.ints({batch, length}, 50), mask,
                                         random.ints({batch, length}, 2)};
          auto got = (*context)->run(inputs);
          ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
          auto want = interpretText(text, inputs);
          bool padded = tokenOutput && usesMask && !options.computePadding;
          expectClose((*got)[0], want[0], 1e-5, padded ? &mask : nullptr);
        }
  }
}

const Shape shapes[] = {
    {32, 4, 8, 8, 64},   // everything a multiple of the tile
    {30, 3, 10, 10, 50}, // nothing is
    {24, 2, 12, 5, 7},   // Q/K and V of unequal widths
    {33, 1, 40, 33, 17}, // one head wider than the model
};

} // namespace

TEST(CodeGenEncoder, HiddenState) {
  for (const Shape &shape : shapes) {
    std::string type = hiddenType(shape.hidden);
    runAll(encoder(shape, true, "return %z : " + type + "\n", type), true,
           true);
  }
}

TEST(CodeGenEncoder, ComputePadding) {
  std::string type = hiddenType(30);
  CompileOptions options;
  options.computePadding = true;
  runAll(encoder(shapes[1], true, "return %z : " + type + "\n", type), true,
         true, options);
}

TEST(CodeGenEncoder, NoMask) {
  std::string type = hiddenType(30);
  runAll(encoder(shapes[1], false, "return %z : " + type + "\n", type), true,
         false);
}

TEST(CodeGenEncoder, PoolFirstReadsPositionZeroUnderLeftPadding) {
  std::string type = pooledType(30);
  runAll(encoder(shapes[1], true,
                 "%p = plm.pool first %z : (" + hiddenType(30) + ") -> " +
                     type + "\nreturn %p : " + type + "\n",
                 type),
         false, true);
}

TEST(CodeGenEncoder, MeanMaxPoolAndNormalize) {
  for (const char *kind : {"mean", "max"}) {
    std::string type = pooledType(33);
    runAll(encoder(shapes[3], true,
                   "%p = plm.pool " + std::string(kind) + " %z mask %mask : (" +
                       hiddenType(33) +
                       ", tensor<?x?xi64, #plm.dims<\"b\", \"s\">>) -> " +
                       type + "\n%n = plm.l2_normalize %p : (" + type +
                       ") -> " + type + "\nreturn %n : " + type + "\n",
                   type),
           false, true);
  }
}

/// What the kernels do not cover is decomposed: attention without a mask, but
/// pooling with one.
TEST(CodeGenEncoder, PoolUnderAnotherMaskThanAttention) {
  for (const char *kind : {"mean", "max"}) {
    std::string type = pooledType(30);
    runAll(encoder(shapes[1], false,
                   "%p = plm.pool " + std::string(kind) + " %z mask %mask : (" +
                       hiddenType(30) +
                       ", tensor<?x?xi64, #plm.dims<\"b\", \"s\">>) -> " +
                       type + "\nreturn %p : " + type + "\n",
                   type),
           false, true);
  }
}

/// A second attention under another mask.
TEST(CodeGenEncoder, TwoMasks) {
  std::string type = hiddenType(30);
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  CompileOptions options;
  options.computePadding = true;
  runAll(
      encoder(shapes[1], true,
              "%second = plm.attention %z, %z, %z mask %types {num_heads = 3 "
              ": i64, scale = 0.3 : f64} : (" +
                  type + ", " + type + ", " + type + ", " + ids + ") -> " +
                  type + "\nreturn %second : " + type + "\n",
              type),
      true, false, options);
}

/// The mask is another shape of an input, and computed from one: in both cases
/// what is left out must be the same.
TEST(CodeGenEncoder, MaskInAnotherForm) {
  std::string hidden = hiddenType(30);
  std::string plain =
      encoder(shapes[1], true, "return %z : " + hidden + "\n", hidden);
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  auto replaced = [&](llvm::StringRef type, llvm::StringRef ops) {
    std::string text = plain;
    std::string argument = "%mask: " + ids;
    text.replace(text.find(argument), argument.size(), "%given: " + type.str());
    std::string first = "%word = plm.get_parameter";
    text.insert(text.find(first), ops.str() + "\n");
    return text;
  };
  std::string other = "tensor<?x1x?xi64, #plm.dims<\"b\", \"1\", \"s\">>";
  std::string reshaped =
      replaced(other, "%mask = plm.reshape %given : (" + other + ") -> " + ids);
  std::string inverted = replaced(
      ids, "%one = plm.constant dense<1> : tensor<i64> : tensor<i64>\n%mask = "
           "plm.binary sub %one, %given : (tensor<i64>, " +
               ids + ") -> " + ids);
  auto expected = compile(plain), views = compile(reshaped),
       computed = compile(inverted);
  ASSERT_TRUE(expected && views && computed);
  for (int threads : {1, 3}) {
    auto a = expected->createContext(threads),
         b = views->createContext(threads),
         c = computed->createContext(threads);
    for (Padding padding : {Padding::Right, Padding::Holes, Padding::None}) {
      Random random(3);
      HostTensor mask = makeMask(3, 17, padding), inverse = mask;
      for (int64_t i = 0; i < mask.numElements(); ++i)
        inverse.setInt(i, !mask.getInt(i));
      HostTensor ids = random.ints({3, 17}, 50),
                 types = random.ints({3, 17}, 2);
      auto want = (*a)->run({ids, mask, types});
      auto inverseRun = (*c)->run({ids, inverse, types});
      mask.shape = {3, 1, 17};
      auto viewRun = (*b)->run({ids, mask, types});
      ASSERT_TRUE(want && inverseRun && viewRun);
      EXPECT_EQ((*want)[0].data, (*inverseRun)[0].data);
      EXPECT_EQ((*want)[0].data, (*viewRun)[0].data);
      EXPECT_EQ((*want)[0].getDouble(17 * 30 * 3 - 1) == 0,
                mask.getInt(3 * 17 - 1) == 0);
    }
  }
}

/// A tensor operation that mixes positions: padding has to be computed.
TEST(CodeGenEncoder, UnrecognisedReaderOfTokens) {
  std::string type = pooledType(30);
  runAll(encoder(shapes[1], true,
                 "%p = plm.reduce mean %z [1] : (" + hiddenType(30) + ") -> " +
                     type + "\nreturn %p : " + type + "\n",
                 type),
         false, true);
}

TEST(CodeGenEncoder, FullyMaskedRowIsFinite) {
  std::string type = hiddenType(30);
  std::string pooled = pooledType(30);
  for (bool first : {false, true}) {
    std::string tail = first ? "%p = plm.pool first %z : (" + type + ") -> " +
                                   pooled + "\nreturn %p : " + pooled + "\n"
                             : "return %z : " + type + "\n";
    auto model = compile(encoder(shapes[1], true, tail, first ? pooled : type));
    ASSERT_TRUE(model);
    auto context = model->createContext(1);
    Random random(5);
    HostTensor mask(DType::I64, {2, 9});
    for (int64_t i = 0; i < 4; ++i)
      mask.as<int64_t>()[i] = 1;
    auto got = (*context)->run(
        {random.ints({2, 9}, 50), mask, random.ints({2, 9}, 2)});
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    for (int64_t i = 0; i < (*got)[0].numElements(); ++i)
      ASSERT_TRUE(std::isfinite((*got)[0].getDouble(i)));
  }
}

TEST(CodeGenEncoder, RefusesWhatIsWrong) {
  std::string type = hiddenType(30);
  auto model =
      compile(encoder(shapes[1], true, "return %z : " + type + "\n", type));
  ASSERT_TRUE(model);
  auto context = model->createContext(1);
  Random random(5);
  auto message = [&](std::vector<HostTensor> inputs) {
    auto got = (*context)->run(inputs);
    EXPECT_FALSE(bool(got));
    return got ? std::string() : llvm::toString(got.takeError());
  };
  HostTensor ids = random.ints({1, 5}, 50), types = random.ints({1, 5}, 2);
  HostTensor mask = makeMask(1, 5, Padding::None);
  HostTensor bad = ids;
  bad.as<int64_t>()[2] = 50;
  EXPECT_NE(message({bad, mask, types}).find("input_ids"), std::string::npos);
  bad.as<int64_t>()[2] = -1;
  EXPECT_NE(message({bad, mask, types}).find("input_ids"), std::string::npos);
  HostTensor half = mask;
  half.as<int64_t>()[1] = 2;
  EXPECT_NE(message({ids, half, types}).find("attention_mask"),
            std::string::npos);
  EXPECT_NE(message({random.ints({1, 41}, 50), makeMask(1, 41, Padding::None),
                     random.ints({1, 41}, 2)})
                .find("40 positions"),
            std::string::npos);
  EXPECT_TRUE(bool((*context)->run({ids, mask, types})));
}
