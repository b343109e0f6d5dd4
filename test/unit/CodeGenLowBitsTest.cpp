//===- CodeGenLowBitsTest.cpp - Products with 2- to 8-bit weights *- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Every way that a weight of a product in int8 may be quantized, against the
// interpreter, on every CPU level: bits, zero points, scales of columns and of
// blocks, in bf16 and not. Widths miss every tile and, where blocks allow,
// every pack; row counts make tiles of one, two and many rows.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Support/BFloat16.h"
#include "llvm/Support/FormatVariadic.h"
#include <cstdlib>

using namespace plmc;
using namespace plmc::test;

namespace {

struct Level {
  const char *cpu, *tile;
};
constexpr Level levels[] = {{"x86-64-v2", ""},
                            {"x86-64-v3", ""},
                            {"x86-64-v3", "x86-64-v4"},
                            {"native", ""}};

enum class Zero { None, Signed, Unsigned, UnsignedWithout };

struct Weight {
  int64_t k, n, bits;
  Zero zero = Zero::None;
  int64_t block = 0;
  bool transposed = false, fineScales = false;
  bool isUnsigned() const {
    return zero == Zero::Unsigned || zero == Zero::UnsignedWithout;
  }
  bool hasZero() const {
    return zero == Zero::Signed || zero == Zero::Unsigned;
  }
  std::string name() const {
    return llvm::formatv("{0}x{1} {2} bits zero {3} block {4}{5}{6}", k, n,
                         bits, int(zero), block, transposed ? " turned" : "",
                         fineScales ? " fine" : "");
  }
};

std::string parameterText(llvm::StringRef name, const HostTensor &values) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @" << name << " = ";
  attrFromTensor(values, &context()).print(os);
  return text + "\n";
}

std::string tensorType(llvm::ArrayRef<int64_t> shape, llvm::StringRef element) {
  std::string text = "tensor<";
  for (int64_t size : shape)
    text += std::to_string(size) + "x";
  return text + element.str() + ">";
}

/// Parameters @NAME.q, .s, .z, and the ops that make %NAME of them.
struct WeightText {
  std::string parameters, ops, type;
};
WeightText weightText(const Weight &w, llvm::StringRef name, Random &random,
                      bool powersOfTwo = false) {
  llvm::SmallVector<int64_t> shape{w.k, w.n}, scaleShape{w.n};
  if (w.block)
    scaleShape = {w.k / w.block, w.n};
  if (w.transposed) {
    std::swap(shape[0], shape[1]);
    if (w.block)
      std::swap(scaleShape[0], scaleShape[1]);
  }
  DType dtype = w.isUnsigned() ? DType::U8 : DType::I8;
  int64_t count = int64_t(1) << w.bits, least = w.isUnsigned() ? 0 : -count / 2;
  HostTensor values(dtype, shape), zeros(dtype, scaleShape),
      scales(DType::F32, scaleShape);
  for (int64_t i = 0; i < values.numElements(); ++i)
    values.setInt(i, least + int64_t(random.engine() % count));
  for (int64_t i = 0; i < scales.numElements(); ++i) {
    zeros.setInt(i, least + int64_t(random.engine() % count));
    float scale = (1 + random.engine() % 1000 * 0.001f) / count;
    if (powersOfTwo)
      scale = random.engine() % 2 ? 0.5f : 2.0f;
    scales.as<float>()[i] = w.fineScales ? scale : roundToBF16(scale);
  }
  std::string n = name.str(), element = w.isUnsigned() ? "ui8" : "i8";
  WeightText text;
  text.type = tensorType(shape, "f32");
  text.parameters = parameterText(n + ".q", values) +
                    parameterText(n + ".s", scales) +
                    (w.hasZero() ? parameterText(n + ".z", zeros) : "");
  std::string qType = tensorType(shape, element),
              sType = tensorType(scaleShape, "f32"),
              zType = tensorType(scaleShape, element);
  text.ops = "%" + n + "q = plm.get_parameter @" + n + ".q : " + qType + "\n%" +
             n + "s = plm.get_parameter @" + n + ".s : " + sType + "\n";
  if (w.hasZero())
    text.ops +=
        "%" + n + "z = plm.get_parameter @" + n + ".z : " + zType + "\n";
  int64_t axis = (w.block != 0) == w.transposed ? 1 : 0;
  text.ops += llvm::formatv(
      "%{0} = plm.dequantize %{0}q scale %{0}s {1} {{axis = {2} : i64, bits = "
      "{3} : i64, block_size = {4} : i64} : ({5}, {6}{7}) -> {8}\n",
      n, w.hasZero() ? "zero_point %" + n + "z" : std::string(), axis, w.bits,
      w.block, qType, sType, w.hasZero() ? ", " + zType : std::string(),
      text.type);
  return text;
}

