//===- HostTensor.h - A tensor in host memory -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_SUPPORT_HOSTTENSOR_H
#define PLMC_SUPPORT_HOSTTENSOR_H

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include <cstdint>
#include <optional>
#include <vector>

namespace plmc {

/// Element types; the values are those of plm_dtype in plm/model.h.
enum class DType : int32_t {
  F32 = 1,
  F64 = 2,
  I32 = 3,
  I64 = 4,
  Bool = 5,
  U8 = 6,
  I8 = 7,
  F16 = 8,
  BF16 = 9
};

/// Bytes of one element.
size_t dtypeSize(DType dtype);
/// "f32", "i64", "bool", ...
llvm::StringRef dtypeName(DType dtype);
/// f32, f64, f16, bf16, i64, i32, i8, ui8, i1.
mlir::Type dtypeToMLIR(DType dtype, mlir::MLIRContext *context);
std::optional<DType> dtypeFromMLIR(mlir::Type type);
bool isFloat(DType dtype);

/// A dense, row-major tensor that owns its bytes. Bool is one byte an element.
struct HostTensor {
  DType dtype = DType::F32;
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<char> data;

  HostTensor() = default;
  HostTensor(const HostTensor &) = default;
  HostTensor &operator=(const HostTensor &) = default;
  // Said to be noexcept, which SmallVector's are not: else a vector that grows
  // copies all tensors that it has.
  HostTensor(HostTensor &&) noexcept = default;
  HostTensor &operator=(HostTensor &&) noexcept = default;
  /// Zero-filled.
  HostTensor(DType dtype, llvm::ArrayRef<int64_t> shape);

  int64_t rank() const { return shape.size(); }
  int64_t numElements() const;

  /// Typed view; T must be the C++ type of dtype (Bool: uint8_t, F16 and BF16:
  /// uint16_t).
  template <typename T> T *as() { return reinterpret_cast<T *>(data.data()); }
  template <typename T> const T *as() const {
    return reinterpret_cast<const T *>(data.data());
  }

  /// Element as double / int64_t, converted from any dtype.
  double getDouble(int64_t index) const;
  int64_t getInt(int64_t index) const;
  /// Stores with rounding (floats) or truncation (integers); Bool: != 0.
  void setDouble(int64_t index, double value);
  void setInt(int64_t index, int64_t value);
};

} // namespace plmc

#endif // PLMC_SUPPORT_HOSTTENSOR_H
