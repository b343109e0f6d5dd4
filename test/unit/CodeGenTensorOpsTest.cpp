//===- CodeGenTensorOpsTest.cpp - Compiled tensor operations against the
// interpreter ---*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "llvm/ADT/StringExtras.h"

using namespace plmc;
using namespace plmc::test;

namespace {

std::string type(llvm::StringRef dims, llvm::StringRef element = "f32") {
  // "b,s,4": symbols are dynamic.
  std::string shape, exprs;
  bool dynamic = false;
  llvm::SmallVector<llvm::StringRef> parts;
  dims.split(parts, ',', -1, /*KeepEmpty=*/false);
  for (llvm::StringRef part : parts) {
    bool fixed = llvm::isDigit(part.front()) &&
                 part.find_first_not_of("0123456789") == llvm::StringRef::npos;
    shape += (fixed ? part.str() : "?") + "x";
    exprs += (exprs.empty() ? "\"" : ", \"") + part.str() + "\"";
    dynamic |= !fixed;
  }
  return "tensor<" + shape + element.str() +
         (dynamic ? ", #plm.dims<" + exprs + ">" : "") + ">";
}

struct Argument {
  std::string type;
  HostTensor value;
};

/// Compiles one op over the arguments %0, %1, ... and compares.
void check(llvm::StringRef op, llvm::ArrayRef<Argument> arguments,
           llvm::StringRef resultType, double tolerance = 1e-6) {
  SCOPED_TRACE(op.str());
  std::string text = "func.func @forward(";
  std::vector<HostTensor> inputs;
  for (size_t i = 0; i < arguments.size(); ++i) {
    text += (i ? ", %" : "%") + std::to_string(i) + ": " + arguments[i].type;
    inputs.push_back(arguments[i].value);
  }
  text += ") -> " + resultType.str() + " {\n%r = " + op.str() +
          "\nreturn %r : " + resultType.str() + "\n}\n";
  auto want = interpretText(text, inputs);
  ASSERT_EQ(want.size(), 1u);
  auto model = compile(text);
  ASSERT_TRUE(model);
  for (int threads : {1, 2}) {
    auto context = model->createContext(threads);
    auto got = (*context)->run(inputs);
    ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
    expectClose((*got)[0], want[0], tolerance);
  }
}

HostTensor special() {
  HostTensor tensor(DType::F32, {12});
  const float values[] = {0.0f,  -0.0f, 1.0f,  -1.0f, 2.5f,     -2.5f,
                          0.49f, 3.5f,  1e-3f, 7.0f,  INFINITY, NAN};
  std::copy(std::begin(values), std::end(values), tensor.as<float>());
  return tensor;
}

} // namespace

TEST(CodeGenTensorOps, Unary) {
  std::string t = type("n");
  for (const char *kind :
       {"neg", "abs", "floor", "ceil", "round", "sign", "erf", "reciprocal"})
    check(std::string("plm.unary ") + kind + " %0 : (" + t + ") -> " + t,
          {{t, special()}}, t, 4e-7);
  HostTensor positive = Random(1).floats({37});
  for (int64_t i = 0; i < 37; ++i)
    positive.as<float>()[i] = std::abs(positive.as<float>()[i]) + 1e-3f;
  for (const char *kind :
       {"exp", "log", "sqrt", "rsqrt", "sin", "cos", "softplus", "erf"})
    check(std::string("plm.unary ") + kind + " %0 : (" + t + ") -> " + t,
          {{t, positive}}, t, 1e-6);
  std::string b = type("n", "i1");
  for (const char *kind : {"isnan", "isinf"})
    check(std::string("plm.unary ") + kind + " %0 : (" + t + ") -> " + b,
          {{t, special()}}, b);
}

TEST(CodeGenTensorOps, FloatBinaryWithBroadcasting) {
  std::string a = type("b,s,5"), row = type("5"), column = type("b,1,1");
  Random random(2);
  for (const char *kind : {"add", "sub", "mul", "div", "min", "max"}) {
    check(std::string("plm.binary ") + kind + " %0, %1 : (" + a + ", " + row +
              ") -> " + a,
          {{a, random.floats({2, 7, 5})}, {row, random.floats({5})}}, a);
    check(std::string("plm.binary ") + kind + " %0, %1 : (" + column + ", " +
              a + ") -> " + a,
          {{column, random.floats({3, 1, 1})}, {a, random.floats({3, 2, 5})}},
          a);
  }
  std::string flag = type("b,s,5", "i1");
  for (const char *kind : {"eq", "ne", "lt", "le", "gt", "ge"}) {
    HostTensor x = random.floats({2, 3, 5}), y = x;
    y.as<float>()[4] = 9;
    y.as<float>()[7] = NAN;
    check(std::string("plm.binary ") + kind + " %0, %1 : (" + a + ", " + a +
              ") -> " + flag,
          {{a, x}, {a, y}}, flag);
  }
}

