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

/// Writes beside, then renames; nothing is left behind on failure or signal.
llvm::Error writeFile(llvm::StringRef path,
                      llvm::function_ref<void(llvm::raw_ostream &)> body);

/// Size of a file, 0 if there is none.
uint64_t fileBytes(const llvm::Twine &path);

/// Removes the file when the object goes or a signal ends the process, unless
/// it was kept.
class ScratchFile {
public:
  /// A name beside `path`; creates nothing.
  explicit ScratchFile(llvm::StringRef path);
  ~ScratchFile();
  ScratchFile(const ScratchFile &) = delete;
  ScratchFile &operator=(const ScratchFile &) = delete;

  const std::string &path() const { return name; }
  llvm::Error keepAs(llvm::StringRef path);

private:
  std::string name;
  bool done = false;
};

} // namespace plmc

#endif // PLMC_LIB_DRIVER_OUTPUT_H
