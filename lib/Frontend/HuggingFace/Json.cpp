//===- Json.cpp - Reading small JSON files of unknown origin --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Json.h"
#include "../ONNX/Diagnostics.h"
#include "../ONNX/ExternalData.h"
#include "llvm/ADT/StringSet.h"
#include <limits>

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

static constexpr int maxDepth = 32;
static constexpr size_t maxFileBytes = 16 << 20;

/// Before the parser sees it: deep nesting costs memory out of proportion.
static bool isTooDeep(StringRef text) {
  int depth = 0;
  bool inString = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (inString) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        inString = false;
    } else if (c == '"') {
      inString = true;
    } else if (c == '{' || c == '[') {
      if (++depth > maxDepth)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

Expected<Json> parseJson(StringRef text) {
  if (isTooDeep(text))
    return createStringError("it is nested more than " + Twine(maxDepth) +
                             " levels deep");
  std::vector<StringSet<>> keys;
  std::string repeated;
  Json::parser_callback_t check = [&](int, Json::parse_event_t event,
                                      Json &value) {
    if (event == Json::parse_event_t::object_start)
      keys.emplace_back();
    else if (event == Json::parse_event_t::object_end && !keys.empty())
      keys.pop_back();
    else if (event == Json::parse_event_t::key && !keys.empty() &&
             value.is_string()) {
      const std::string &key = value.get_ref<const std::string &>();
      if (!keys.back().insert(key).second && repeated.empty())
        repeated = key.empty() ? "(empty)" : key;
    }
    return true;
  };
  Json json = Json::parse(text.begin(), text.end(), check,
                          /*allow_exceptions=*/false);
  if (json.is_discarded())
    return createStringError("it is no valid JSON");
  if (!repeated.empty())
    return createStringError("the key '" + printable(repeated) +
                             "' comes twice in one object");
  return json;
}

Expected<Json> readJson(StringRef path) {
  std::string name = printable(path, 400);
  Expected<SharedBuffer> buffer = mapFile(path);
  if (!buffer)
    return badModel(name + ": cannot read it: " + toString(buffer.takeError()));
  StringRef text = (*buffer)->getBuffer();
  if (text.size() > maxFileBytes)
    return badModel(name + ": " + Twine(text.size()) +
                    " bytes are too many for such a file; download it again");
  Expected<Json> json = parseJson(text);
  if (!json)
    return badModel(name + ": " + toString(json.takeError()) +
                    "; download it again");
  return json;
}

Expected<Json> readJsonObject(StringRef path) {
  Expected<Json> json = readJson(path);
  if (json && !json->is_object())
    return badModel(printable(path, 400) +
                    ": it holds no JSON object; download it again");
  return json;
}

std::optional<int64_t> integerIn(const Json &value) {
  if (value.is_number_unsigned()) {
    uint64_t number = value.get<uint64_t>();
    if (number > uint64_t(std::numeric_limits<int64_t>::max()))
      return std::nullopt;
    return int64_t(number);
  }
  if (value.is_number_integer())
    return value.get<int64_t>();
  return std::nullopt;
}

const Json *member(const Json &object, StringRef key) {
  if (!object.is_object())
    return nullptr;
  auto it = object.find(key.str());
  return it == object.end() ? nullptr : &*it;
}

} // namespace plmc::huggingface
