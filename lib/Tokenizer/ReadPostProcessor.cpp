//===- ReadPostProcessor.cpp - Post-processors of tokenizer.json ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"

using namespace llvm;

namespace plmc::tokenizer {

static uint32_t idOf(const JsonNode &node, const Spec &spec) {
  return uint32_t(node.integer(0, 0, int64_t(spec.pieces.size()) - 1));
}

static void readTemplate(const JsonNode &items, const JsonNode &specials,
                         const Spec &spec, std::vector<plm_tok_item> &result) {
  for (const JsonNode &item : items.elements()) {
    if (JsonNode text = item["Sequence"]; !text.isNull()) {
      uint32_t which = text["id"].choice({"A", "B"}, 0);
      result.push_back(
          {which ? uint32_t(PLM_TOK_ITEM_SECOND) : uint32_t(PLM_TOK_ITEM_FIRST),
           0, uint32_t(text["type_id"].integer(0, 0, 255))});
      continue;
    }
    JsonNode special = item["SpecialToken"];
    if (special.isNull()) {
      item.fail("expected a Sequence or a SpecialToken");
      return;
    }
    std::string name = special["id"].string();
    JsonNode token = specials[name];
    if (token.isNull())
      special.fail("special_tokens does not say what '" + name + "' is");
    for (const JsonNode &id : token["ids"].elements())
      result.push_back({PLM_TOK_ITEM_ID, idOf(id, spec),
                        uint32_t(special["type_id"].integer(0, 0, 255))});
  }
}

/// ["[SEP]", 102]
static uint32_t namedId(const JsonNode &node, const Spec &spec) {
  std::vector<JsonNode> parts = node.elements();
  if (parts.size() == 2)
    return idOf(parts[1], spec);
  node.fail("expected a token and its id");
  return 0;
}

void readPostProcessor(const JsonNode &node, Spec &spec) {
  if (node.isNull())
    return;
  std::string type = node["type"].string();
  if (type == "Sequence") {
    for (const JsonNode &part : node["processors"].elements())
      readPostProcessor(part, spec);
    return;
  }
  if (type == "ByteLevel") // is about offsets
    return;
  if (!spec.single.empty() || !spec.pair.empty()) {
    node.fail("two post-processors that add tokens are not supported");
    return;
  }
  constexpr uint32_t token = PLM_TOK_ITEM_ID, first = PLM_TOK_ITEM_FIRST,
                     second = PLM_TOK_ITEM_SECOND;
  if (type == "TemplateProcessing") {
    readTemplate(node["single"], node["special_tokens"], spec, spec.single);
    readTemplate(node["pair"], node["special_tokens"], spec, spec.pair);
  } else if (type == "BertProcessing") {
    uint32_t cls = namedId(node["cls"], spec), sep = namedId(node["sep"], spec);
    spec.single = {{token, cls, 0}, {first, 0, 0}, {token, sep, 0}};
    spec.pair = spec.single;
    spec.pair.push_back({second, 0, 1});
    spec.pair.push_back({token, sep, 1});
  } else if (type == "RobertaProcessing") {
    uint32_t cls = namedId(node["cls"], spec), sep = namedId(node["sep"], spec);
    spec.single = {{token, cls, 0}, {first, 0, 0}, {token, sep, 0}};
    spec.pair = spec.single;
    spec.pair.push_back({token, sep, 0});
    spec.pair.push_back({second, 0, 0});
    spec.pair.push_back({token, sep, 0});
  } else {
    node["type"].refuse("known post-processors are TemplateProcessing, "
                        "BertProcessing, RobertaProcessing, ByteLevel and "
                        "Sequence");
  }
}

} // namespace plmc::tokenizer