std::string rowsType(int64_t width) {
  return llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>",
                       width);
}

/// y = gelu(x W + bias) [+ x]
std::string productText(const Weight &w, bool epilogue,
                        bool powersOfTwo = false) {
  Random random(3 * w.k + w.n + w.bits);
  WeightText weight = weightText(w, "w", random, powersOfTwo);
  std::string x = rowsType(w.k), y = rowsType(w.n), text = weight.parameters;
  if (epilogue)
    text += parameter(random, "b", {w.n});
  text += "func.func @forward(%x: " + x + " {plm.name = \"x\"}) -> (" + y +
          " {plm.name = \"y\"}) {\n" + weight.ops;
  if (epilogue)
    text += llvm::formatv("%b = plm.get_parameter @b : tensor<{0}xf32>\n", w.n);
  text += llvm::formatv(
      "%0 = plm.linear %x, %w {0} {1} precision int8 : ({2}, {3}{4}) -> {5}\n",
      epilogue ? "bias %b" : "", w.transposed ? "transposed" : "", x,
      weight.type,
      epilogue ? llvm::formatv(", tensor<{0}xf32>", w.n).str() : std::string(),
      y);
  if (epilogue)
    text += "%1 = plm.activation gelu %0 : (" + y + ") -> " + y + "\n";
  if (epilogue && w.k == w.n)
    text += "%2 = plm.binary add %1, %x : (" + y + ", " + y + ") -> " + y +
            "\nreturn %2 : " + y + "\n}\n";
  else
    text += (epilogue ? "return %1 : " : "return %0 : ") + y + "\n}\n";
  return text;
}

constexpr std::pair<int64_t, int64_t> rowCounts[] = {
    {1, 1}, {1, 2}, {1, 13}, {3, 11}};

void check(const Weight &weight, bool epilogue) {
  std::string text = productText(weight, epilogue);
  std::vector<HostTensor> inputs, want;
  Random random(17);
  for (auto [batch, length] : rowCounts) {
    inputs.push_back(random.floats({batch, length, weight.k}, 3));
    want.push_back(interpretText(text, {inputs.back()})[0]);
  }
  for (const Level &level : levels) {
    SCOPED_TRACE(weight.name() + " " + level.cpu + " " + level.tile);
    CompileOptions options;
    options.cpu = level.cpu;
    options.tileOfLevel = level.tile;
    auto model = compile(text, options);
    ASSERT_TRUE(model);
    auto context = model->createContext(2);
    ASSERT_TRUE(bool(context));
    for (auto [x, y] : llvm::zip(inputs, want)) {
      auto got = (*context)->run({x});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], y, 2e-6);
    }
  }
}

TEST(CodeGenLowBits, Columns) {
  for (int64_t bits : {2, 3, 4, 8}) {
    check({64, 48, bits, Zero::None, 0, true}, true);
    check({100, 33, bits, Zero::Signed}, false);
    check({100, 100, bits, Zero::Unsigned}, true);
  }
  check({96, 17, 3, Zero::UnsignedWithout}, false);
  check({33, 8, 6, Zero::Signed, 0, true}, false);
}

TEST(CodeGenLowBits, Blocks) {
  for (int64_t bits : {2, 3, 4, 8}) {
    check({64, 33, bits, Zero::None, 32}, false);
    check({96, 96, bits, Zero::Signed, 32, true}, true);
    check({384, 40, bits, Zero::Unsigned, 128}, false);
  }
  check({128, 17, 4, Zero::Signed, 64, false, true}, true);
  check({96, 8, 2, Zero::UnsignedWithout, 32, true, true}, false);
}

