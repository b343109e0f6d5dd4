//===- CodeGenTablesTest.cpp - Computed tables against the interpreter ----===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Tables of codes, of fewer rows than there are ids, and both; in the kernel of
// packed rows at every CPU level, and as tensor operations. Sizes of entries
// are chosen below, at and above the lanes of a vector, and odd.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "llvm/Support/FormatVariadic.h"

using namespace plmc;
using namespace plmc::test;

namespace {

/// A table %NAME [ids, parts * size], and the parameters it is made of.
struct Table {
  int64_t ids, stored, parts, entries, size;
  bool map, bytes;

  int64_t width() const { return parts * size; }
  std::string type() const {
    return llvm::formatv("tensor<{0}x{1}xf32>", ids, width());
  }
};

std::string define(const std::string &name, const HostTensor &values) {
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "plm.parameter @" << name << " = ";
  attrFromTensor(values, &context()).print(os);
  return text + "\n";
}

HostTensor integers(Random &random, DType dtype, llvm::ArrayRef<int64_t> shape,
                    int64_t low, int64_t high) {
  HostTensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setInt(i, low + int64_t(random.engine() % (high - low)));
  return tensor;
}

void addTable(Random &random, const std::string &name, const Table &t,
              std::string &parameters, std::string &body) {
  std::string codes = llvm::formatv("tensor<{0}x{1}xui8>", t.stored, t.parts),
              books = llvm::formatv("tensor<{0}x{1}x{2}xf32>", t.parts,
                                    t.entries, t.size),
              rows = llvm::formatv("tensor<{0}x{1}xf32>", t.stored, t.width());
  auto read = [&](const std::string &symbol, const std::string &type) {
    body +=
        "%" + symbol + " = plm.get_parameter @" + symbol + " : " + type + "\n";
  };
  parameters +=
      define(name + "_codes",
             integers(random, DType::U8, {t.stored, t.parts}, 0, t.entries));
  read(name + "_codes", codes);
  llvm::SmallVector<int64_t> shape{t.parts, t.entries, t.size};
  if (t.bytes) {
    std::string raw =
        llvm::formatv("tensor<{0}x{1}x{2}xi8>", t.parts, t.entries, t.size);
    std::string scales = llvm::formatv("tensor<{0}xf32>", t.parts);
    parameters +=
        define(name + "_b8", integers(random, DType::I8, shape, -127, 128));
    parameters += define(name + "_scales", random.floats({t.parts}, 0.1f));
    read(name + "_b8", raw);
    read(name + "_scales", scales);
    body += llvm::formatv("%{0}_books = plm.dequantize %{0}_b8 scale "
                          "%{0}_scales : ({1}, {2}) -> {3}\n",
                          name, raw, scales, books);
  } else {
    parameters += define(name + "_books", random.floats(shape));
    read(name + "_books", books);
  }
  body +=
      llvm::formatv("%{0} = plm.codebook_lookup %{1}_codes, %{1}_books : "
                    "({2}, {3}) -> {4}\n",
                    t.map ? name + "_rows" : name, name, codes, books, rows);
  if (!t.map)
    return;
  std::string map = llvm::formatv("tensor<{0}xi32>", t.ids);
  parameters += define(name + "_map", integers(random, DType::I32, {t.ids},
                                               -t.stored, t.stored));
  read(name + "_map", map);
  body += llvm::formatv(
      "%{0} = plm.gather %{0}_rows, %{0}_map axis 0 : ({1}, {2}) -> {3}\n",
      name, rows, map, t.type());
}

constexpr Table tables[] = {
    {11, 11, 5, 3, 4, false, false}, {11, 11, 5, 256, 4, false, true},
    {37, 7, 9, 20, 2, true, false},  {37, 7, 3, 20, 8, true, true},
    {9, 5, 7, 4, 3, true, true},     {5, 5, 13, 7, 1, false, true},
    {6, 2, 2, 5, 32, true, false},   {70000, 66000, 3, 9, 2, true, false},
    {1, 1, 1, 1, 4, false, false}};

/// Words (the table), positions in 8 bits, types in f32; then a norm.
std::string sumOf(const Table &t, Random &random) {
  std::string h = std::to_string(t.width());
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  std::string x =
      "tensor<?x?x" + h + "xf32, #plm.dims<\"b\", \"s\", \"" + h + "\">>";
  std::string row =
      "tensor<1x?x" + h + "xf32, #plm.dims<\"1\", \"s\", \"" + h + "\">>";
  std::string parameters, body;
  addTable(random, "t", t, parameters, body);
  parameters +=
      define("p8", integers(random, DType::I8, {40, t.width()}, -127, 128));
  parameters += define("ps", random.floats({40}, 0.01f));
  parameters += parameter(random, "y", {2, t.width()});
  parameters += parameter(random, "g", {t.width()});
  return parameters + "func.func @forward(%ids: " + ids + ", %types: " + ids +
         ", %mask: " + ids + ") -> " + x +
         " {\nplm.constraint \"40 - s\", \"too long\"\n" + body +
         llvm::formatv(
             "%p8 = plm.get_parameter @p8 : tensor<40x{0}xi8>\n"
             "%ps = plm.get_parameter @ps : tensor<40xf32>\n"
             "%y = plm.get_parameter @y : tensor<2x{0}xf32>\n"
             "%g = plm.get_parameter @g : tensor<{0}xf32>\n"
             "%p = plm.dequantize %p8 scale %ps : (tensor<40x{0}xi8>, "
             "tensor<40xf32>) -> tensor<40x{0}xf32>\n"
             "%e = plm.embedding %ids, %t : ({1}, {2}) -> {3}\n"
             "%f = plm.embedding %types, %y : ({1}, tensor<2x{0}xf32>) -> {3}\n"
             "%q = plm.position_embedding %p : (tensor<40x{0}xf32>) -> {4}\n"
             "%0 = plm.binary add %e, %f : ({3}, {3}) -> {3}\n"
             "%1 = plm.binary add %0, %q : ({3}, {4}) -> {3}\n"
             "%n = plm.layer_norm %1, %g {{epsilon = 1.0e-3 : f64} : ({3}, "
             "tensor<{0}xf32>) -> {3}\n"
             "%a = plm.attention %n, %n, %n mask %mask {{num_heads = 1 : i64, "
             "scale = 0.1 : f64} : ({3}, {3}, {3}, {1}) -> {3}\n"
             "return %a : {3}\n}\n",
             h, ids, t.type(), x, row)
             .str();
}

struct Level {
  const char *cpu, *tile;
};
constexpr Level levels[] = {{"x86-64-v2", ""},
                            {"x86-64-v3", ""},
                            {"x86-64-v3", "x86-64-v4"},
                            {"native", ""}};

} // namespace

