//===- SmallEncoder.h - An encoder to try passes on -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_SMALLENCODER_H
#define PLMC_TEST_UNIT_SMALLENCODER_H

#include "CompileAndRun.h"
#include "mlir/IR/Verifier.h"
#include "plmc/Calibration/Matrix.h"
#include "plmc/Support/Npz.h"

namespace plmc::test {

constexpr int64_t hidden = 64, neurons = 96, words = 60;

/// Post-norm layers over a word table; two heads.
inline std::string encoder(int layers) {
  Random random(5);
  std::string parameters, body;
  auto add = [&](const std::string &name, llvm::ArrayRef<int64_t> shape,
                 float scale) {
    parameters += parameter(random, name, shape, scale);
    std::string type;
    for (int64_t size : shape)
      type += std::to_string(size) + "x";
    body += "%" + name + " = plm.get_parameter @" + name + " : tensor<" + type +
            "f32>\n";
  };
  std::string ids = "tensor<?x?xi64, #plm.dims<\"b\", \"s\">>";
  auto t = [](int64_t width) {
    return llvm::formatv(
               "tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", width)
        .str();
  };
  auto linear = [&](const std::string &result, const std::string &x,
                    const std::string &name, int64_t k, int64_t n) {
    add(name, {k, n}, 2.0f / std::sqrt(float(k)));
    add(name + "b", {n}, 0.1f);
    body += llvm::formatv(
        "%{0} = plm.linear %{1}, %{2} bias %{2}b : ({3}, tensor<{4}x{5}xf32>, "
        "tensor<{5}xf32>) -> {6}\n",
        result, x, name, t(k), k, n, t(n));
  };
  auto norm = [&](const std::string &result, const std::string &x,
                  const std::string &name) {
    add(name, {hidden}, 1);
    body += llvm::formatv("%{0} = plm.layer_norm %{1}, %{2} {{epsilon = 1.0e-5 "
                          ": f64} : ({3}, tensor<{4}xf32>) -> {3}\n",
                          result, x, name, t(hidden), hidden);
  };
  add("word", {words, hidden}, 1);
  body += llvm::formatv("%h0 = plm.embedding %ids, %word : ({0}, "
                        "tensor<{1}x{2}xf32>) -> {3}\n",
                        ids, words, hidden, t(hidden));
  for (int i = 0; i < layers; ++i) {
    std::string n = std::to_string(i), x = "h" + n;
    for (std::string part : {"q", "k", "v"})
      linear(part + n, x, "w" + part + n, hidden, hidden);
    body += llvm::formatv(
        "%a{0} = plm.attention %q{0}, %k{0}, %v{0} mask %mask {{num_heads = 2 "
        ": i64, scale = 0.2 : f64} : ({1}, {1}, {1}, {2}) -> {1}\n",
        n, t(hidden), ids);
    linear("o" + n, "a" + n, "wo" + n, hidden, hidden);
    body += llvm::formatv("%r{0} = plm.binary add %o{0}, %{1} : ({2}, {2}) -> "
                          "{2}\n",
                          n, x, t(hidden));
    norm("y" + n, "r" + n, "g" + n);
    linear("u" + n, "y" + n, "wu" + n, hidden, neurons);
    body += llvm::formatv("%e{0} = plm.activation gelu %u{0} : ({1}) -> {1}\n",
                          n, t(neurons));
    linear("d" + n, "e" + n, "wd" + n, neurons, hidden);
    body += llvm::formatv("%s{0} = plm.binary add %d{0}, %y{0} : ({1}, {1}) -> "
                          "{1}\n",
                          n, t(hidden));
    norm("h" + std::to_string(i + 1), "s" + n, "f" + n);
  }
  return "module {\n" + parameters +
         llvm::formatv("func.func @forward(%ids: {0} {{plm.name = "
                       "\"input_ids\"}, %mask: {0} {{plm.name = "
                       "\"attention_mask\"}) -> {1} {{\n",
                       ids, t(hidden))
             .str() +
         body + "return %h" + std::to_string(layers) + " : " + t(hidden) +
         "\n}\n}\n";
}

/// 60 sequences of 3 to 14 tokens, in a file.
inline std::string calibrationFile(const std::string &name) {
  Random random(9);
  HostTensor ids = random.ints({60, 14}, words);
  HostTensor mask(DType::I64, {60, 14});
  for (int64_t i = 0; i < mask.numElements(); ++i)
    mask.as<int64_t>()[i] = i % 14 < 3 + i / 14 % 12;
  std::string path =
      PLMC_TEST_TMP "/" + name + "-" + std::to_string(getpid()) + ".npz";
  llvm::cantFail(
      writeNpz(path, {{"input_ids", ids}, {"attention_mask", mask}}));
  return path;
}

inline mlir::OwningOpRef<mlir::ModuleOp> parse(const std::string &text) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(text, &context());
  EXPECT_TRUE(module);
  return module;
}

inline mlir::func::FuncOp forwardOf(mlir::ModuleOp module) {
  return module.lookupSymbol<mlir::func::FuncOp>("forward");
}

/// Runs a pass, given as text, on the encoder.
inline mlir::OwningOpRef<mlir::ModuleOp>
run(const std::string &pipeline, mlir::OwningOpRef<mlir::ModuleOp> module) {
  mlir::PassManager pm(&context());
  EXPECT_TRUE(mlir::succeeded(mlir::parsePassPipeline(pipeline, pm)));
  EXPECT_TRUE(mlir::succeeded(pm.run(*module)));
  EXPECT_TRUE(mlir::succeeded(mlir::verify(*module)));
  return module;
}
inline mlir::OwningOpRef<mlir::ModuleOp> run(const std::string &pipeline,
                                             int layers) {
  return run(pipeline, parse(encoder(layers)));
}

/// Mean cosine of the kept rows of two modules' outputs on other tokens than
/// those of the calibration.
inline double cosine(mlir::ModuleOp a, mlir::ModuleOp b) {
  Random random(77);
  HostTensor ids = random.ints({6, 9}, words), mask(DType::I64, {6, 9});
  for (int64_t i = 0; i < 54; ++i)
    mask.as<int64_t>()[i] = 1;
  auto x = interpret(forwardOf(a), {ids, mask});
  auto y = interpret(forwardOf(b), {ids, mask});
  EXPECT_TRUE(bool(x) && bool(y));
  Eigen::Map<const Matrix> u((*x)[0].as<float>(), 54, hidden);
  Eigen::Map<const Matrix> v((*y)[0].as<float>(), 54, hidden);
  Vector dots = u.cwiseProduct(v).rowwise().sum();
  return (dots.array() / u.rowwise().norm().array() /
          v.rowwise().norm().array())
      .mean();
}

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_SMALLENCODER_H
