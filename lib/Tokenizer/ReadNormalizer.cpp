//===- ReadNormalizer.cpp - Normalizers of tokenizer.json -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/Endian.h"

using namespace llvm;

namespace plmc::tokenizer {

/// The trie, and the texts that it leads to; base64 in the file.
static void readCharsmap(const JsonNode &node, Spec &spec) {
  std::vector<char> bytes;
  if (Error error = decodeBase64(node.string(), bytes)) {
    consumeError(std::move(error));
    node.fail("it is no base64");
    return;
  }
  StringRef data(bytes.data(), bytes.size());
  if (data.empty())
    return; // no rules
  uint32_t size = data.size() < 4 ? 0 : support::endian::read32le(data.data());
  if (size == 0 || size % 4 || size > data.size() - 4 ||
      (data.size() > size + 4 && data.back() != 0)) {
    node.fail("the rules of SentencePiece are damaged");
    return;
  }
  if (size > 4u << 21) { // see TokenizeTrie.c
    node.fail("the rules of SentencePiece are more than 8 MB");
    return;
  }
  if (!spec.charsmapTrie.empty()) {
    node.fail("a second set of SentencePiece rules is not supported");
    return;
  }
  spec.charsmapTrie = data.substr(4, size).str();
  spec.charsmapText = data.substr(4 + size).str();
  if (spec.charsmapText.empty())
    spec.charsmapText.push_back('\0');
  addStep(spec.normalizer, PLM_TOK_CHARSMAP);
}

static void readReplace(const JsonNode &node, Spec &spec) {
  std::vector<uint32_t> operands;
  std::string content = node["content"].string();
  JsonNode pattern = node["pattern"];
  if (JsonNode text = pattern["String"]; !text.isNull()) {
    if (text.string().empty())
      text.fail("it is empty");
    addText(operands, text.string());
    addText(operands, content);
    addStep(spec.normalizer, PLM_TOK_REPLACE, operands);
    return;
  }
  struct Known {
    StringRef text;
    uint32_t opcode, least;
  };
  static const Known known[] = {{" {2,}", PLM_TOK_SQUEEZE, 2},
                                {" +", PLM_TOK_SQUEEZE, 1},
                                {"\\s{2,}", PLM_TOK_SQUEEZE_SPACE, 2},
                                {"\\s+", PLM_TOK_SQUEEZE_SPACE, 1}};
  std::string text = pattern["Regex"].string();
  for (const Known &k : known)
    if (k.text == text) {
      operands.push_back(k.least);
      addText(operands, content);
      addStep(spec.normalizer, k.opcode, operands);
      return;
    }
  pattern["Regex"].refuse("known regular expressions are ' {2,}', ' +', "
                          "'\\s{2,}' and '\\s+'");
}

static void readBert(const JsonNode &node, Spec &spec) {
  if (node["clean_text"].boolean(true))
    addStep(spec.normalizer, PLM_TOK_CLEAN);
  if (node["handle_chinese_chars"].boolean(true))
    addStep(spec.normalizer, PLM_TOK_PAD_IDEOGRAPHS);
  bool lowercase = node["lowercase"].boolean(true);
  if (node["strip_accents"].boolean(lowercase)) {
    addStep(spec.normalizer, PLM_TOK_NFD);
    addStep(spec.normalizer, PLM_TOK_DROP_NONSPACING);
  }
  if (lowercase)
    addStep(spec.normalizer, PLM_TOK_LOWERCASE);
}

void readNormalizer(const JsonNode &node, Spec &spec) {
  if (node.isNull())
    return;
  std::string type = node["type"].string();
  if (type == "Sequence") {
    for (const JsonNode &part : node["normalizers"].elements())
      readNormalizer(part, spec);
    return;
  }
  static const std::pair<StringRef, uint32_t> plain[] = {
      {"NFD", PLM_TOK_NFD},
      {"NFC", PLM_TOK_NFC},
      {"NFKD", PLM_TOK_NFKD},
      {"NFKC", PLM_TOK_NFKC},
      {"Lowercase", PLM_TOK_LOWERCASE},
      {"StripAccents", PLM_TOK_DROP_MARKS},
      {"Nmt", PLM_TOK_NMT},
      {"ByteLevel", PLM_TOK_BYTES}};
  for (auto [name, opcode] : plain)
    if (name == type) {
      addStep(spec.normalizer, opcode);
      return;
    }
  if (type == "BertNormalizer") {
    readBert(node, spec);
  } else if (type == "Precompiled") {
    readCharsmap(node["precompiled_charsmap"], spec);
  } else if (type == "Replace") {
    readReplace(node, spec);
  } else if (type == "Strip") {
    uint32_t sides = (node["strip_left"].boolean(true) ? 1 : 0) |
                     (node["strip_right"].boolean(true) ? 2 : 0);
    addStep(spec.normalizer, PLM_TOK_STRIP, sides);
  } else if (type == "Prepend") {
    std::vector<uint32_t> operands;
    addText(operands, node["prepend"].string());
    addStep(spec.normalizer, PLM_TOK_PREPEND, operands);
  } else {
    node["type"].refuse("known normalizers are BertNormalizer, NFC, NFD, NFKC, "
                        "NFKD, Lowercase, StripAccents, Strip, Replace, "
                        "Prepend, Precompiled, Nmt, ByteLevel and Sequence");
  }
}

} // namespace plmc::tokenizer
