//===- CodeGenPrecisionTest.cpp - Products in bf16, int8, int4 --*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Kernel x precision x CPU level against the interpreter. Widths are chosen to
// miss every tile: K off the word (4, 8) and the vector, N off the panel. The
// tiles of AVX-512 run as AVX2 code; where the CPU has dot products, "native"
// runs them.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Passes/SetPrecision.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <cstdlib>
#include <limits>

using namespace plmc;
using namespace plmc::test;

namespace {

struct Level {
  const char *cpu, *tile;
  CompileOptions options() const {
    CompileOptions options;
    options.cpu = cpu;
    options.tileOfLevel = tile;
    return options;
  }
};
constexpr Level levels[] = {{"x86-64-v2", ""},
                            {"x86-64-v3", ""},
                            {"x86-64-v3", "x86-64-v4"},
                            {"native", ""}};

/// y = activation(x W + bias) [+ x], with W [K, N] or, transposed, [N, K].
std::string linearText(int64_t k, int64_t n, const std::string &weight,
                       bool transposed, bool gelu, bool residual) {
  Random random(3 * k + n);
  std::string x =
      llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", k);
  std::string y =
      llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", n);
  std::string w = transposed ? llvm::formatv("tensor<{0}x{1}xf32>", n, k)
                             : llvm::formatv("tensor<{0}x{1}xf32>", k, n);
  std::string text = weight + parameter(random, "b", {n});
  text += llvm::formatv(
      "func.func @forward(%x: {0} {{plm.name = \"x\"}) -> ({1} {{plm.name = "
      "\"y\"}) {{\n%w = plm.get_parameter @w : {2}\n"
      "%b = plm.get_parameter @b : tensor<{3}xf32>\n"
      "%0 = plm.linear %x, %w bias %b {4} : ({0}, {2}, tensor<{3}xf32>) -> "
      "{1}\n",
      x, y, w, n, transposed ? "transposed" : "");
  text += gelu ? "%1 = plm.activation gelu %0 : (" + y + ") -> " + y + "\n"
               : "%1 = plm.reshape %0 : (" + y + ") -> " + y + "\n";
  text += residual ? "%2 = plm.binary add %1, %x : (" + y + ", " + x + ") -> " +
                         y + "\nreturn %2 : " + y + "\n}\n"
                   : "return %1 : " + y + "\n}\n";
  return text;
}

std::string randomWeight(int64_t k, int64_t n, bool transposed) {
  Random random(k + 5 * n);
  return parameter(random, "w",
                   transposed ? llvm::ArrayRef<int64_t>({n, k})
                              : llvm::ArrayRef<int64_t>({k, n}));
}

/// The module after plm-set-precision, as text with its weights.
std::string withPrecision(llvm::StringRef text, llvm::StringRef precision,
                          int64_t groupSize) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  mlir::PassManager pm(&context());
  pm.addPass(createSetPrecisionPass(precision, groupSize, /*minElements=*/0));
  EXPECT_TRUE(mlir::succeeded(pm.run(*module)));
  std::string result;
  llvm::raw_string_ostream os(result);
  module->print(os);
  EXPECT_TRUE(llvm::StringRef(result).contains("precision ") ||
              llvm::StringRef(result).contains("plm.dequantize"));
  return result;
}

struct Shape {
  int64_t k, n;
  bool transposed, gelu, residual;
};
constexpr Shape shapes[] = {{3, 1, false, false, false},
                            {33, 33, false, false, true},
                            {64, 48, true, true, false},
                            {96, 96, false, false, true},
                            {130, 17, true, false, false}};

