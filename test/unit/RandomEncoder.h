//===- RandomEncoder.h - Small encoders of any shape ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_RANDOMENCODER_H
#define PLMC_TEST_UNIT_RANDOMENCODER_H

#include "CompileAndRun.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/FormatVariadic.h"

namespace plmc::test {

/// A small encoder as text. The seed decides all of it: widths that no kernel
/// likes, norms before or after, what has a bias, how weights are stored, what
/// is shared, and what comes out.
class RandomEncoder {
public:
  explicit RandomEncoder(unsigned seed) : random(seed) { build(); }

  std::string text;
  int64_t words, hidden, layers;
  bool pooled, tied, shared, preNorm;

  /// Writes random sequences of the model's tokens, of 3 to 14, as calibration.
  void writeCalibration(const std::string &path, int64_t sequences) const {
    Random values(3);
    HostTensor ids = values.ints({sequences, 14}, words);
    HostTensor mask(DType::I64, {sequences, 14});
    for (int64_t i = 0; i < mask.numElements(); ++i)
      mask.as<int64_t>()[i] = i % 14 < 3 + i / 14 % 12;
    llvm::cantFail(
        writeNpz(path, {{"input_ids", ids}, {"attention_mask", mask}}));
  }

  /// Ids, and a mask that keeps the first tokens of each sequence.
  std::vector<HostTensor> inputs(unsigned seed, int64_t batch,
                                 int64_t length) const {
    Random values(seed);
    HostTensor ids = values.ints({batch, length}, words),
               mask(DType::I64, {batch, length});
    for (int64_t i = 0; i < mask.numElements(); ++i)
      mask.as<int64_t>()[i] = i % length < 3 + i / length % (length - 2);
    return {ids, mask};
  }

private:
  int64_t pick(std::initializer_list<int64_t> values) {
    return values.begin()[random.engine() % values.size()];
  }
  bool coin() { return random.engine() & 1; }
  std::string tokens(int64_t width) const {
    return llvm::formatv(
        "tensor<?x?x{0}xf32, #plm.dims<\"b\", \"s\", \"{0}\">>", width);
  }
  /// Declares a parameter once and reads it; "%name".
  std::string read(const std::string &name, llvm::ArrayRef<int64_t> shape,
                   float scale) {
    if (declared.insert(name).second)
      parameters += parameter(random, name, shape, scale);
    std::string result = "%p" + std::to_string(next++);
    body += llvm::formatv("{0} = plm.get_parameter @{1} : {2}\n", result, name,
                          tensor(shape));
    return result;
  }
  static std::string tensor(llvm::ArrayRef<int64_t> shape) {
    std::string type = "tensor<";
    for (int64_t size : shape)
      type += std::to_string(size) + "x";
    return type + "f32>";
  }
  std::string emit(const std::string &text) {
    std::string result = "%v" + std::to_string(next++);
    body += result + " = " + text + "\n";
    return result;
  }
  std::string linear(const std::string &x, const std::string &name, int64_t k,
                     int64_t n, bool bias);
  std::string norm(const std::string &x, const std::string &name);
  std::string add(const std::string &a, const std::string &b) {
    return emit(llvm::formatv("plm.binary add {0}, {1} : ({2}, {2}) -> {2}", a,
                              b, tokens(hidden)));
  }
  std::string layer(const std::string &x, const std::string &prefix);
  void build();

