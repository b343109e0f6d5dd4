//===- Manifest.h - What the fixtures are said to be ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_MANIFEST_H
#define PLMC_TEST_UNIT_MANIFEST_H

#include "llvm/Support/MemoryBuffer.h"
#include <nlohmann/json.hpp>
#include <string>

namespace plmc::test {

/// What test/fixtures/manifest.json says of a fixture; null for one that it
/// does not list.
inline nlohmann::json manifestEntry(const std::string &name) {
  auto file =
      llvm::MemoryBuffer::getFile(PLMC_TEST_FIXTURES "/../manifest.json");
  if (!file)
    return nullptr;
  llvm::StringRef text = (*file)->getBuffer();
  auto manifest = nlohmann::json::parse(text.begin(), text.end());
  return manifest["fixtures"].value(name, nlohmann::json());
}

} // namespace plmc::test

#endif // PLMC_TEST_UNIT_MANIFEST_H