TEST(CodeGenTensorOps, IntegerBinary) {
  std::string t = type("n", "i64"), flag = type("n", "i1");
  HostTensor x(DType::I64, {6}), y(DType::I64, {6});
  const int64_t xs[] = {7, -7, 7, -7, 0, 1LL << 40},
                ys[] = {3, 3, -3, -3, 5, 7};
  std::copy(xs, xs + 6, x.as<int64_t>());
  std::copy(ys, ys + 6, y.as<int64_t>());
  for (const char *kind : {"add", "sub", "mul", "div", "mod", "min", "max"})
    check(std::string("plm.binary ") + kind + " %0, %1 : (" + t + ", " + t +
              ") -> " + t,
          {{t, x}, {t, y}}, t, 0);
  for (const char *kind : {"eq", "ne", "lt", "le", "gt", "ge"})
    check(std::string("plm.binary ") + kind + " %0, %1 : (" + t + ", " + t +
              ") -> " + flag,
          {{t, x}, {t, y}}, flag, 0);
}

TEST(CodeGenTensorOps, Cast) {
  HostTensor x(DType::F32, {7});
  const float xs[] = {0, 1.9f, -1.9f, 100, 3e10f, -3e10f, NAN};
  std::copy(xs, xs + 7, x.as<float>());
  for (const char *element : {"i32", "i64", "i1", "f64"})
    check("plm.cast %0 : (" + type("n") + ") -> " + type("n", element),
          {{type("n"), x}}, type("n", element), 0);
  HostTensor i = Random(1).ints({5}, 300);
  for (const char *element : {"i32", "f32", "i1", "ui8", "i8"})
    check("plm.cast %0 : (" + type("n", "i64") + ") -> " + type("n", element),
          {{type("n", "i64"), i}}, type("n", element), 0);
}

TEST(CodeGenTensorOps, Movement) {
  Random random(3);
  std::string a = type("b,s,6");
  HostTensor x = random.floats({2, 5, 6});
  check("plm.transpose %0 [2, 0, 1] : (" + a + ") -> " + type("6,b,s"),
        {{a, x}}, type("6,b,s"), 0);
  check("plm.slice %0 [\"0\", \"s - 1\", \"5\"] [1, -1, -2] : (" + a + ") -> " +
            type("b,s,3"),
        {{a, x}}, type("b,s,3"), 0);
  check("plm.concat %0, %0 axis 1 : (" + a + ", " + a + ") -> " +
            type("b,2*s,6"),
        {{a, x}}, type("b,2*s,6"), 0);
  check("plm.broadcast %0 : (" + type("b,1,6") + ") -> " + type("b,4,6"),
        {{type("b,1,6"), random.floats({3, 1, 6})}}, type("b,4,6"), 0);
  check("plm.reshape %0 : (" + a + ") -> " + type("b*s,6"), {{a, x}},
        type("b*s,6"), 0);
  check("plm.iota \"s\" step -1 : " + type("s", "i64"),
        {{type("s"), random.floats({4})}}, type("s", "i64"), 0);
  check("plm.shape_value [\"s\", \"2*s + 1\"] : " + type("2", "i64"),
        {{type("s"), random.floats({4})}}, type("2", "i64"), 0);
}

TEST(CodeGenTensorOps, Gather) {
  Random random(4);
  std::string data = type("v,3"), ids = type("b,s", "i64");
  HostTensor table = random.floats({9, 3});
  HostTensor index = random.ints({2, 4}, 9);
  index.as<int64_t>()[3] = -9;
  check("plm.gather %0, %1 axis 0 : (" + data + ", " + ids + ") -> " +
            type("b,s,3"),
        {{data, table}, {ids, index}}, type("b,s,3"), 0);
  HostTensor columns = random.ints({9, 2}, 3);
  check("plm.gather_elements %0, %1 axis 1 : (" + data + ", " +
            type("v,2", "i64") + ") -> " + type("v,2"),
        {{data, table}, {type("v,2", "i64"), columns}}, type("v,2"), 0);
  HostTensor pairs = random.ints({4, 2}, 3);
  check("plm.gather_nd %0, %1 batch_dims 0 : (" + data + ", " +
            type("4,2", "i64") + ") -> " + type("4"),
        {{data, table}, {type("4,2", "i64"), pairs}}, type("4"), 0);
}

