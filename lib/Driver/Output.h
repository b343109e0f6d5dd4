//===- Output.h - Files that plmc writes ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_OUTPUT_H
#define PLMC_LIB_DRIVER_OUTPUT_H

#include "plmc/Driver/Error.h"

namespace plmc {

/// Usage error when `path` cannot become a file: no such folder, a folder
/// itself, no permission, or the same file as one of `inputs`. `option` is
/// what the user would change, e.g. "-o".
llvm::Error checkWritable(llvm::StringRef option, llvm::StringRef path,
                          llvm::ArrayRef<std::string> inputs);

/// The file that `path` names, symbolic links followed: writing beside and
/// renaming would otherwise replace the link.
std::string resolveOutput(llvm::StringRef path);

/// Writes beside, then renames; nothing is left behind on failure or signal.
llvm::Error writeFile(llvm::StringRef path,
                      llvm::function_ref<void(llvm::raw_ostream &)> body);

/// Size of a file, 0 if there is none.
uint64_t fileBytes(const llvm::Twine &path);

/// Files that stand under their names but have not been found right: removed
/// when the object goes, or a signal ends the process, unless they were kept.
class ProvisionalFiles {
public:
  explicit ProvisionalFiles(std::vector<std::string> paths);
  ~ProvisionalFiles();
  ProvisionalFiles(const ProvisionalFiles &) = delete;
  ProvisionalFiles &operator=(const ProvisionalFiles &) = delete;

  void keep() { kept = true; }

private:
  std::vector<std::string> paths;
  bool kept = false;
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_OUTPUT_H
