//===- JsonNode.h - JSON that says where it is wrong ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_TOKENIZER_JSONNODE_H
#define PLMC_LIB_TOKENIZER_JSONNODE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace plmc::tokenizer {

using Json = nlohmann::json;

/// The first thing that was found wrong; the rest follows from it.
struct Failure {
  std::string file;
  std::string message;

  explicit operator bool() const { return !message.empty(); }
  void set(const llvm::Twine &text);
  llvm::Error take() const;
};

/// A value in a file, and the way to it ("model.merges[3]").
class JsonNode {
public:
  JsonNode(const Json &value, std::string path, Failure &failure)
      : value(&value), path(std::move(path)), failure(&failure) {}

  /// A key that is not there reads as null.
  JsonNode operator[](llvm::StringRef key) const;
  bool isNull() const { return value->is_null(); }
  bool isObject() const { return value->is_object(); }
  bool isArray() const { return value->is_array(); }
  bool isString() const { return value->is_string(); }
  std::vector<JsonNode> elements() const;
  const Json &json() const { return *value; }

  /// A value of another type is an error; null is the fallback.
  std::string string(llvm::StringRef fallback = "") const;
  bool boolean(bool fallback) const;
  int64_t integer(int64_t fallback, int64_t low, int64_t high) const;
  double number() const;
  /// The index in `names`.
  unsigned choice(llvm::ArrayRef<llvm::StringRef> names,
                  unsigned fallback) const;

  void fail(const llvm::Twine &text) const;
  /// Fails, quoting the value.
  void refuse(const llvm::Twine &what) const;

private:
  const Json *value;
  std::string path;
  Failure *failure;
};

/// Parses text of at most 256 MB and 100 levels.
llvm::Expected<Json> parseJson(llvm::StringRef text, llvm::StringRef name);

/// The file's contents; at most 256 MB.
llvm::Expected<std::string> readTokenizerFile(llvm::StringRef path);

} // namespace plmc::tokenizer

#endif // PLMC_LIB_TOKENIZER_JSONNODE_H
