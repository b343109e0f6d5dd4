//===- MappedFiles.h - Files whose pages can be given back ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_MAPPEDFILES_H
#define PLMC_SUPPORT_MAPPEDFILES_H

#include "llvm/Support/MemoryBuffer.h"
#include <memory>

namespace plmc {

/// Takes a file that was read. If it is mapped, releaseMemory knows it while it
/// lives.
std::shared_ptr<llvm::MemoryBuffer>
shareFile(std::unique_ptr<llvm::MemoryBuffer> file);

/// Gives memory back that this process does not need now: pages of mapped
/// files, which come again when they are read, and what the heap has free.
///
/// A pass that calibrates reads each weight of a model once or twice, and makes
/// another for it. So the model would be in memory twice at its end, once as
/// pages that nobody reads any more.
void releaseMemory();

} // namespace plmc

#endif // PLMC_SUPPORT_MAPPEDFILES_H
