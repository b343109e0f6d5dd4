//===- ReadPreTokenizer.cpp - Pre-tokenizers of tokenizer.json ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"

using namespace llvm;

namespace plmc::tokenizer {

/// In the order of plm_tok_behavior.
static const StringRef behaviors[] = {"Removed", "Isolated",
                                      "MergedWithPrevious", "MergedWithNext",
                                      "Contiguous"};

/// The regular expressions that TokenizePattern.c has written out.
static const StringRef gpt2 =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
static const StringRef cl100kStart =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})";
static const StringRef cl100kEnd =
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

static void readSplit(const JsonNode &node, Spec &spec) {
  std::vector<uint32_t> operands = {
      node["behavior"].choice(behaviors, PLM_TOK_ISOLATED),
      node["invert"].boolean(false) ? 1u : 0u};
  JsonNode pattern = node["pattern"];
  if (JsonNode text = pattern["String"]; !text.isNull()) {
    if (text.string().empty())
      text.fail("it is empty");
    addText(operands, text.string());
    addStep(spec.splitter, PLM_TOK_SPLIT_TEXT, operands);
    return;
  }
  std::string regex = pattern["Regex"].string();
  StringRef digits = regex;
  if (regex == "\\s+") {
    addStep(spec.splitter, PLM_TOK_SPLIT_SPACES, operands);
  } else if (regex == gpt2) {
    addStep(spec.splitter, PLM_TOK_SPLIT_GPT2, operands);
  } else if (digits.consume_front(cl100kStart) &&
             digits.consume_back(cl100kEnd) &&
             (digits == "{1,3}" || digits.empty())) {
    operands.push_back(digits.empty() ? 1 : 3);
    addStep(spec.splitter, PLM_TOK_SPLIT_CL100K, operands);
  } else {
    pattern["Regex"].refuse("known regular expressions are those of GPT-2, "
                            "cl100k (Llama 3) and Qwen2, and '\\s+'");
  }
}

static void readMetaspace(const JsonNode &node, Spec &spec) {
  std::vector<uint32_t> mark;
  addText(mark, node["replacement"].string("\xe2\x96\x81"));
  if (mark[0] != 1)
    node["replacement"].refuse("expected one character");
  uint32_t scheme = node["prepend_scheme"].choice({"never", "first", "always"},
                                                  PLM_TOK_PREPEND_ALWAYS);
  // Files of old versions.
  if (!node["add_prefix_space"].boolean(true))
    scheme = PLM_TOK_PREPEND_NEVER;
  addStep(spec.splitter, PLM_TOK_METASPACE,
          {mark.size() > 1 ? mark[1] : ' ', scheme,
           node["split"].boolean(true) ? 1u : 0u});
}

void readPreTokenizer(const JsonNode &node, Spec &spec) {
  if (node.isNull())
    return;
  std::string type = node["type"].string();
  if (type == "Sequence") {
    for (const JsonNode &part : node["pretokenizers"].elements())
      readPreTokenizer(part, spec);
  } else if (type == "BertPreTokenizer") {
    addStep(spec.splitter, PLM_TOK_SPLIT_BERT);
  } else if (type == "WhitespaceSplit") {
    addStep(spec.splitter, PLM_TOK_SPLIT_SPACE);
  } else if (type == "Whitespace") {
    addStep(spec.splitter, PLM_TOK_SPLIT_WORDS);
  } else if (type == "Punctuation") {
    addStep(spec.splitter, PLM_TOK_SPLIT_PUNCTUATION,
            node["behavior"].choice(behaviors, PLM_TOK_ISOLATED));
  } else if (type == "Digits") {
    addStep(spec.splitter, PLM_TOK_SPLIT_DIGITS,
            node["individual_digits"].boolean(false) ? 1 : 0);
  } else if (type == "Split") {
    readSplit(node, spec);
  } else if (type == "CharDelimiterSplit") {
    std::vector<uint32_t> operands = {PLM_TOK_REMOVED, 0};
    addText(operands, node["delimiter"].string());
    if (operands[2] != 1)
      node["delimiter"].refuse("expected one character");
    addStep(spec.splitter, PLM_TOK_SPLIT_TEXT, operands);
  } else if (type == "Metaspace") {
    readMetaspace(node, spec);
  } else if (type == "ByteLevel") {
    addStep(spec.splitter, PLM_TOK_BYTE_LEVEL,
            (node["add_prefix_space"].boolean(true) ? 1 : 0) |
                (node["use_regex"].boolean(true) ? 2 : 0));
  } else {
    node["type"].refuse(
        "known pre-tokenizers are BertPreTokenizer, Whitespace, "
        "WhitespaceSplit, Punctuation, Digits, Split, CharDelimiterSplit, "
        "Metaspace, ByteLevel and Sequence");
  }
}

} // namespace plmc::tokenizer
