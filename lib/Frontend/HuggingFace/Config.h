//===- Config.h - config.json, checked --------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_CONFIG_H
#define PLMC_FRONTEND_HUGGINGFACE_CONFIG_H

#include "Json.h"

namespace plmc::huggingface {

/// The settings of a config.json. The first setting that is not what it must
/// be is kept as the failure, and a harmless value returned in its place, so
/// that readers need not check each one: takeFailure() tells in the end.
class Config {
public:
  /// Reads the file; the error is an ImportError.
  static llvm::Expected<Config> open(llvm::StringRef path);

  bool has(llvm::StringRef key) const; // there, and not null
  /// An integer in [low, high]. Absent or null: `fallback`.
  int64_t integer(llvm::StringRef key, int64_t fallback, int64_t low,
                  int64_t high);
  /// A size: an integer of 1 or more.
  int64_t size(llvm::StringRef key, int64_t fallback);
  /// A finite number in [low, high].
  double number(llvm::StringRef key, double fallback, double low, double high);
  /// The epsilon of a layer normalisation.
  double epsilon(llvm::StringRef key, double fallback);
  bool boolean(llvm::StringRef key, bool fallback);
  std::string string(llvm::StringRef key, llvm::StringRef fallback);
  /// Strings of an array; a single string counts as one. Absent: empty.
  std::vector<std::string> strings(llvm::StringRef key);
  /// The member itself, or null.
  const Json *raw(llvm::StringRef key) const { return member(json, key); }

  /// A setting that must be false or absent: what it would turn on is not
  /// supported.
  void refuse(llvm::StringRef key, llvm::StringRef why);
  /// Records that the file is wrong, or that plmc cannot do what it says.
  void fail(const llvm::Twine &message);
  void unsupported(const llvm::Twine &message);
  bool hasFailed() const { return failure.has_value(); }
  llvm::Error takeFailure();
  /// For messages.
  llvm::StringRef getDisplayName() const { return displayName; }

private:
  Json json;
  std::string displayName;
  struct Failure {
    bool isUnsupported;
    std::string message;
  };
  std::optional<Failure> failure;
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_CONFIG_H
