//===- Library.cpp - The functions of an emitted library --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Library.h"
#include "ElfCheck.h"
#include "llvm/Support/FileSystem.h"
#include <dlfcn.h>
#include <nlohmann/json.hpp>

using namespace plmc;
using json = nlohmann::json;
using llvm::createStringError;
using llvm::StringRef;
using llvm::Twine;

/// One line of what dlerror says.
static std::string loaderMessage() {
  const char *text = dlerror();
  StringRef message = text ? text : "unknown error";
  return message.split('\n').first.str();
}

llvm::Expected<std::shared_ptr<Library>> Library::open(StringRef path,
                                                       bool describeOnly) {
  auto fail = [&](const Twine &what) {
    return createStringError("cannot load '" + path + "': " + what);
  };
  // dlopen would say little of use about these.
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status))
    return fail(code.message());
  if (!llvm::sys::fs::is_regular_file(status))
    return fail("it is no file");
  if (status.getSize() == 0)
    return fail("it is empty");
  if (llvm::Error error = checkElf(path, status.getSize()))
    return fail(llvm::toString(std::move(error)));

  // A name without a slash would be searched for in the system's folders.
  std::string file = path.str();
  if (!path.contains('/'))
    file = "./" + file;
  void *handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    std::string message = loaderMessage();
    StringRef reason = message;
    if (reason.consume_front(file))
      reason.consume_front(": ");
    return fail(reason + "; a library made by `plmc compress` is expected");
  }
  std::shared_ptr<Library> library(new Library(handle));
  library->fileBytes = int64_t(status.getSize());
  if (llvm::Error error = library->bind(describeOnly))
    return fail(llvm::toString(std::move(error)));
  if (llvm::Error error = library->parseDescription())
    return fail("malformed description: " + llvm::toString(std::move(error)));
  return library;
}

Library::~Library() { dlclose(handle); }

llvm::Error Library::bind(bool describeOnly) {
  const char *missing = nullptr;
  auto find = [&](auto &function, const char *name) {
    function =
        reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(handle, name));
    if (!function && !missing)
      missing = name;
  };
  auto checkMissing = [&]() -> llvm::Error {
    if (!missing)
      return llvm::Error::success();
    return createStringError(Twine("it has no function ") + missing +
                             ": it was not made by `plmc compress`");
  };
  // The version first: another one may lack the other functions.
  find(plmAbiVersion, "plm_abi_version");
  if (llvm::Error error = checkMissing())
    return error;
  uint32_t version = plmAbiVersion();
  if (version != PLM_ABI_VERSION)
    return createStringError("it has version " + Twine(version) +
                             " of the plm ABI, this plmc reads version " +
                             Twine(PLM_ABI_VERSION) +
                             ": compress the model again");
  find(plmOpen, "plm_open");
  find(plmDescribe, "plm_describe");
  find(plmContextCreate, "plm_context_create");
  find(plmContextDestroy, "plm_context_destroy");
  find(plmRun, "plm_run");
  find(plmLastError, "plm_last_error");
  if (llvm::Error error = checkMissing())
    return error;
  find(plmContextProfile, "plm_context_profile");
  find(plmRunText, "plm_run_text");
  // Opening fails on a CPU that cannot run the library; it can still say what
  // it is.
  if (!describeOnly && plmOpen(PLM_ABI_VERSION, &model) != PLM_OK)
    return createStringError(plmLastError(nullptr));
  const char *text = plmDescribe(model);
  description = text ? text : "";
  return llvm::Error::success();
}

static std::optional<DType> parseDType(StringRef name) {
  for (int32_t i = int32_t(DType::F32); i <= int32_t(DType::BF16); ++i)
    if (dtypeName(DType(i)) == name)
      return DType(i);
  return std::nullopt;
}

static llvm::Expected<std::vector<TensorSignature>>
parseTensors(const json &description, const char *key) {
  auto list = description.find(key);
  if (list == description.end() || !list->is_array())
    return createStringError(Twine("no list '") + key + "'");
  std::vector<TensorSignature> result;
  for (const json &entry : *list) {
    auto bad = [&](const char *what) {
      return createStringError(Twine(key) + "[" + Twine(result.size()) +
                               "] has no valid '" + what + "'");
    };
    if (!entry.is_object() || !entry.contains("name") ||
        !entry["name"].is_string())
      return bad("name");
    TensorSignature tensor;
    tensor.name = entry["name"].get<std::string>();
    std::optional<DType> dtype;
    if (entry.contains("dtype") && entry["dtype"].is_string())
      dtype = parseDType(entry["dtype"].get<std::string>());
    if (!dtype)
      return bad("dtype");
    tensor.dtype = *dtype;
    if (!entry.contains("dims") || !entry["dims"].is_array())
      return bad("dims");
    for (const json &dim : entry["dims"]) {
      if (dim.is_string())
        tensor.dims.push_back(dim.get<std::string>());
      else if (dim.is_number_integer())
        tensor.dims.push_back(std::to_string(dim.get<int64_t>()));
      else
        return bad("dims");
    }
    auto padding = entry.find("padding");
    tensor.zeroAtPadding = padding != entry.end() && *padding == "zero";
    result.push_back(std::move(tensor));
  }
  return result;
}

llvm::Error Library::parseDescription() {
  json parsed = json::parse(description.begin(), description.end(), nullptr,
                            /*allow_exceptions=*/false);
  if (!parsed.is_object())
    return createStringError("no JSON object");
  auto parsedInputs = parseTensors(parsed, "inputs");
  if (!parsedInputs)
    return parsedInputs.takeError();
  auto parsedOutputs = parseTensors(parsed, "outputs");
  if (!parsedOutputs)
    return parsedOutputs.takeError();
  inputs = std::move(*parsedInputs);
  outputs = std::move(*parsedOutputs);
  return llvm::Error::success();
}
