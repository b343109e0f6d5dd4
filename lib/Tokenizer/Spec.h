//===- Spec.h - What a tokenizer is made of ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_TOKENIZER_SPEC_H
#define PLMC_LIB_TOKENIZER_SPEC_H

#include "../Runtime/TokenizeImage.h"
#include "JsonNode.h"
#include "llvm/ADT/StringMap.h"
#include <array>
#include <optional>

namespace plmc::tokenizer {

struct Added {
  std::string text;
  uint32_t id = 0;
  uint32_t flags = 0; // plm_tok_added_flag
  bool normalized = false;
  std::string pattern; // what is looked for: `text`, normalized if it is to be
};

/// A tokenizer.json, understood: what ImageWriter.cpp writes down.
struct Spec {
  uint32_t model = 0;              // plm_tok_model_kind
  uint32_t flags = 0;              // plm_tok_flag
  std::vector<std::string> pieces; // by id; "": no such id
  llvm::StringMap<uint32_t> ids;   // of the model, without added tokens
  uint32_t modelSize = 0;          // how many pieces the model has
  std::vector<double> scores;
  double lowestScore = 0;
  /// Left, right, result, by rank.
  std::vector<std::array<uint32_t, 3>> merges;
  std::string continuing, wordEnd;
  uint32_t maxWordChars = 100;
  int32_t unknownId = -1, padId = -1;
  std::vector<uint32_t> normalizer, splitter;
  std::string charsmapTrie, charsmapText;
  std::vector<Added> added;
  std::vector<plm_tok_item> single, pair;
  uint32_t maxLength = 0, truncation = 0;
};

/// Reads a tokenizer.json; failures go to `failure`.
Spec readSpec(const Json &json, Failure &failure);

// The parts of it.
void readModel(const JsonNode &node, Spec &spec);
void readAddedTokens(const JsonNode &node, Spec &spec);
void readNormalizer(const JsonNode &node, Spec &spec);
void readPreTokenizer(const JsonNode &node, Spec &spec);
void readPostProcessor(const JsonNode &node, Spec &spec);

/// Words of a program: see TokenizeImage.h.
void addStep(std::vector<uint32_t> &program, uint32_t opcode,
             llvm::ArrayRef<uint32_t> operands = {});
/// As an operand: the count, then the code points. Fails if it is no UTF-8.
void addText(std::vector<uint32_t> &operands, llvm::StringRef text);

/// The image of TokenizeImage.h.
llvm::Expected<std::vector<char>> writeImage(Spec &spec, Failure &failure);

/// The canonical form of a tokenizer.json: "type" first, vocabularies in the
/// order of their ids.
std::string printTokenizerJson(const Json &json);

/// vocab.txt and SentencePiece models as the tokenizer.json that they mean.
llvm::Expected<Json> jsonOfVocabText(llvm::StringRef text, llvm::StringRef path,
                                     std::optional<bool> lowercase);
llvm::Expected<Json> jsonOfSentencePiece(llvm::StringRef bytes,
                                         llvm::StringRef path);
/// tokenizer_config.json beside a file; null if there is none.
llvm::Expected<Json> configBeside(llvm::StringRef path);

/// The tokenizer.json of a tokenizer with the pieces `kept` alone.
llvm::Expected<Json> reduceVocabulary(const Json &json, const Spec &spec,
                                      llvm::ArrayRef<int32_t> kept);

} // namespace plmc::tokenizer

#endif // PLMC_LIB_TOKENIZER_SPEC_H
