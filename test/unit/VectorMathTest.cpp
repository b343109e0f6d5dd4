//===- VectorMathTest.cpp - Errors of our approximations --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The compiled activations over a dense grid, against double precision: the
// error bounds that VectorMath.h promises.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include <cmath>

using namespace plmc;
using namespace plmc::test;

namespace {

/// Largest error over [lo, hi], over max(1, |x|): the activation's scale.
double worstError(const char *kind, double lo, double hi,
                  double (*reference)(double), const char *cpu = "native") {
  constexpr int64_t count = 2000003;
  std::string type = "tensor<?xf32, #plm.dims<\"n\">>";
  CompileOptions options;
  options.cpu = cpu;
  auto model =
      compile("func.func @forward(%0: " + type + ") -> " + type +
                  " {\n%r = plm.activation " + kind + " %0 : (" + type +
                  ") -> " + type + "\nreturn %r : " + type + "\n}\n",
              options);
  if (!model)
    return INFINITY;
  auto context = model->createContext(1);
  HostTensor x(DType::F32, {count});
  for (int64_t i = 0; i < count; ++i)
    x.as<float>()[i] = lo + (hi - lo) * i / (count - 1);
  auto got = (*context)->run({x});
  if (!got) {
    ADD_FAILURE() << llvm::toString(got.takeError());
    return INFINITY;
  }
  double worst = 0;
  for (int64_t i = 0; i < count; ++i) {
    double in = x.as<float>()[i];
    double error = std::abs((*got)[0].as<float>()[i] - reference(in));
    worst = std::max(worst, error / std::max(1.0, std::abs(in)));
  }
  return worst;
}

double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }
double geluTanh(double x) {
  return 0.5 * x *
         (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
double silu(double x) { return x / (1 + std::exp(-x)); }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double hyperbolicTangent(double x) { return std::tanh(x); }

} // namespace

TEST(VectorMath, Gelu) {
  EXPECT_LE(worstError("gelu", -12, 12, gelu), 2e-7);
  EXPECT_LE(worstError("gelu", -1e6, 1e6, gelu), 2e-7);
  // Without FMA every step of the polynomial rounds twice.
  EXPECT_LE(worstError("gelu", -12, 12, gelu, "x86-64-v2"), 4e-7);
}

TEST(VectorMath, OtherActivations) {
  EXPECT_LE(worstError("gelu_tanh", -12, 12, geluTanh), 2e-7);
  EXPECT_LE(worstError("silu", -100, 100, silu), 2e-7);
  EXPECT_LE(worstError("sigmoid", -100, 100, sigmoid), 2e-7);
  EXPECT_LE(worstError("tanh", -20, 20, hyperbolicTangent), 2e-7);
}

TEST(VectorMath, Softmax) {
  // One row of two columns: 1 / (1 + e^(b - a)).
  constexpr int64_t count = 1000003;
  std::string type = "tensor<?x2xf32, #plm.dims<\"n\", \"2\">>";
  auto model = compile("func.func @forward(%0: " + type + ") -> " + type +
                       " {\n%r = plm.softmax %0 axis 1 : (" + type + ") -> " +
                       type + "\nreturn %r : " + type + "\n}\n");
  ASSERT_TRUE(model);
  auto context = model->createContext(1);
  HostTensor x(DType::F32, {count, 2});
  for (int64_t i = 0; i < count; ++i)
    x.as<float>()[2 * i] = 100.0f * i / count;
  auto got = (*context)->run({x});
  ASSERT_TRUE(bool(got)) << llvm::toString(got.takeError());
  double worst = 0;
  for (int64_t i = 0; i < count; ++i)
    worst = std::max(worst, std::abs((*got)[0].as<float>()[2 * i] -
                                     sigmoid(x.as<float>()[2 * i])));
  EXPECT_LE(worst, 2e-7);
}