TEST(CodeGenTables, SumOfEmbeddings) {
  for (const Table &t : tables) {
    Random random(t.ids + t.size);
    std::string text = sumOf(t, random);
    for (const Level &level : levels) {
      SCOPED_TRACE(
          llvm::formatv("{0} ids of {1} rows, {2} x {3} x {4}, {5} {6}", t.ids,
                        t.stored, t.parts, t.entries, t.size, level.cpu,
                        level.tile)
              .str());
      CompileOptions options;
      options.cpu = level.cpu;
      options.tileOfLevel = level.tile;
      auto model = compile(text, options);
      ASSERT_TRUE(model);
      for (auto [batch, length] :
           {std::pair<int64_t, int64_t>{1, 1}, {3, 17}}) {
        HostTensor mask(DType::I64, {batch, length});
        for (int64_t i = 0; i < batch * length; ++i)
          mask.setInt(i, i % length <= length / (1 + i / length));
        std::vector<HostTensor> inputs{random.ints({batch, length}, t.ids),
                                       random.ints({batch, length}, 2), mask};
        inputs[0].setInt(0, t.ids - 1);
        auto got = (*model->createContext(2))->run(inputs);
        ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
        expectClose((*got)[0], interpretText(text, inputs)[0], 1e-5, &mask);
        for (int64_t wrong : {int64_t(-1), t.ids}) {
          std::vector<HostTensor> bad(inputs);
          bad[0].setInt(0, wrong);
          auto refused = (*model->createContext(1))->run(bad);
          EXPECT_FALSE(bool(refused)) << wrong;
          llvm::consumeError(refused.takeError());
        }
      }
      if (t.ids > 1000) // the rest would take its time to print and to parse
        break;
    }
  }
}

