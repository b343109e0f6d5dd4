//===- TemporaryFile.h - A file that does not stay --------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_TEMPORARYFILE_H
#define PLMC_SUPPORT_TEMPORARYFILE_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include <string>

namespace plmc {

/// The name of a file that goes away with this object, or when a signal ends
/// the process. Make the object before the file: a signal may come between any
/// two lines.
struct TemporaryFile {
  std::string path;
  explicit TemporaryFile(const llvm::Twine &path) : path(path.str()) {
    llvm::sys::RemoveFileOnSignal(this->path);
  }
  ~TemporaryFile() {
    llvm::sys::fs::remove(path);
    llvm::sys::DontRemoveFileOnSignal(path);
  }
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
};

} // namespace plmc

#endif // PLMC_SUPPORT_TEMPORARYFILE_H