TEST(CodeGenTensorOps, GatherRefusesIndicesOutOfRange) {
  std::string data = type("5,3"), ids = type("n", "i64");
  auto model = compile(
      "func.func @forward(%0: " + data + ", %1: " + ids + ") -> " +
      type("n,3") + " {\n%r = plm.gather %0, %1 axis 0 : (" + data + ", " +
      ids + ") -> " + type("n,3") + "\nreturn %r : " + type("n,3") + "\n}\n");
  ASSERT_TRUE(model);
  auto context = model->createContext(1);
  Random random(1);
  for (int64_t bad : {int64_t(5), int64_t(-6), INT64_MIN, INT64_MAX}) {
    HostTensor index(DType::I64, {2});
    index.as<int64_t>()[1] = bad;
    auto got = (*context)->run({random.floats({5, 3}), index});
    ASSERT_FALSE(bool(got));
    EXPECT_NE(llvm::toString(got.takeError()).find("out of range"),
              std::string::npos);
  }
}

TEST(CodeGenTensorOps, Reductions) {
  Random random(5);
  std::string a = type("b,s,7");
  HostTensor x = random.floats({3, 5, 7});
  for (const char *kind :
       {"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square"}) {
    check(std::string("plm.reduce ") + kind + " %0 [2] keepdims : (" + a +
              ") -> " + type("b,s,1"),
          {{a, x}}, type("b,s,1"));
    check(std::string("plm.reduce ") + kind + " %0 [0, 1] : (" + a + ") -> " +
              type("7"),
          {{a, x}}, type("7"));
  }
  HostTensor i = random.ints({4, 3}, 100);
  for (const char *kind : {"sum", "max", "min", "mean"})
    check(std::string("plm.reduce ") + kind + " %0 [1] : (" +
              type("n,3", "i64") + ") -> " + type("n", "i64"),
          {{type("n,3", "i64"), i}}, type("n", "i64"), 0);
  for (int axis : {0, 1, 2})
    check("plm.softmax %0 axis " + std::to_string(axis) + " : (" + a + ") -> " +
              a,
          {{a, x}}, a);
  check("plm.cumsum %0 axis 1 exclusive reverse : (" + a + ") -> " + a,
        {{a, x}}, a);
  check("plm.cumsum %0 axis 0 : (" + type("n,3", "i64") + ") -> " +
            type("n,3", "i64"),
        {{type("n,3", "i64"), i}}, type("n,3", "i64"), 0);
}

TEST(CodeGenTensorOps, SoftmaxOfMinusInfinityIsNaN) {
  HostTensor x(DType::F32, {2, 3});
  std::fill_n(x.as<float>(), 3, -INFINITY);
  std::string t = type("n,3");
  check("plm.softmax %0 axis 1 : (" + t + ") -> " + t, {{t, x}}, t);
}

TEST(CodeGenTensorOps, Matmul) {
  Random random(6);
  std::string a = type("b,h,s,5"), c = type("b,h,5,s");
  check("plm.matmul %0, %1 : (" + a + ", " + c + ") -> " + type("b,h,s,s"),
        {{a, random.floats({2, 3, 4, 5})}, {c, random.floats({2, 3, 5, 4})}},
        type("b,h,s,s"));
  std::string m = type("5,2");
  check("plm.matmul %0, %1 : (" + a + ", " + m + ") -> " + type("b,h,s,2"),
        {{a, random.floats({2, 3, 4, 5})}, {m, random.floats({5, 2})}},
        type("b,h,s,2"));
}

TEST(CodeGenTensorOps, Select) {
  Random random(7);
  std::string f = type("n,1", "i1"), a = type("n,4");
  HostTensor flags(DType::Bool, {3, 1});
  flags.as<uint8_t>()[1] = 1;
  check("plm.select %0, %1, %2 : (" + f + ", " + a + ", " + a + ") -> " + a,
        {{f, flags}, {a, random.floats({3, 4})}, {a, random.floats({3, 4})}}, a,
        0);
}

TEST(CodeGenTensorOps, Activations) {
  HostTensor x(DType::F32, {4001});
  for (int64_t i = 0; i < 4001; ++i)
    x.as<float>()[i] = (i - 2000) * 0.005f;
  std::string t = type("n");
  for (const char *kind :
       {"gelu", "gelu_tanh", "relu", "silu", "tanh", "sigmoid"})
    check(std::string("plm.activation ") + kind + " %0 : (" + t + ") -> " + t,
          {{t, x}}, t, 2e-7);
}

