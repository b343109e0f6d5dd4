//===- JsonNode.cpp - JSON that says where it is wrong --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "JsonNode.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cmath>

using namespace llvm;

namespace plmc::tokenizer {

constexpr uint64_t mostBytes = uint64_t(256) << 20;

void Failure::set(const Twine &text) {
  if (message.empty())
    message = cleanText(text.str());
}

Error Failure::take() const {
  return createStringError(cleanText(file) + ": " + message);
}

JsonNode JsonNode::operator[](StringRef key) const {
  static const Json null;
  std::string at = path.empty() ? key.str() : path + "." + key.str();
  if (value->is_object()) {
    auto found = value->find(std::string_view(key.data(), key.size()));
    if (found != value->end())
      return JsonNode(*found, std::move(at), *failure);
  } else if (!value->is_null()) {
    refuse("expected an object");
  }
  return JsonNode(null, std::move(at), *failure);
}

std::vector<JsonNode> JsonNode::elements() const {
  std::vector<JsonNode> result;
  if (value->is_array())
    for (auto [index, element] : enumerate(*value))
      result.emplace_back(element, path + "[" + std::to_string(index) + "]",
                          *failure);
  else if (!value->is_null())
    refuse("expected a list");
  return result;
}

void JsonNode::fail(const Twine &text) const {
  failure->set(path.empty() ? text : Twine(path) + ": " + text);
}

void JsonNode::refuse(const Twine &what) const {
  std::string text;
  if (value->is_structured())
    text = value->is_array() ? "a list" : "an object";
  else
    text = value->dump(-1, ' ', true, Json::error_handler_t::replace);
  if (text.size() > 80)
    text = text.substr(0, 77) + "...";
  fail(what + ", not " + text);
}

std::string JsonNode::string(StringRef fallback) const {
  if (value->is_string())
    return value->get<std::string>();
  if (!value->is_null())
    refuse("expected a string");
  return fallback.str();
}

bool JsonNode::boolean(bool fallback) const {
  if (value->is_boolean())
    return value->get<bool>();
  if (!value->is_null())
    refuse("expected true or false");
  return fallback;
}

int64_t JsonNode::integer(int64_t fallback, int64_t low, int64_t high) const {
  if (value->is_null())
    return fallback;
  if (value->is_number_integer() &&
      !(value->is_number_unsigned() &&
        value->get<uint64_t>() > uint64_t(INT64_MAX))) {
    int64_t number = value->get<int64_t>();
    if (number >= low && number <= high)
      return number;
  }
  refuse("expected an integer from " + Twine(low) + " to " + Twine(high));
  return fallback;
}

double JsonNode::number() const {
  if (value->is_number() && std::isfinite(value->get<double>()))
    return value->get<double>();
  refuse("expected a number");
  return 0;
}

unsigned JsonNode::choice(ArrayRef<StringRef> names, unsigned fallback) const {
  if (value->is_null())
    return fallback;
  std::string text = string();
  for (auto [index, name] : enumerate(names))
    if (name == text)
      return index;
  refuse("expected one of " + join(names, ", "));
  return fallback;
}

/// Deep nesting would exhaust the stack of whoever walks the value.
static bool isTooDeep(StringRef text) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > 100)
        return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

Expected<Json> parseJson(StringRef text, StringRef name) {
  Failure failure{name.str(), ""};
  if (text.size() > mostBytes)
    failure.set("it has more than 256 MB; no tokenizer has");
  else if (isTooDeep(text))
    failure.set("it is nested more than 100 levels deep; no tokenizer is");
  if (failure)
    return failure.take();
  Json json = Json::parse(text.begin(), text.end(), nullptr,
                          /*allow_exceptions=*/false);
  if (json.is_discarded())
    failure.set("it is no JSON, or is cut off; a tokenizer.json is expected");
  else if (!json.is_object())
    failure.set("it holds no JSON object; a tokenizer.json is expected");
  if (failure)
    return failure.take();
  return json;
}

Expected<std::string> readTokenizerFile(StringRef path) {
  Failure failure{path.str(), ""};
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(path, status))
    failure.set("cannot read it: " + code.message());
  else if (!sys::fs::is_regular_file(status))
    failure.set("it is no file");
  else if (status.getSize() > mostBytes)
    failure.set("it has more than 256 MB; no tokenizer has");
  if (failure)
    return failure.take();
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer) {
    failure.set("cannot read it: " + buffer.getError().message());
    return failure.take();
  }
  return (*buffer)->getBuffer().str();
}

} // namespace plmc::tokenizer
