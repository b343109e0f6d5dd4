//===- ShardPath.h - Where a shard may lie ----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_SHARDPATH_H
#define PLMC_FRONTEND_HUGGINGFACE_SHARDPATH_H

#include "llvm/Support/Error.h"
#include <string>

namespace plmc::huggingface {

/// The path of a file that a file of the folder names. The name is hostile
/// until proven otherwise: it must be relative and without '..', and after
/// links are resolved the file must lie in the folder. One exception: the
/// download cache of Hugging Face keeps the files of models--X/snapshots/REV as
/// links to models--X/blobs. The error names the name.
llvm::Expected<std::string> resolveShard(llvm::StringRef folder,
                                         llvm::StringRef name);

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_SHARDPATH_H
