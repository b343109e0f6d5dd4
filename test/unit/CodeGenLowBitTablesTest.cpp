//===- CodeGenLowBitTablesTest.cpp - Tables of 2- to 4-bit values ---------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables of 2, 3 and 4 bits, through a map or not, and one of positions,
// against the interpreter on every CPU level. Widths lie below, at and above
// the 32, 64 and 128 values of a chunk.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Support/BFloat16.h"
#include "llvm/Support/FormatVariadic.h"

using namespace plmc;
using namespace plmc::test;

namespace {

constexpr int64_t stored = 5, positions = 30;

struct Form {
  int64_t width, block;
  bool map, fineScales;
  std::string name() const {
    return llvm::formatv("{0} wide, blocks of {1}{2}{3}", width, block,
                         map ? ", map" : "", fineScales ? ", fine" : "");
  }
  int64_t ids() const { return map ? 9 : stored; }
};

constexpr Form forms[] = {{1, 0, false, true},
                          {33, 0, true, false},
                          {129, 64, false, false},
                          {256, 32, true, true}};

std::string define(const std::string &name, const HostTensor &values) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @" << name << " = ";
  attrFromTensor(values, &context()).print(os);
  return text + "\n";
}

/// %NAME [rows, width] in `bits` bits, and its parameters. Scales have either
/// sign.
void addTable(const std::string &name, int64_t rows, int64_t bits,
              const Form &form, Random &random, std::string &parameters,
              std::string &body) {
  HostTensor values(DType::I8, {rows, form.width});
  for (int64_t i = 0; i < values.numElements(); ++i)
    values.setInt(i, int64_t(random.engine() % (1u << bits)) -
                         (int64_t(1) << (bits - 1)));
  llvm::SmallVector<int64_t> shape{rows};
  std::string scaleType = llvm::formatv("tensor<{0}xf32>", rows);
  if (form.block) {
    shape.push_back(llvm::divideCeil(form.width, form.block));
    scaleType = llvm::formatv("tensor<{0}x{1}xf32>", rows, shape[1]);
  }
  HostTensor scales = random.floats(shape);
  if (!form.fineScales)
    for (int64_t i = 0; i < scales.numElements(); ++i)
      scales.as<float>()[i] = roundToBF16(scales.as<float>()[i]);
  parameters += define(name + "q", values) + define(name + "s", scales);
  body += llvm::formatv(
      "%{0}q = plm.get_parameter @{0}q : tensor<{1}x{2}xi8>\n"
      "%{0}s = plm.get_parameter @{0}s : {3}\n"
      "%{0} = plm.dequantize %{0}q scale %{0}s {{axis = {4} : i64, bits = {5} "
      ": i64, block_size = {6} : i64} : (tensor<{1}x{2}xi8>, {3}) -> "
      "tensor<{1}x{2}xf32>\n",
      name, rows, form.width, scaleType, form.block ? 1 : 0, bits, form.block);
}

/// The mean of rows of tables of 2, 3 and 4 bits and of positions.
std::string sumOf(const Form &form) {
  Random random(form.width);
  std::string parameters, body, w = std::to_string(form.width);
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>",
              x = "tensor<?x?x" + w + "xf32, #plm.dims<\"b\", \"s\", \"" + w +
                  "\">>",
              row = "tensor<1x?x" + w + "xf32, #plm.dims<\"1\", \"s\", \"" + w +
                    "\">>",
              y = "tensor<?x" + w + "xf32, #plm.dims<\"b\", \"" + w + "\">>";
  addTable("p", positions, 3, form, random, parameters, body);
  body += llvm::formatv("%sum1 = plm.position_embedding %p : "
                        "(tensor<{0}x{1}xf32>) -> {2}\n",
                        positions, w, row);
  HostTensor map(DType::I32, {form.ids()});
  for (int64_t i = 0; i < map.numElements(); ++i)
    map.setInt(i, (i * 3 + 1) % stored);
  if (form.map) {
    parameters += define("m", map);
    body += llvm::formatv("%m = plm.get_parameter @m : tensor<{0}xi32>\n",
                          form.ids());
  }
  for (int64_t bits : {2, 3, 4}) {
    addTable("t" + std::to_string(bits), stored, bits, form, random, parameters,
             body);
    if (form.map)
      body += llvm::formatv("%w{0} = plm.gather %t{0}, %m axis 0 : "
                            "(tensor<{1}x{2}xf32>, tensor<{3}xi32>) -> "
                            "tensor<{3}x{2}xf32>\n",
                            bits, stored, w, form.ids());
    body += llvm::formatv(
        "%e{0} = plm.embedding %ids, %{1}{0} : ({2}, tensor<{3}x{4}xf32>) -> "
        "{5}\n%sum{0} = plm.binary add %e{0}, %sum{6} : ({5}, {7}) -> {5}\n",
        bits, form.map ? "w" : "t", ids, form.ids(), w, x, bits - 1,
        bits == 2 ? row : x);
  }
  return parameters + "func.func @forward(%ids: " + ids + ", %mask: " + ids +
         ") -> " + y + " {\nplm.constraint \"" + std::to_string(positions) +
         " - s\", \"too long\"\n" + body +
         "%y = plm.pool mean %sum4 mask %mask : (" + x + ", " + ids + ") -> " +
         y + "\nreturn %y : " + y + "\n}\n";
}