void checkShape(const Shape &shape, llvm::StringRef precision,
                int64_t groupSize) {
  std::string text =
      withPrecision(linearText(shape.k, shape.n,
                               randomWeight(shape.k, shape.n, shape.transposed),
                               shape.transposed, shape.gelu, shape.residual),
                    precision, groupSize);
  for (const Level &level : levels) {
    SCOPED_TRACE(llvm::formatv("{0}x{1} {2} group {3} {4} {5}", shape.k,
                               shape.n, precision, groupSize, level.cpu,
                               level.tile)
                     .str());
    auto model = compile(text, level.options());
    ASSERT_TRUE(model);
    auto context = model->createContext(2);
    ASSERT_TRUE(bool(context));
    Random random(17);
    for (auto [batch, length] : {std::pair<int64_t, int64_t>{1, 1},
                                 {1, 2},
                                 {1, 7},
                                 {3, 13},
                                 {1, 29}}) {
      HostTensor x = random.floats({batch, length, shape.k}, 3);
      auto got = (*context)->run({x});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], interpretText(text, {x})[0], 2e-6);
    }
  }
}

TEST(CodeGenPrecision, BF16) {
  for (const Shape &shape : shapes)
    checkShape(shape, "bf16", 0);
}
TEST(CodeGenPrecision, Int8) {
  for (const Shape &shape : shapes)
    checkShape(shape, "int8", 0);
}
TEST(CodeGenPrecision, Int4) {
  for (const Shape &shape : shapes)
    checkShape(shape, "int4", 0);
  for (int64_t group : {32, 64})
    checkShape({128, 40, group == 32, true, false}, "int4", group);
}

/// Tables in 4 and 8 bits, of a width that is no multiple of the 32 values that
/// are stored together; with a scale a row and a scale a block.
TEST(CodeGenPrecision, Tables) {
  for (int64_t width : {40, 64})
    for (llvm::StringRef precision : {"int8", "int4"}) {
      Random random(width);
      std::string y = llvm::formatv("tensor<?x?x{0}xf32, #plm.dims<\"b\", "
                                    "\"s\", \"{0}\">>",
                                    width);
      std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
      std::string t = llvm::formatv("tensor<23x{0}xf32>", width);
      std::string text = parameter(random, "t", {23, width});
      text += llvm::formatv(
          "func.func @forward(%x: {0} {{plm.name = \"x\"}) -> ({1} {{plm.name "
          "= "
          "\"y\"}) {{\n%t = plm.get_parameter @t : {2}\n"
          "%0 = plm.embedding %x, %t : ({0}, {2}) -> {1}\nreturn %0 : {1}\n}\n",
          ids, y, t);
      text = withPrecision(text, precision, 32);
      HostTensor x(DType::I64, {2, 13});
      for (int64_t i = 0; i < 26; ++i)
        x.setInt(i, i % 23);
      HostTensor want = interpretText(text, {x})[0];
      for (const Level &level : levels) {
        SCOPED_TRACE(llvm::formatv("{0} {1} {2} {3}", width, precision,
                                   level.cpu, level.tile)
                         .str());
        auto model = compile(text, level.options());
        ASSERT_TRUE(model);
        auto got = (*model->createContext(1))->run({x});
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        expectClose((*got)[0], want, 1e-7);
      }
    }
}

/// Numbers for which everything but the integers is exact: any CPU has to give
/// the same bits, with the largest codes and weights that there are.
TEST(CodeGenPrecision, IntegersAreExact) {
  constexpr int64_t k = 64, n = 24, rows = 9;
  Random random(5);
  HostTensor weight(DType::F32, {k, n}), x(DType::F32, {1, rows, k});
  for (int64_t i = 0; i < k * n; ++i)
    weight.as<float>()[i] = i < n ? 127 : int(random.engine() % 255) - 127;
  for (int64_t i = 0; i < rows * k; ++i)
    x.as<float>()[i] = i % k == 0   ? 127
                       : i % k == 1 ? -127
                                    : int(random.engine() % 255) - 127;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @w = ";
  attrFromTensor(weight, &context()).print(os);
  text = withPrecision(linearText(k, n, text + "\n", false, false, false),
                       "int8", 0);
  HostTensor want = interpretText(text, {x})[0];
  for (const Level &level : levels) {
    auto model = compile(text, level.options());
    ASSERT_TRUE(model);
    auto got = (*model->createContext(1))->run({x});
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    for (int64_t i = 0; i < rows * n; ++i)
      ASSERT_EQ((*got)[0].as<float>()[i], want.as<float>()[i]) << level.cpu;
  }
}