/// Ids of rank 1 are not packed.
TEST(CodeGenTables, AsTensorOperations) {
  for (const Table &t : tables) {
    if (t.ids > 1000)
      continue;
    Random random(t.ids + t.size);
    std::string ids = "tensor<?xi32, #plm.dims<\"n\">>",
                x = llvm::formatv(
                    "tensor<?x{0}xf32, #plm.dims<\"n\", \"{0}\">>", t.width());
    std::string parameters, body;
    addTable(random, "t", t, parameters, body);
    std::string text = parameters + "func.func @forward(%ids: " + ids +
                       ") -> " + x + " {\n" + body +
                       "%e = plm.embedding %ids, %t : (" + ids + ", " +
                       t.type() + ") -> " + x + "\nreturn %e : " + x + "\n}\n";
    auto model = compile(text);
    ASSERT_TRUE(model);
    HostTensor input(DType::I32, {9});
    for (int64_t i = 0; i < 9; ++i)
      input.setInt(i, (t.ids - 1 + 3 * i) % t.ids);
    auto got = (*model->createContext(2))->run({input});
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    expectClose((*got)[0], interpretText(text, {input})[0], 1e-6);
    for (int64_t wrong : {int64_t(-1), t.ids}) {
      input.setInt(0, wrong);
      auto refused = (*model->createContext(1))->run({input});
      EXPECT_FALSE(bool(refused)) << wrong;
      llvm::consumeError(refused.takeError());
    }
  }
}

/// Codes that are computed, and 8-bit tables with a scale a row or a block.
TEST(CodeGenTables, OtherForms) {
  Random random(3);
  std::string text =
      "func.func @forward(%c: tensor<3x5xui8>, %b: tensor<5x7x3xf32>) -> "
      "tensor<3x15xf32> {\n%r = plm.codebook_lookup %c, %b : (tensor<3x5xui8>, "
      "tensor<5x7x3xf32>) -> tensor<3x15xf32>\nreturn %r : "
      "tensor<3x15xf32>\n}\n";
  auto model = compile(text);
  ASSERT_TRUE(model);
  std::vector<HostTensor> inputs{integers(random, DType::U8, {3, 5}, 0, 7),
                                 random.floats({5, 7, 3})};
  auto got = (*model->createContext(2))->run(inputs);
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  expectClose((*got)[0], interpretText(text, inputs)[0], 0);
  inputs[0].setInt(4, 7);
  got = (*model->createContext(1))->run(inputs);
  EXPECT_FALSE(bool(got));
  llvm::consumeError(got.takeError());

  for (int64_t block : {0, 4}) {
    std::string scales = block ? "tensor<6x2xf32>" : "tensor<6xf32>";
    std::string body =
        define("q", integers(random, DType::I8, {6, 8}, -127, 128)) +
        (block ? parameter(random, "s", {6, 2}) : parameter(random, "s", {6})) +
        "func.func @forward(%ids: tensor<4xi64>) -> tensor<4x8xf32> {\n"
        "%q = plm.get_parameter @q : tensor<6x8xi8>\n"
        "%s = plm.get_parameter @s : " +
        scales + "\n" +
        llvm::formatv("%t = plm.dequantize %q scale %s {{axis = {0} : i64, "
                      "block_size = {1} : i64} : (tensor<6x8xi8>, {2}) -> "
                      "tensor<6x8xf32>\n",
                      block ? 1 : 0, block, scales)
            .str() +
        "%e = plm.embedding %ids, %t : (tensor<4xi64>, tensor<6x8xf32>) -> "
        "tensor<4x8xf32>\nreturn %e : tensor<4x8xf32>\n}\n";
    auto quantized = compile(body);
    ASSERT_TRUE(quantized);
    HostTensor ids = random.ints({4}, 6);
    auto rows = (*quantized->createContext(2))->run({ids});
    ASSERT_TRUE(bool(rows)) << llvm::toString(rows.takeError());
    expectClose((*rows)[0], interpretText(body, {ids})[0], 1e-6);
  }
}
