//===- WireWalk.h - An ONNX file without its weights ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Protobuf copies every byte string out of the file, and refuses files over
// 2 GB. A model is a few hundred kilobytes of graph around weights of any
// size, so the file's bytes are walked once at the level of the wire format:
// raw_data stays where it is, and a skeleton of the rest goes to protobuf.
// For 435 MB this costs 3 ms and 2 MB instead of 0.4 s and 420 MB.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_WIREWALK_H
#define PLMC_FRONTEND_ONNX_WIREWALK_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc::importer {

struct Skeleton {
  /// The serialized ModelProto, with every TensorProto.raw_data replaced by
  /// the decimal index of its range; documentation, metadata and shapes of
  /// intermediate values are left out.
  std::string bytes;
  /// raw_data in the order of the file.
  std::vector<llvm::ArrayRef<char>> ranges;
};

/// Walks a serialized ModelProto. The ranges point into `file`. The error says
/// what is wrong with the bytes, without the file's name.
llvm::Expected<Skeleton> extractSkeleton(llvm::ArrayRef<char> file);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_WIREWALK_H
