//===- FuzzSafetensors.cpp - Fuzzer of the Hugging Face reader ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An input is two bytes (little-endian) with the length of config.json, that
// file, and then model.safetensors: a folder in one string. The mutator changes
// values in the JSON of either, and keeps the lengths right, three times in
// four; else it changes bytes.
//
//===----------------------------------------------------------------------===//

#include "FuzzFile.h"
#include "FuzzModule.h"
#include "plmc/Frontend/HuggingFace/Import.h"
#include "llvm/Support/Endian.h"
#include <nlohmann/json.hpp>
#include <random>

using namespace plmc;
using nlohmann::json;
namespace endian = llvm::support::endian;

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

static std::pair<llvm::StringRef, llvm::StringRef>
split(llvm::StringRef bytes) {
  if (bytes.size() < 2)
    return {"", ""};
  size_t length = endian::read16le(bytes.data());
  bytes = bytes.drop_front(2);
  return {bytes.take_front(length),
          bytes.drop_front(std::min(length, bytes.size()))};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto [config, weights] = split({reinterpret_cast<const char *>(data), size});
  fuzz::File configFile("config.json", config);
  fuzz::File weightsFile("model.safetensors", weights);
  std::unique_ptr<mlir::MLIRContext> context = fuzz::makeContext();
  auto module = importHuggingFace(fuzz::folder(), context.get());
  if (module)
    fuzz::exercise(**module);
  else
    fuzz::checkMessage(module.takeError());
  return 0;
}

static json oddValue(std::mt19937 &engine, const json &old) {
  static const json odd[] = {0,
                             1,
                             -1,
                             2,
                             3,
                             7,
                             12,
                             64,
                             65,
                             1000,
                             INT32_MAX,
                             1LL << 40,
                             INT64_MAX,
                             UINT64_MAX,
                             1e308,
                             -0.5,
                             1e-12,
                             0.5,
                             true,
                             false,
                             nullptr,
                             "",
                             "F32",
                             "F16",
                             "BF16",
                             "I64",
                             "gelu",
                             "relu",
                             "bert",
                             "\n",
                             "x\x01",
                             json::array(),
                             json::object(),
                             {1, 2},
                             {0, 8},
                             {8, 8}};
  if (old.is_number_integer() && engine() % 2)
    return int64_t(uint64_t(old.get<int64_t>()) + engine() % 5 - 2);
  return odd[engine() % std::size(odd)];
}

static void mutate(std::mt19937 &engine, json &value) {
  if (!value.is_structured() || value.empty() || engine() % 16 == 0) {
    value = oddValue(engine, value);
    return;
  }
  auto it = value.begin();
  std::advance(it, engine() % value.size());
  if (engine() % 8 == 0) {
    value.erase(it);
    return;
  }
  if (engine() % 16 == 0 && value.is_object()) {
    json moved = *it;
    std::string key = it.key() + (engine() % 2 ? "x" : "_1");
    value[key] = std::move(moved);
    return;
  }
  mutate(engine, *it);
}

static std::string mutateText(std::mt19937 &engine, llvm::StringRef text) {
  json value = json::parse(text.begin(), text.end(), nullptr, false);
  if (value.is_discarded())
    return text.str();
  for (unsigned i = 0; i <= engine() % 3; ++i)
    mutate(engine, value);
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  std::mt19937 engine(seed);
  auto [config, weights] = split({reinterpret_cast<const char *>(data), size});
  std::string first = config.str(), second = weights.str();
  switch (engine() % 4) {
  case 0:
    return LLVMFuzzerMutate(data, size, maxSize);
  case 1: {
    uint64_t length = second.size() < 8 ? 0 : endian::read64le(second.data());
    if (!length || length > second.size() - 8)
      return LLVMFuzzerMutate(data, size, maxSize);
    std::string header =
        mutateText(engine, llvm::StringRef(second).substr(8, length));
    second.replace(8, length, header);
    endian::write64le(second.data(), header.size());
    break;
  }
  default:
    first = mutateText(engine, first);
  }
  if (first.size() > UINT16_MAX || 2 + first.size() + second.size() > maxSize)
    return LLVMFuzzerMutate(data, size, maxSize);
  endian::write16le(data, first.size());
  std::memcpy(data + 2, first.data(), first.size());
  std::memcpy(data + 2 + first.size(), second.data(), second.size());
  return 2 + first.size() + second.size();
}
