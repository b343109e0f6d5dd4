//===- Config.cpp - config.json, checked ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Config.h"
#include "../ONNX/Diagnostics.h"
#include "llvm/Support/Format.h"
#include <cmath>

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

Expected<Config> Config::open(StringRef path) {
  Expected<Json> json = readJsonObject(path);
  if (!json)
    return json.takeError();
  Config config;
  config.json = std::move(*json);
  config.displayName = printable(path, 400);
  return config;
}

/// The value as it stands in the file, cut to fit a line.
static std::string valueText(const Json &value) {
  if (value.is_structured())
    return value.is_array() ? "an array" : "an object";
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace),
                   60);
}

bool Config::has(StringRef key) const {
  const Json *value = raw(key);
  return value && !value->is_null();
}

int64_t Config::integer(StringRef key, int64_t fallback, int64_t low,
                        int64_t high) {
  if (!has(key))
    return fallback;
  std::optional<int64_t> number = integerIn(*raw(key));
  if (number && *number >= low && *number <= high)
    return *number;
  fail(key + " is " + valueText(*raw(key)) + ", expected an integer from " +
       Twine(low) + " to " + Twine(high));
  return fallback;
}

int64_t Config::size(StringRef key, int64_t fallback) {
  return integer(key, fallback, 1, int64_t(1) << 31);
}

double Config::number(StringRef key, double fallback, double low, double high) {
  if (!has(key))
    return fallback;
  const Json &value = *raw(key);
  double number = value.is_number() ? value.get<double>() : NAN;
  if (number >= low && number <= high) // false for NaN
    return number;
  std::string range;
  raw_string_ostream(range) << format("%g to %g", low, high);
  fail(key + " is " + valueText(value) + ", expected a number from " + range);
  return fallback;
}

double Config::epsilon(StringRef key, double fallback) {
  return number(key, fallback, 0, 1);
}

bool Config::boolean(StringRef key, bool fallback) {
  if (!has(key))
    return fallback;
  if (raw(key)->is_boolean())
    return raw(key)->get<bool>();
  fail(key + " is " + valueText(*raw(key)) + ", expected true or false");
  return fallback;
}

std::string Config::string(StringRef key, StringRef fallback) {
  if (!has(key))
    return fallback.str();
  if (raw(key)->is_string())
    return raw(key)->get<std::string>();
  fail(key + " is " + valueText(*raw(key)) + ", expected a string");
  return fallback.str();
}

std::vector<std::string> Config::strings(StringRef key) {
  std::vector<std::string> result;
  if (!has(key))
    return result;
  const Json &value = *raw(key);
  if (value.is_string())
    return {value.get<std::string>()};
  bool isList = value.is_array();
  if (isList)
    for (const Json &element : value) {
      if (!element.is_string()) {
        isList = false;
        break;
      }
      result.push_back(element.get<std::string>());
    }
  if (isList)
    return result;
  fail(key + " is " + valueText(value) + ", expected strings");
  return {};
}

void Config::refuse(StringRef key, StringRef why) {
  if (boolean(key, false))
    unsupported(key + " is true: " + why);
}

void Config::fail(const Twine &message) {
  if (!failure)
    failure = {false, displayName + ": " + message.str()};
}

void Config::unsupported(const Twine &message) {
  if (!failure)
    failure = {true, displayName + ": " + message.str()};
}

Error Config::takeFailure() {
  if (!failure)
    return Error::success();
  return failure->isUnsupported ? importer::unsupported(failure->message)
                                : badModel(failure->message);
}

} // namespace plmc::huggingface