/// A row gives the same bits whatever else is in the batch and however many
/// threads there are; what is not finite stays in its row.
TEST(CodeGenPrecision, RowsAreAlone) {
  for (llvm::StringRef precision : {"bf16", "int8", "int4", "int3", "int2"}) {
    SCOPED_TRACE(precision.str());
    constexpr int64_t k = 96, n = 40, rows = 31;
    std::string text = withPrecision(
        linearText(k, n, randomWeight(k, n, false), false, false, false),
        precision, 32);
    auto model = compile(text);
    ASSERT_TRUE(model);
    Random random(23);
    HostTensor x = random.floats({1, rows, k});
    x.as<float>()[5 * k + 3] = std::numeric_limits<float>::infinity();
    x.as<float>()[11 * k + 95] = std::numeric_limits<float>::quiet_NaN();
    auto run = [&](const HostTensor &input, int threads) {
      auto got = (*model->createContext(threads))->run({input});
      EXPECT_TRUE(bool(got));
      return std::move((*got)[0]);
    };
    HostTensor all = run(x, 1);
    for (int threads : {2, 3}) {
      HostTensor other = run(x, threads);
      EXPECT_EQ(
          std::memcmp(all.data.data(), other.data.data(), all.data.size()), 0)
          << threads << " threads";
    }
    for (int64_t row = 0; row < rows; ++row) {
      HostTensor one(DType::F32, {1, 1, k});
      std::memcpy(one.as<float>(), x.as<float>() + row * k, k * 4);
      HostTensor alone = run(one, 1);
      bool finite = row != 5 && row != 11;
      for (int64_t i = 0; i < n; ++i) {
        float want = all.as<float>()[row * n + i];
        ASSERT_EQ(std::isfinite(want), finite) << row;
        if (finite)
          ASSERT_EQ(alone.as<float>()[i], want) << row;
      }
    }
  }
}

/// More rows than a block of a chain has (at most 256): encoding and product
/// run block by block, and every block uses the same encoded rows.
TEST(CodeGenPrecision, ManyBlocksOfRows) {
  for (llvm::StringRef precision : {"bf16", "int8", "int4", "int3", "int2"}) {
    SCOPED_TRACE(precision.str());
    constexpr int64_t k = 96, n = 96;
    std::string text = withPrecision(
        linearText(k, n, randomWeight(k, n, false), false, true, true),
        precision, 32);
    auto model = compile(text);
    ASSERT_TRUE(model);
    Random random(37);
    HostTensor x = random.floats({7, 149, k}, 3);
    HostTensor want = interpretText(text, {x})[0];
    for (int threads : {1, 2, 3}) {
      auto got = (*model->createContext(threads))->run({x});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], want, 2e-6);
    }
  }
}

/// softmax(Q K^T) V in bf16, Q|K|V as inputs, with a mask.
std::string attentionText(int64_t heads, int64_t size, int64_t valueSize) {
  auto tensor = [](int64_t width) {
    return llvm::formatv(
               "tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", width)
        .str();
  };
  std::string q = tensor(heads * size), v = tensor(heads * valueSize);
  std::string mask = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  return llvm::formatv(
      "func.func @forward(%q: {0} {{plm.name = \"q\"}, %k: {0} {{plm.name = "
      "\"k\"}, %v: {1} {{plm.name = \"v\"}, %m: {2} {{plm.name = \"mask\"}) -> "
      "({1} {{plm.name = \"y\"}) {{\n"
      "%0 = plm.attention %q, %k, %v mask %m precision bf16 {{num_heads = {3} "
      ": "
      "i64, scale = 0.25 : f64} : ({0}, {0}, {1}, {2}) -> {1}\n"
      "return %0 : {1}\n}\n",
      q, v, mask, heads);
}