  Random random;
  std::string parameters, body;
  std::set<std::string> declared;
  int next = 0;
  int64_t heads, headSize, neurons;
  bool biases, betas, transposed;
  std::string activation;
};

inline std::string RandomEncoder::linear(const std::string &x,
                                         const std::string &name, int64_t k,
                                         int64_t n, bool bias) {
  llvm::SmallVector<int64_t> shape{k, n};
  if (transposed)
    std::swap(shape[0], shape[1]);
  std::string weight = read(name, shape, 1.5f / std::sqrt(float(k)));
  std::string addend = bias ? read(name + "b", {n}, 0.1f) : "";
  return emit(llvm::formatv(
      "plm.linear {0}, {1}{2}{3} : ({4}, {5}{6}) -> {7}", x, weight,
      bias ? " bias " + addend : "", transposed ? " transposed" : "", tokens(k),
      tensor(shape), bias ? ", " + tensor({n}) : "", tokens(n)));
}

inline std::string RandomEncoder::norm(const std::string &x,
                                       const std::string &name) {
  std::string gamma = read(name, {hidden}, 1);
  std::string beta = betas ? read(name + "b", {hidden}, 0.1f) : "";
  return emit(llvm::formatv(
      "plm.layer_norm {0}, {1}{2} {{epsilon = 1.0e-5 : f64} : ({3}, {4}{5}) -> "
      "{3}",
      x, gamma, betas ? " beta " + beta : "", tokens(hidden), tensor({hidden}),
      betas ? ", " + tensor({hidden}) : ""));
}

inline std::string RandomEncoder::layer(const std::string &x,
                                        const std::string &prefix) {
  int64_t width = heads * headSize;
  std::string in = preNorm ? norm(x, prefix + "na") : x;
  std::string q = linear(in, prefix + "q", hidden, width, biases);
  std::string k = linear(in, prefix + "k", hidden, width, biases);
  std::string v = linear(in, prefix + "v", hidden, width, biases);
  std::string a = emit(llvm::formatv(
      "plm.attention {0}, {1}, {2} mask %mask {{num_heads = {3} : i64, scale = "
      "0.4 : f64} : ({4}, {4}, {4}, !ids) -> {4}",
      q, k, v, heads, tokens(width)));
  std::string o = linear(a, prefix + "o", width, hidden, biases);
  std::string y = add(o, x);
  if (!preNorm)
    y = norm(y, prefix + "na");
  in = preNorm ? norm(y, prefix + "nf") : y;
  std::string u = linear(in, prefix + "u", hidden, neurons, biases);
  std::string e = emit(llvm::formatv("plm.activation {0} {1} : ({2}) -> {2}",
                                     activation, u, tokens(neurons)));
  std::string d = linear(e, prefix + "d", neurons, hidden, biases);
  y = add(d, y);
  return preNorm ? y : norm(y, prefix + "nf");
}

inline void RandomEncoder::build() {
  layers = pick({1, 1, 2, 2, 3});
  heads = pick({1, 2, 3, 4});
  headSize = pick({4, 5, 8, 16, 24});
  hidden = coin() ? heads * headSize : pick({12, 17, 32, 64, 68});
  neurons = pick({11, 40, 70, 96, 131});
  words = pick({37, 64, 90});
  biases = random.engine() % 4 != 0;
  betas = random.engine() % 4 != 0;
  transposed = coin();
  preNorm = random.engine() % 3 == 0;
  shared = random.engine() % 5 == 0;
  tied = random.engine() % 4 == 0;
  pooled = !tied && coin();
  activation = coin() ? "gelu" : coin() ? "relu" : "gelu_tanh";
  std::string table = read("word", {words, hidden}, 1);
  std::string x =
      emit(llvm::formatv("plm.embedding %ids, {0} : (!ids, {1}) -> "
                         "{2}",
                         table, tensor({words, hidden}), tokens(hidden)));
  if (coin()) {
    std::string positions = read("position", {40, hidden}, 0.3f);
    std::string type = llvm::formatv(
        "tensor<1x?x{0}xf32, #plm.dims<\"1\", \"s\", \"{0}\">>", hidden);
    std::string rows =
        emit(llvm::formatv("plm.position_embedding {0} : ({1}) -> {2}",
                           positions, tensor({40, hidden}), type));
    body += "plm.constraint \"40 - s\", \"at most 40 tokens\"\n";
    x = emit(llvm::formatv("plm.binary add {0}, {1} : ({2}, {3}) -> {2}", x,
                           rows, tokens(hidden), type));
  }
  if (!preNorm)
    x = norm(x, "ne");
  for (int64_t i = 0; i < layers; ++i)
    x = layer(x, "l" + std::to_string(shared ? 0 : i));
  if (preNorm)
    x = norm(x, "no");
  std::string type = tokens(hidden), name = "last_hidden_state", more, moreType,
              moreName;
  if (tied) {
    type = tokens(words);
    name = "logits";
    x = emit(llvm::formatv("plm.linear {0}, {1} transposed : ({2}, {3}) -> {4}",
                           x, table, tokens(hidden), tensor({words, hidden}),
                           type));
  } else if (pooled) {
    moreType =
        llvm::formatv("tensor<?x{0}xf32, #plm.dims<\"b\", \"{0}\">>", hidden);
    moreName = "sentence_embedding";
    more = emit(llvm::formatv("plm.pool mean {0} mask %mask : ({1}, !ids) -> "
                              "{2}",
                              x, type, moreType));
    more = emit(
        llvm::formatv("plm.l2_normalize {0} : ({1}) -> {1}", more, moreType));
  }
  std::string results = type + " {plm.name = \"" + name + "\"}";
  std::string values = x, types = type;
  if (pooled) {
    results += ", " + moreType + " {plm.name = \"" + moreName + "\"}";
    values += ", " + more;
    types += ", " + moreType;
  }
  text = "!ids = tensor<?x?xi64, #plm.dims<\"b\", \"s\">>\nmodule {\n" +
         parameters +
         "func.func @forward(%ids: !ids {plm.name = \"input_ids\"}, %mask: "
         "!ids {plm.name = \"attention_mask\"}) -> (" +
         results + ") {\n" + body + "return " + values + " : " + types +
         "\n}\n}\n";
}

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_RANDOMENCODER_H
