//===- Json.h - Reading small JSON files of unknown origin ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_JSON_H
#define PLMC_FRONTEND_HUGGINGFACE_JSON_H

#include "llvm/Support/Error.h"
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace plmc::huggingface {

using Json = nlohmann::json;

/// Parses text of at most 32 levels in which no key of an object comes twice
/// (JSON allows it, and every reader picks another one). The error says what is
/// wrong, without the file.
llvm::Expected<Json> parseJson(llvm::StringRef text);

/// The object in a file of at most 16 MB. The error is an ImportError that
/// names the file.
llvm::Expected<Json> readJsonObject(llvm::StringRef path);
/// The same for an array or an object.
llvm::Expected<Json> readJson(llvm::StringRef path);

/// An integer in the range of int64_t; nullopt for anything else, so too for
/// 3.0.
std::optional<int64_t> integerIn(const Json &value);
/// The member, or null: the object may be anything.
const Json *member(const Json &object, llvm::StringRef key);

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_JSON_H
