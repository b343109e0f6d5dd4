//===- Literal.h - A tensor whose value is known ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_LITERAL_H
#define PLMC_FRONTEND_ONNX_LITERAL_H

#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/ArrayRef.h"
#include <memory>
#include <string>

namespace plmc::importer {

/// A constant of the model: the bytes lie in a mapped file (unaligned) or in
/// memory of ours; `owner` keeps them there.
struct Literal {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<char> bytes; // row major, little endian
  std::shared_ptr<const void> owner;
  std::string name; // as in the file; empty when computed

  int64_t numElements() const;
  /// A copy that can be indexed.
  HostTensor toHost() const;
};
using LiteralPtr = std::shared_ptr<const Literal>;

LiteralPtr makeLiteral(HostTensor tensor, llvm::StringRef name = "");
/// The same bytes under another shape of equally many elements.
LiteralPtr reshapeLiteral(const LiteralPtr &literal,
                          llvm::ArrayRef<int64_t> shape);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_LITERAL_H
