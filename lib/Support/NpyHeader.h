//===- NpyHeader.h - The header of a .npy array -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_SUPPORT_NPYHEADER_H
#define PLMC_LIB_SUPPORT_NPYHEADER_H

#include "plmc/Support/HostTensor.h"
#include "llvm/Support/Error.h"
#include <string>

namespace plmc::npy {

struct Header {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  /// Bytes of the data after the header; checked not to overflow.
  uint64_t dataBytes = 0;
};

/// Bytes of magic, version and length for each format version; the largest.
constexpr size_t maxPreamble = 12;
/// Headers of supported arrays have some 100 bytes.
constexpr size_t maxHeader = 65536;

/// Where the dictionary starts and how long it is, from the first bytes of the
/// array (fewer than maxPreamble only if the array has no more).
llvm::Expected<std::pair<size_t, size_t>> parsePreamble(llvm::StringRef bytes);

/// Parses the dictionary, for instance
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
llvm::Expected<Header> parseDictionary(llvm::StringRef text);

/// Magic, version, length and dictionary for a C-order array.
std::string makeHeader(DType dtype, llvm::ArrayRef<int64_t> shape);

} // namespace plmc::npy

#endif // PLMC_LIB_SUPPORT_NPYHEADER_H