struct Level {
  const char *cpu, *tile;
};
constexpr Level levels[] = {{"x86-64-v2", ""},
                            {"x86-64-v3", ""},
                            {"x86-64-v3", "x86-64-v4"},
                            {"native", ""}};

} // namespace

TEST(CodeGenLowBitTables, SumOfEmbeddings) {
  for (const Form &form : forms)
    for (const Level &level : levels) {
      SCOPED_TRACE(form.name() + " " + level.cpu + level.tile);
      std::string text = sumOf(form);
      CompileOptions options;
      options.cpu = level.cpu;
      options.tileOfLevel = level.tile;
      auto model = compile(text, options);
      ASSERT_TRUE(model);
      for (auto [batch, length] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 17}}) {
        Random random(7);
        HostTensor mask(DType::I64, {batch, length});
        for (int64_t i = 0; i < batch * length; ++i)
          mask.setInt(i, i % length <= length / (1 + i / length));
        std::vector<HostTensor> inputs{random.ints({batch, length}, form.ids()),
                                       mask};
        auto got = (*model->createContext(2))->run(inputs);
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        expectClose((*got)[0], interpretText(text, inputs)[0], 1e-6);
      }
    }
}

/// Ids of rank 1 are not packed; the lookup then is a tensor operation.
TEST(CodeGenLowBitTables, AsTensorOperations) {
  for (int64_t bits : {2, 3, 4})
    for (int64_t block : {0, 32}) {
      Form form{70, block, false, true};
      SCOPED_TRACE(std::to_string(bits) + " bits, " + form.name());
      Random random(bits);
      std::string parameters, body;
      addTable("t", stored, bits, form, random, parameters, body);
      std::string ids = "tensor<?xi64, #plm.dims<\"n\">>",
                  x = "tensor<?x70xf32, #plm.dims<\"n\", \"70\">>";
      std::string text =
          parameters + "func.func @forward(%ids: " + ids + ") -> " + x +
          " {\n" + body + "%e = plm.embedding %ids, %t : (" + ids +
          ", tensor<5x70xf32>) -> " + x + "\nreturn %e : " + x + "\n}\n";
      auto model = compile(text);
      ASSERT_TRUE(model);
      HostTensor input = random.ints({7}, stored);
      auto got = (*model->createContext(2))->run({input});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      expectClose((*got)[0], interpretText(text, {input})[0], 1e-6);
    }
}

/// A table takes its bits, and two bytes for the scale of each block.
TEST(CodeGenLowBitTables, PackedAtTheirSize) {
  Form form{256, 64, false, false};
  auto module =
      mlir::parseSourceString<mlir::ModuleOp>(sumOf(form), &context());
  ASSERT_TRUE(module);
  mlir::PassManager pm(&context());
  buildLoweringPipeline(pm, {});
  ASSERT_TRUE(mlir::succeeded(pm.run(*module)));
  std::string path = PLMC_TEST_TMP "/low-bit-tables.so";
  auto result = emitLibrary(*module, {}, OutputKind::SharedLibrary, path);
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  llvm::sys::fs::remove(path);
  int64_t expected = 0;
  auto add = [&](int64_t rows, int64_t bits) { // parts begin at 64 bytes
    expected += llvm::alignTo(rows * 256 * bits / 8, 64) +
                llvm::alignTo(rows * 4 * 2, 64);
  };
  for (int64_t bits : {2, 3, 4})
    add(stored, bits);
  add(positions, 3);
  EXPECT_LE(int64_t(result->weightBytes), expected);
  EXPECT_GT(int64_t(result->weightBytes), expected - 64);
}
