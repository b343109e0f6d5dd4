//===- CodeCache.cpp - Machine code of models that are alike --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CodeCache.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SHA256.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

using namespace plmc;
using llvm::StringRef;

namespace {

struct Object {
  std::string bytes;
  std::vector<std::string> undefined;
};

/// Objects by the hash of what they were made from.
class Objects {
public:
  std::optional<Object> find(const std::string &key) {
    std::lock_guard<std::mutex> lock(mutex);
    auto it = known.find(key);
    if (it == known.end())
      return std::nullopt;
    return it->second;
  }

  void add(const std::string &key, Object object) {
    std::lock_guard<std::mutex> lock(mutex);
    total += object.bytes.size();
    // What is still of use comes back soon.
    if (total > mostBytes) {
      known.clear();
      total = object.bytes.size();
    }
    known[key] = std::move(object);
  }

private:
  static constexpr size_t mostBytes = 64 << 20; // some 300 parts of a model
  std::mutex mutex;
  llvm::StringMap<Object> known;
  size_t total = 0;
};

} // namespace

static Objects &objects() {
  static Objects all;
  return all;
}

static std::string keyOf(const llvm::Module &module, const TargetInfo &target,
                         bool textInput) {
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream os(text);
  os << target.triple << '\0' << target.cpu << '\0' << target.features << '\0'
     << textInput;
  llvm::WriteBitcodeToFile(module, os);
  auto hash = llvm::SHA256::hash(llvm::ArrayRef(
      reinterpret_cast<const uint8_t *>(text.data()), text.size()));
  return std::string(hash.begin(), hash.end());
}

static llvm::Error write(StringRef path, StringRef bytes) {
  std::error_code problem;
  llvm::raw_fd_ostream os(path, problem, llvm::sys::fs::OF_None);
  if (!problem) {
    os << bytes;
    os.close();
    problem = os.error();
    os.clear_error();
  }
  return problem
             ? llvm::createStringError(problem, "cannot write " + path + ": " +
                                                    problem.message())
             : llvm::Error::success();
}

llvm::Expected<std::vector<std::string>>
plmc::emitKnownObject(std::unique_ptr<llvm::Module> module,
                      const TargetInfo &target, StringRef path,
                      bool textInput) {
  std::string key = keyOf(*module, target, textInput);
  if (std::optional<Object> known = objects().find(key)) {
    if (llvm::Error error = write(path, known->bytes))
      return std::move(error);
    return std::move(known->undefined);
  }
  auto undefined = emitObject(std::move(module), target, path, textInput);
  if (!undefined)
    return undefined;
  // What cannot be read is only made again.
  if (auto buffer = llvm::MemoryBuffer::getFile(
          path, /*IsText=*/false, /*RequiresNullTerminator=*/false))
    objects().add(key, {(*buffer)->getBuffer().str(), *undefined});
  return undefined;
}