TEST(CodeGenTensorOps, PassThroughAndRepeatedOutputs) {
  std::string t = type("n,2");
  std::string text = "func.func @forward(%0: " + t + ") -> (" + t + ", " + t +
                     ", " + t + ") {\n%r = plm.unary neg %0 : (" + t + ") -> " +
                     t + "\nreturn %r, %0, %r : " + t + ", " + t + ", " + t +
                     "\n}\n";
  auto model = compile(text);
  ASSERT_TRUE(model);
  auto context = model->createContext(2);
  std::vector<HostTensor> inputs{Random(1).floats({5, 2})};
  auto got = (*context)->run(inputs);
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  auto want = interpretText(text, inputs);
  for (int i = 0; i < 3; ++i)
    expectClose((*got)[i], want[i], 0);
}

/// Two lengths, two limits: the message is the one of the first that fails.
TEST(CodeGenTensorOps, SeveralConstraints) {
  std::string a = type("s", "i64"), c = type("t", "i64");
  auto model = compile("func.func @forward(%0: " + a + ", %1: " + c + ") -> (" +
                       a + ", " + c +
                       ") {\nplm.constraint \"3 - s\", \"s is too long\"\n"
                       "plm.constraint \"4 - t\", \"t is too long\"\n"
                       "plm.constraint equal \"t - s\", \"t is not s\"\n"
                       "return %0, %1 : " +
                       a + ", " + c + "\n}\n");
  ASSERT_TRUE(model);
  auto context = model->createContext(1);
  Random random(1);
  auto message = [&](int64_t s, int64_t t) {
    auto got = (*context)->run({random.ints({s}, 9), random.ints({t}, 9)});
    return got ? std::string() : llvm::toString(got.takeError());
  };
  EXPECT_EQ(message(3, 3), "");
  EXPECT_NE(message(4, 5).find("s is too long"), std::string::npos);
  EXPECT_NE(message(3, 5).find("t is too long"), std::string::npos);
  EXPECT_NE(message(2, 3).find("t is not s"), std::string::npos);
}

/// Every 16-bit pattern is decoded exactly, and rounding goes to nearest, ties
/// to even, on CPUs with and without conversion instructions.
TEST(CodeGenTensorOps, SixteenBitFloats) {
  HostTensor values(DType::F64, {0});
  auto add = [&](double value) {
    for (double sign : {1.0, -1.0}) {
      double number = sign * value;
      const char *bytes = reinterpret_cast<const char *>(&number);
      values.data.insert(values.data.end(), bytes, bytes + sizeof(double));
    }
    values.shape[0] += 2;
  };
  for (int exponent = -160; exponent < 140; ++exponent)
    for (double part : {1.0, 1.0 + 0x1p-8, 1.0 + 0x1p-11, 1.0 + 3 * 0x1p-11,
                        1.0 + 0x1p-11 + 0x1p-40, 1.333333, 2.0 - 0x1p-12})
      add(std::ldexp(part, exponent));
  for (double value :
       {0.0, 65504.0, 65519.0, 65520.0, 65536.0, 0x1p-24, 0x1p-25,
        0x1p-25 + 0x1p-40, 5e-324, 1e300, double(INFINITY), double(NAN)})
    add(value);
  for (DType dtype : {DType::F16, DType::BF16}) {
    std::string name = dtypeName(dtype).str();
    HostTensor all(dtype, {65536});
    for (int i = 0; i < 65536; ++i)
      all.as<uint16_t>()[i] = i;
    std::string half = type("n", name);
    for (const char *to : {"f32", "i64"}) {
      std::string result = type("n", to);
      check("plm.cast %0 : (" + half + ") -> " + result, {{half, all}}, result,
            0);
    }
    std::string text = "func.func @forward(%x: " + type("n", "f64") + ") -> " +
                       half + " {\n%y = plm.cast %x : (" + type("n", "f64") +
                       ") -> " + half + "\nreturn %y : " + half + "\n}\n";
    auto want = interpretText(text, {values});
    for (const char *cpu : {"x86-64-v2", "x86-64-v3"}) {
      CompileOptions options;
      options.cpu = cpu;
      auto model = compile(text, options);
      ASSERT_TRUE(model);
      auto context = model->createContext(1);
      auto got = (*context)->run({values});
      ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
      for (int64_t i = 0; i < values.numElements(); ++i)
        ASSERT_EQ((*got)[0].as<uint16_t>()[i], want[0].as<uint16_t>()[i])
            << name << " of " << values.as<double>()[i];
    }
  }
  // Elements are moved as they are.
  std::string in = type("2,n", "f16"), out = type("n,2", "f16");
  HostTensor matrix(DType::F16, {2, 32768});
  for (int i = 0; i < 65536; ++i)
    matrix.as<uint16_t>()[i] = i;
  check("plm.transpose %0 [1, 0] : (" + in + ") -> " + out, {{in, matrix}}, out,
        0);
}