/// A weight on the border between two bfloat16 may fall to either side: it is
/// then off by 2^-8 of itself, the result by that part of one value. Such cases
/// are rare: on average the results are equal to rounding.
void expectCloseBF16(const HostTensor &got, const HostTensor &want) {
  ASSERT_EQ(got.shape, want.shape);
  double sum = 0;
  for (int64_t i = 0, e = got.numElements(); i < e; ++i) {
    double difference = std::fabs(got.getDouble(i) - want.getDouble(i));
    ASSERT_LE(difference, 0x1p-8 * 3) << i;
    sum += difference;
  }
  EXPECT_LE(sum / got.numElements(), 2e-5);
}

TEST(CodeGenPrecision, AttentionBF16) {
  struct Size {
    int64_t heads, size, valueSize;
  };
  for (Size size : {Size{2, 32, 32}, Size{3, 5, 7}, Size{1, 24, 40},
                    Size{1, 64, 64}, Size{2, 37, 33}}) {
    std::string text = attentionText(size.heads, size.size, size.valueSize);
    for (const Level &level : levels) {
      SCOPED_TRACE(llvm::formatv("{0} heads of {1}, {2} {3} {4}", size.heads,
                                 size.size, size.valueSize, level.cpu,
                                 level.tile)
                       .str());
      auto model = compile(text, level.options());
      ASSERT_TRUE(model);
      auto context = model->createContext(2);
      ASSERT_TRUE(bool(context));
      Random random(29);
      for (auto [batch, length] : {std::pair<int64_t, int64_t>{1, 1},
                                   {1, 2},
                                   {2, 9},
                                   {3, 37},
                                   {1, 64}}) {
        HostTensor q = random.floats({batch, length, size.heads * size.size});
        HostTensor k = random.floats({batch, length, size.heads * size.size});
        HostTensor v =
            random.floats({batch, length, size.heads * size.valueSize});
        HostTensor mask(DType::I64, {batch, length});
        for (int64_t i = 0; i < batch * length; ++i)
          mask.setInt(i, i % length == 0 || random.engine() % 3 != 0);
        auto got = (*context)->run({q, k, v, mask});
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        HostTensor want = interpretText(text, {q, k, v, mask})[0];
        // Positions that the mask excludes are not computed.
        for (int64_t row = 0; row < batch * length; ++row)
          if (!mask.getInt(row))
            for (int64_t i = 0; i < want.shape[2]; ++i)
              want.setDouble(row * want.shape[2] + i, 0);
        expectCloseBF16((*got)[0], want);
      }
    }
  }
}

/// One library for every CPU: each of its variants that this machine can run,
/// on the same inputs.
TEST(CodeGenPrecision, EveryVariantOfOneLibrary) {
  for (llvm::StringRef precision :
       {"f32", "bf16", "int8", "int4", "int3", "int2"}) {
    constexpr int64_t k = 96, n = 40;
    std::string text =
        linearText(k, n, randomWeight(k, n, false), false, true, false);
    if (precision != "f32")
      text = withPrecision(text, precision, 32);
    CompileOptions options;
    options.cpu = "any";
    auto model = compile(text, options);
    ASSERT_TRUE(model);
    std::string description = model->description().str();
    Random random(31);
    HostTensor x = random.floats({2, 11, k}, 3);
    HostTensor want = interpretText(text, {x})[0];
    int ran = 0;
    for (const char *cpu :
         {"x86-64-v2", "x86-64-v3", "x86-64-v3+avxvnni", "x86-64-v4",
          "x86-64-v4+avx512vnni", "x86-64-v4+avx512vnni+avx512bf16",
          "x86-64-v4+avx512vnni+avx512bf16+amx-tile+amx-int8+amx-bf16"}) {
      SCOPED_TRACE((precision + " " + cpu).str());
      setenv("PLM_CPU", cpu, 1);
      auto context = model->createContext(1);
      unsetenv("PLM_CPU");
      if (!context) { // the machine cannot, or no kernel needs it
        llvm::consumeError(context.takeError());
        continue;
      }
      EXPECT_NE(description.find("\"" + std::string(cpu) + "\""),
                std::string::npos);
      auto got = (*context)->run({x});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], want, 2e-6);
      ++ran;
    }
    EXPECT_GE(ran, 2) << precision.str();
  }
}

} // namespace
