//===- WeightStorage.h - How a library holds its weights --------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_CODEGEN_WEIGHTSTORAGE_H
#define PLMC_CODEGEN_WEIGHTSTORAGE_H

#include <cstdint>
#include <string>
#include <vector>

namespace plmc {

/// What a library holds in one form. Nothing is unpacked to memory, neither at
/// load nor later, so a form costs no memory but its bytes.
struct WeightStorage {
  std::string use;  // "products", "tables", "scales and zero points", ...
  std::string form; // "f32", "bf16", "8 bits", "3 bits, packed", "codes"
  std::string read; // "unpacked in registers by the product", "as they are"
  int64_t values = 0, bytes = 0;
};

} // namespace plmc

#endif // PLMC_CODEGEN_WEIGHTSTORAGE_H
