//===- AnalysisTest.cpp - Summaries of small models -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Parser/Parser.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace mlir;

namespace plmc {
namespace {

/// What the text of a small encoder varies in.
struct Encoder {
  int64_t layers = 2;
  int64_t embedding = 8; // width; hidden is 8
  bool shared = false;   // layers read one set of weights
  bool tokenTypes = true;
  int64_t offset = 0;                 // of positions
  std::string projection = "project"; // the parameter of embeddings' projection
  std::string activation = "gelu";
  std::vector<int64_t> heads = {2, 1};
  std::vector<int64_t> ffn = {32, 16};
};

class Builder {
public:
  explicit Builder(const Encoder &encoder) : encoder(encoder) {}

  std::string text() {
    std::string ids = "tensor<?x?xi64, #plm.dims<\"batch\", \"sequence\">>";
    std::string x = type(encoder.embedding);
    parameter("word", {30, encoder.embedding});
    parameter("position", {12, encoder.embedding});
    parameter("type", {2, encoder.embedding});
    parameter("gamma", {8});
    std::string word = table("word", 30), position = table("position", 12);
    line("%w = plm.embedding %ids, %word : (" + ids + ", " + word + ") -> " +
         x);
    std::string rows = "tensor<1x?x" + std::to_string(encoder.embedding) +
                       "xf32, #plm.dims<\"1\", \"sequence\", \"" +
                       std::to_string(encoder.embedding) + "\">>";
    line("%p = plm.position_embedding %position {offset = " +
         std::to_string(encoder.offset) + " : i64} : (" + position + ") -> " +
         rows);
    line("%e0 = plm.binary add %w, %p : (" + x + ", " + rows + ") -> " + x);
    std::string sum = "%e0";
    if (encoder.tokenTypes) {
      line("%t = plm.embedding %types, %type : (" + ids + ", " +
           table("type", 2) + ") -> " + x);
      line("%e1 = plm.binary add %e0, %t : (" + x + ", " + x + ") -> " + x);
      sum = "%e1";
    }
    if (encoder.embedding != 8) {
      parameter(encoder.projection, {encoder.embedding, 8});
      sum = linear(sum, encoder.embedding, 8, encoder.projection);
    }
    std::string h = layerNorm(sum);
    for (int64_t i = 0; i < encoder.layers; ++i)
      h = layer(h, i);
    // A pooler: a linear of every sequence, not of every token.
    std::string pooled = "tensor<?x8xf32, #plm.dims<\"batch\", \"8\">>";
    parameter("pooler", {8, 8});
    line("%first = plm.pool first " + h + " : (" + type(8) + ") -> " + pooled);
    line("%pooled = plm.linear %first, %pooler : (" + pooled +
         ", tensor<8x8xf32>) -> " + pooled);
    line("%out = plm.activation tanh %pooled : (" + pooled + ") -> " + pooled);
    return parameters + "func.func @forward(%ids: " + ids + ", %types: " + ids +
           ") -> " + pooled + " {\n" + reads + body +
           "return %out : " + pooled + "\n}\n";
  }

private:
  static std::string type(int64_t width) {
    return "tensor<?x?x" + std::to_string(width) +
           "xf32, #plm.dims<\"batch\", \"sequence\", \"" +
           std::to_string(width) + "\">>";
  }
  std::string table(const std::string &, int64_t rows) {
    return "tensor<" + std::to_string(rows) + "x" +
           std::to_string(encoder.embedding) + "xf32>";
  }
  void line(const std::string &text) { body += "  " + text + "\n"; }
  std::string fresh() { return "%n" + std::to_string(next++); }

  void parameter(const std::string &name, std::vector<int64_t> shape) {
    std::string type = "tensor<";
    for (int64_t size : shape)
      type += std::to_string(size) + "x";
    type += "f32>";
    parameters += "plm.parameter @" + name + " = dense<0.0> : " + type + "\n";
    reads +=
        "  %" + name + " = plm.get_parameter @" + name + " : " + type + "\n";
  }

