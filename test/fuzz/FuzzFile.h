//===- FuzzFile.h - Bytes as a file -----------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_FUZZ_FUZZFILE_H
#define PLMC_TEST_FUZZ_FUZZFILE_H

#include "llvm/ADT/StringRef.h"
#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace plmc::fuzz {

/// A folder in memory that lives as long as the process, in the one that
/// utils/fuzz.sh has made for its run: after a crash it removes what is left.
inline const std::string &folder() {
  static const struct Folder {
    std::string path;
    Folder() {
      const char *parent = std::getenv("PLMC_FUZZ_FOLDER");
      path = std::string(parent ? parent : "/dev/shm") + "/plmc-fuzz-XXXXXX";
      if (!::mkdtemp(path.data()))
        std::abort();
    }
    ~Folder() { (void)::rmdir(path.c_str()); }
  } folder;
  return folder.path;
}

/// A file of the given bytes, until it goes out of scope. Each is a new file:
/// the last one may still be mapped.
class File {
public:
  File(llvm::StringRef name, llvm::StringRef bytes)
      : path(folder() + "/" + name.str()) {
    ::unlink(path.c_str());
    std::FILE *file = std::fopen(path.c_str(), "wb");
    if (!file ||
        std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size())
      std::abort();
    std::fclose(file);
  }
  File(const File &) = delete;
  ~File() { ::unlink(path.c_str()); }

  const std::string path;
};

} // namespace plmc::fuzz

#endif // PLMC_TEST_FUZZ_FUZZFILE_H
