//===- PrintJson.cpp - A tokenizer.json written back ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Spec.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace plmc::tokenizer {

static std::string textOf(const Json &value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The order that people and older readers expect.
static unsigned placeOf(StringRef key, bool isRoot) {
  static const StringRef root[] = {
      "version",        "truncation", "padding",
      "added_tokens",   "normalizer", "pre_tokenizer",
      "post_processor", "decoder",    "model"};
  if (!isRoot)
    return key == "type" ? 0 : key == "vocab" ? 2 : key == "merges" ? 3 : 1;
  return unsigned(find(root, key) - std::begin(root));
}

static bool isVocabulary(StringRef key, const Json &value) {
  return key == "vocab" && value.is_object() &&
         all_of(value, [](const Json &id) { return id.is_number_integer(); });
}

static void print(raw_ostream &os, const Json &value, unsigned indent,
                  StringRef key, bool isRoot);

static void printObject(raw_ostream &os, const Json &value, unsigned indent,
                        StringRef name, bool isRoot) {
  std::vector<std::pair<std::string, const Json *>> entries;
  for (auto &[key, entry] : value.items())
    entries.push_back({key, &entry});
  bool byId = isVocabulary(name, value);
  llvm::sort(entries, [&](auto &a, auto &b) {
    if (byId)
      return a.second->template get<int64_t>() <
             b.second->template get<int64_t>();
    return std::pair(placeOf(a.first, isRoot), a.first) <
           std::pair(placeOf(b.first, isRoot), b.first);
  });
  os << "{";
  const char *comma = "\n";
  for (auto &[key, entry] : entries) {
    os << comma;
    os.indent(indent + 2) << textOf(key) << ": ";
    print(os, *entry, indent + 2, key, false);
    comma = ",\n";
  }
  if (!entries.empty())
    (os << "\n").indent(indent);
  os << "}";
}

static void print(raw_ostream &os, const Json &value, unsigned indent,
                  StringRef key, bool isRoot) {
  if (value.is_object())
    return printObject(os, value, indent, key, isRoot);
  bool flat = !value.is_array() || value.empty() ||
              all_of(value, [](const Json &e) { return !e.is_structured(); });
  if (flat && key != "merges") {
    os << textOf(value);
    return;
  }
  os << "[";
  const char *comma = "\n";
  for (const Json &entry : value) {
    os << comma;
    os.indent(indent + 2);
    print(os, entry, indent + 2, "", false);
    comma = ",\n";
  }
  (os << "\n").indent(indent) << "]";
}

std::string printTokenizerJson(const Json &json) {
  std::string text;
  raw_string_ostream os(text);
  print(os, json, 0, "", true);
  os << "\n";
  return text;
}

} // namespace plmc::tokenizer