  std::string linear(const std::string &x, int64_t from, int64_t to,
                     const std::string &weight) {
    std::string result = fresh();
    line(result + " = plm.linear " + x + ", %" + weight + " : (" + type(from) +
         ", tensor<" + std::to_string(from) + "x" + std::to_string(to) +
         "xf32>) -> " + type(to));
    return result;
  }
  std::string layerNorm(const std::string &x) {
    std::string result = fresh();
    line(result + " = plm.layer_norm " + x +
         ", %gamma {epsilon = 1.0e-12 : "
         "f64} : (" +
         type(8) + ", tensor<8xf32>) -> " + type(8));
    return result;
  }
  std::string layer(const std::string &x, int64_t index) {
    std::string id = std::to_string(encoder.shared ? 0 : index);
    int64_t ffn = encoder.ffn[encoder.shared ? 0 : index];
    int64_t heads = encoder.heads[encoder.shared ? 0 : index];
    // Heads of 4, values of 2: half of the heads are pruned where there is 1.
    int64_t width = 4 * heads, valueWidth = 2 * heads;
    if (!encoder.shared || index == 0) {
      parameter("q" + id, {8, width});
      parameter("k" + id, {8, width});
      parameter("v" + id, {8, valueWidth});
      parameter("o" + id, {valueWidth, 8});
      parameter("up" + id, {8, ffn});
      parameter("down" + id, {ffn, 8});
    }
    std::string q = linear(x, 8, width, "q" + id);
    std::string k = linear(x, 8, width, "k" + id);
    std::string v = linear(x, 8, valueWidth, "v" + id);
    std::string a = fresh();
    line(a + " = plm.attention " + q + ", " + k + ", " + v +
         " {num_heads = " + std::to_string(heads) +
         " : i64, scale = 0.5 : f64} : (" + type(width) + ", " + type(width) +
         ", " + type(valueWidth) + ") -> " + type(valueWidth));
    std::string h = layerNorm(linear(a, valueWidth, 8, "o" + id));
    std::string up = linear(h, 8, ffn, "up" + id), act = fresh();
    line(act + " = plm.activation " + encoder.activation + " " + up + " : (" +
         type(ffn) + ") -> " + type(ffn));
    return layerNorm(linear(act, ffn, 8, "down" + id));
  }