/// Numbers for which everything but the integers is exact: equal to the bit on
/// every CPU.
TEST(CodeGenLowBits, IntegersAreExact) {
  constexpr int64_t k = 128, rows = 9;
  Random random(5);
  HostTensor x(DType::F32, {1, rows, k});
  for (int64_t i = 0; i < rows * k; ++i)
    x.as<float>()[i] = i % k == 0   ? 127
                       : i % k == 1 ? -127
                                    : int(random.engine() % 255) - 127;
  for (int64_t bits : {2, 3, 4, 8})
    for (int64_t block : {0, 64}) {
      Weight weight{k, 24, bits, Zero::Signed, block};
      std::string text = productText(weight, false, /*powersOfTwo=*/true);
      HostTensor want = interpretText(text, {x})[0];
      for (const Level &level : levels) {
        SCOPED_TRACE(weight.name() + " " + level.cpu + " " + level.tile);
        CompileOptions options;
        options.cpu = level.cpu;
        options.tileOfLevel = level.tile;
        auto model = compile(text, options);
        ASSERT_TRUE(model);
        auto got = (*model->createContext(1))->run({x});
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        for (int64_t i = 0; i < want.numElements(); ++i)
          ASSERT_EQ((*got)[0].as<float>()[i], want.as<float>()[i]) << i;
      }
    }
}

/// Q, K and V of one format become one product, in a library for every CPU.
TEST(CodeGenLowBits, ThreeProductsInOne) {
  for (Weight weight : {Weight{64, 64, 2, Zero::Signed, 32},
                        Weight{64, 64, 3, Zero::Unsigned, 0},
                        Weight{64, 64, 4, Zero::None, 32, true}}) {
    SCOPED_TRACE(weight.name());
    Random random(11);
    std::string x = rowsType(64), text, body;
    for (const char *name : {"q", "k", "v"}) {
      WeightText part = weightText(weight, name, random);
      text += part.parameters;
      body += part.ops;
      body += llvm::formatv("%{0}0 = plm.linear %x, %{0} {1} precision int8 : "
                            "({2}, {3}) -> {2}\n",
                            name, weight.transposed ? "transposed" : "", x,
                            part.type);
    }
    text += parameter(random, "t", {19, 64});
    text += llvm::formatv(
        "func.func @forward(%i: {1} {{plm.name = \"i\"}, %m: {1} {{plm.name = "
        "\"m\"}) -> ({0} {{plm.name = \"y\"}) {{\n"
        "%t = plm.get_parameter @t : tensor<19x64xf32>\n"
        "%x = plm.embedding %i, %t : ({1}, tensor<19x64xf32>) -> {0}\n{2}"
        "%r = plm.attention %q0, %k0, %v0 mask %m {{num_heads = 2 : i64, scale "
        "= 0.2 : f64} : ({0}, {0}, {0}, {1}) -> {0}\nreturn %r : {0}\n}\n",
        x, "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>", body);
    auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
    ASSERT_TRUE(module);
    CompileOptions options;
    options.cpu = "any";
    auto model = compileModule(*module, options);
    ASSERT_TRUE(model);
    int products = 0;
    module->walk([&](mlir::Operation *op) {
      products += op->getName().getStringRef() == "plk.linear";
    });
    EXPECT_EQ(products, 1);
    HostTensor input = random.ints({2, 9}, 19), mask(DType::I64, {2, 9});
    for (int64_t i = 0; i < 18; ++i)
      mask.setInt(i, 1);
    HostTensor want = interpretText(text, {input, mask})[0];
    int ran = 0;
    for (const char *cpu : {"x86-64-v2", "x86-64-v3", "x86-64-v3+avxvnni",
                            "x86-64-v4", "x86-64-v4+avx512vnni"}) {
      SCOPED_TRACE(cpu);
      setenv("PLM_CPU", cpu, 1);
      auto context = model->createContext(1);
      unsetenv("PLM_CPU");
      if (!context) {
        llvm::consumeError(context.takeError());
        continue;
      }
      auto got = (*context)->run({input, mask});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], want, 1e-5); // softmax
      ++ran;
    }
    EXPECT_GE(ran, 2);
  }
}

} // namespace