  Encoder encoder;
  std::string parameters, reads, body;
  int next = 0;
};

class AnalysisTest : public ::testing::Test {
protected:
  ModelSummary summarize(const std::string &text) {
    MLIRContext context;
    context.loadDialect<plm::PLMDialect, func::FuncDialect>();
    auto module = parseSourceString<ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    return module ? summarizeModel(*module) : ModelSummary();
  }
  ModelSummary summarize(const Encoder &encoder) {
    return summarize(Builder(encoder).text());
  }
};

TEST_F(AnalysisTest, LayersOfDifferentShape) {
  ModelSummary summary = summarize(Encoder());
  EXPECT_EQ(summary.family, "BERT");
  EXPECT_EQ(summary.hiddenSize, 8);
  EXPECT_EQ(summary.embeddingSize, 8);
  EXPECT_EQ(summary.vocabularySize, 30);
  EXPECT_EQ(summary.maxPositions, 12);
  ASSERT_EQ(summary.layers.size(), 2u);
  EXPECT_EQ(summary.layers[0].heads, 2);
  EXPECT_EQ(summary.layers[0].headSize, 4);
  EXPECT_EQ(summary.layers[0].valueHeadSize, 2);
  EXPECT_EQ(summary.layers[0].ffnSize, 32);
  EXPECT_EQ(summary.layers[1].heads, 1);
  EXPECT_EQ(summary.layers[1].ffnSize, 16);
  EXPECT_EQ(summary.layerGroups, 2);
  EXPECT_EQ(summary.attentionBlocks, 2);
  EXPECT_EQ(summary.norms, 5);
  EXPECT_EQ(summary.embeddings, 3);
  EXPECT_EQ(summary.linears, 13);
  EXPECT_EQ(summary.activations, 3);
  EXPECT_EQ(summary.pools, 1);
  // Embeddings 3, adds 2, norms 5, linears 13, attentions 2, activations 3,
  // pool 1.
  EXPECT_EQ(summary.operations, 29);
  // Layer 0: q 64, k 64, v 32, o 32, ffn 2 * 256; layer 1: half of each.
  EXPECT_EQ(summary.macsPerToken, 704 + 352);
  EXPECT_EQ(summary.attentionMacsPerTokenAndKey, (8 + 4) + (4 + 2));
  // Tables (30 + 12 + 2) * 8, gamma 8, pooler 64, and the weights.
  EXPECT_EQ(summary.parameters, 44 * 8 + 8 + 64 + 704 + 352);
  EXPECT_EQ(summary.parameterBytes, 4 * summary.parameters);
}

TEST_F(AnalysisTest, SharedParametersCountOnceInBytesAndEachInWork) {
  Encoder encoder;
  encoder.embedding = 4;
  encoder.shared = true;
  ModelSummary summary = summarize(encoder);
  EXPECT_EQ(summary.family, "ALBERT");
  EXPECT_EQ(summary.layerGroups, 1);
  EXPECT_EQ(summary.embeddingSize, 4);
  EXPECT_EQ(summary.hiddenSize, 8);
  EXPECT_EQ(summary.parameters, 44 * 4 + 4 * 8 + 8 + 64 + 704);
  EXPECT_EQ(summary.macsPerToken, 4 * 8 + 2 * 704);
}

TEST_F(AnalysisTest, Families) {
  Encoder distil;
  distil.tokenTypes = false;
  EXPECT_EQ(summarize(distil).family, "DistilBERT");
  Encoder roberta;
  roberta.offset = 2;
  EXPECT_EQ(summarize(roberta).family, "RoBERTa");
  EXPECT_EQ(summarize(roberta).maxPositions, 10);
  Encoder electra;
  electra.embedding = 4;
  EXPECT_EQ(summarize(electra).family, "ELECTRA");
  // As many groups as layers: an ALBERT by its names, or by its activation.
  Encoder albert = electra;
  albert.projection = "albert.embedding_hidden_mapping_in.weight";
  EXPECT_EQ(summarize(albert).family, "ALBERT");
  albert = electra;
  albert.activation = "gelu_tanh";
  EXPECT_EQ(summarize(albert).family, "ALBERT");
  albert.projection = "electra.embeddings_project.weight";
  EXPECT_EQ(summarize(albert).family, "ELECTRA");
  Encoder none;
  none.layers = 0;
  EXPECT_EQ(summarize(none).family, "unknown");
}

TEST_F(AnalysisTest, TensorOperationsCount) {
  // Nothing recognised: gathers for embeddings, products for linears.
  ModelSummary summary = summarize(R"(
plm.parameter @word = dense<0.0> : tensor<30x8xf32>
plm.parameter @position = dense<0.0> : tensor<12x8xf32>
plm.parameter @w = dense<0.0> : tensor<16x8xf32>
func.func @forward(%ids: tensor<1x4xi64>) -> tensor<1x4x16xf32> {
  %word = plm.get_parameter @word : tensor<30x8xf32>
  %position = plm.get_parameter @position : tensor<12x8xf32>
  %w = plm.get_parameter @w : tensor<16x8xf32>
  %i = plm.iota "0" step 1 : tensor<4xi64>
  %0 = plm.gather %word, %ids axis 0 : (tensor<30x8xf32>, tensor<1x4xi64>) -> tensor<1x4x8xf32>
  %1 = plm.gather %position, %i axis 0 : (tensor<12x8xf32>, tensor<4xi64>) -> tensor<4x8xf32>
  %2 = plm.binary add %0, %1 : (tensor<1x4x8xf32>, tensor<4x8xf32>) -> tensor<1x4x8xf32>
  %t = plm.transpose %w [1, 0] : (tensor<16x8xf32>) -> tensor<8x16xf32>
  %3 = plm.matmul %2, %t : (tensor<1x4x8xf32>, tensor<8x16xf32>) -> tensor<1x4x16xf32>
  return %3 : tensor<1x4x16xf32>
})");
  EXPECT_EQ(summary.family, "unknown");
  EXPECT_EQ(summary.vocabularySize, 30);
  EXPECT_EQ(summary.maxPositions, 12);
  EXPECT_EQ(summary.macsPerToken, 8 * 16);
  EXPECT_EQ(summary.linears, 0);
}

TEST_F(AnalysisTest, EmptyModule) {
  EXPECT_EQ(summarize("module {}").family, "unknown");
  EXPECT_EQ(summarize("func.func private @forward()").operations, 0);
}

TEST_F(AnalysisTest, JSON) {
  ModelSummary summary = summarize(Encoder());
  auto json = nlohmann::json::parse(summaryToJSON(summary));
  EXPECT_EQ(json["family"], "BERT");
  EXPECT_EQ(json["parameters"], summary.parameters);
  EXPECT_EQ(json["layers"].size(), 2u);
  EXPECT_EQ(json["layers"][1]["heads"], 1);
}

} // namespace
} // namespace plmc
