//===- HostTensor.cpp - A tensor in host memory -----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/bit.h"
#include "llvm/Support/ErrorHandling.h"
#include <cmath>
#include <limits>

using namespace plmc;

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

size_t plmc::dtypeSize(DType dtype) {
  switch (dtype) {
  case DType::F64:
  case DType::I64:
    return 8;
  case DType::F32:
  case DType::I32:
    return 4;
  case DType::F16:
  case DType::BF16:
    return 2;
  case DType::Bool:
  case DType::U8:
  case DType::I8:
    return 1;
  }
  llvm_unreachable("not a dtype");
}

llvm::StringRef plmc::dtypeName(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return "f32";
  case DType::F64:
    return "f64";
  case DType::I32:
    return "i32";
  case DType::I64:
    return "i64";
  case DType::Bool:
    return "bool";
  case DType::U8:
    return "u8";
  case DType::I8:
    return "i8";
  case DType::F16:
    return "f16";
  case DType::BF16:
    return "bf16";
  }
  llvm_unreachable("not a dtype");
}

mlir::Type plmc::dtypeToMLIR(DType dtype, mlir::MLIRContext *context) {
  switch (dtype) {
  case DType::F32:
    return mlir::Float32Type::get(context);
  case DType::F64:
    return mlir::Float64Type::get(context);
  case DType::F16:
    return mlir::Float16Type::get(context);
  case DType::BF16:
    return mlir::BFloat16Type::get(context);
  case DType::I64:
    return mlir::IntegerType::get(context, 64);
  case DType::I32:
    return mlir::IntegerType::get(context, 32);
  case DType::I8:
    return mlir::IntegerType::get(context, 8);
  case DType::U8:
    return mlir::IntegerType::get(context, 8, mlir::IntegerType::Unsigned);
  case DType::Bool:
    return mlir::IntegerType::get(context, 1);
  }
  llvm_unreachable("not a dtype");
}

std::optional<DType> plmc::dtypeFromMLIR(mlir::Type type) {
  if (type.isF32())
    return DType::F32;
  if (type.isF64())
    return DType::F64;
  if (type.isF16())
    return DType::F16;
  if (type.isBF16())
    return DType::BF16;
  if (type.isUnsignedInteger(8))
    return DType::U8;
  if (!type.isSignlessInteger())
    return std::nullopt;
  switch (type.getIntOrFloatBitWidth()) {
  case 64:
    return DType::I64;
  case 32:
    return DType::I32;
  case 8:
    return DType::I8;
  case 1:
    return DType::Bool;
  default:
    return std::nullopt;
  }
}

bool plmc::isFloat(DType dtype) {
  return dtype == DType::F32 || dtype == DType::F64 || dtype == DType::F16 ||
         dtype == DType::BF16;
}

//===----------------------------------------------------------------------===//
// Half precision
//===----------------------------------------------------------------------===//
//
// Written out on the bits of a double: APFloat takes 50 times as long, which
// shows on a model's worth of weights, and going through float would round
// twice.
//
//===----------------------------------------------------------------------===//

namespace {
/// A 16-bit format with this many bits of exponent and of mantissa.
template <int exponentBits, int mantissaBits> struct Half {
  static constexpr int bias = (1 << (exponentBits - 1)) - 1;
  static constexpr int minExponent = 1 - bias;
  static constexpr unsigned infinity = ((1u << exponentBits) - 1)
                                       << mantissaBits;
  static constexpr uint64_t implicitBit = uint64_t(1) << 52;

  /// Rounds to nearest, ties to even.
  static uint16_t encode(double value) {
    uint64_t bits = llvm::bit_cast<uint64_t>(value);
    unsigned sign = unsigned(bits >> 63) << 15;
    int exponent = int(bits >> 52 & 0x7ff) - 1023;
    uint64_t mantissa = bits & (implicitBit - 1);
    if (exponent == 1024) {
      if (!mantissa)
        return sign | infinity;
      return sign | infinity | 1u << (mantissaBits - 1);
    }
    // Below half of the smallest subnormal (this takes in the double's own).
    if (exponent < minExponent - mantissaBits - 1)
      return sign;
    int shift = 52 - mantissaBits;
    unsigned base = 0;
    if (exponent < minExponent)
      shift += minExponent - exponent;
    else
      base = unsigned(exponent - minExponent) << mantissaBits;
    mantissa |= implicitBit;
    uint64_t rounded = mantissa >> shift;
    uint64_t rest = mantissa & ((uint64_t(1) << shift) - 1);
    uint64_t half = uint64_t(1) << (shift - 1);
    if (rest > half || (rest == half && (rounded & 1)))
      ++rounded;
    // The implicit bit and a carry out of the mantissa both add one to the
    // exponent, which is what they mean.
    uint64_t result = base + rounded;
    if (exponent > bias || result > infinity)
      result = infinity;
    return sign | unsigned(result);
  }

  static double decode(uint16_t bits) {
    uint64_t sign = uint64_t(bits >> 15) << 63;
    unsigned exponent = bits >> mantissaBits & ((1 << exponentBits) - 1);
    uint64_t mantissa = bits & ((1u << mantissaBits) - 1);
    if (exponent == 0) {
      double magnitude =
          std::ldexp(double(mantissa), minExponent - mantissaBits);
      return sign ? -magnitude : magnitude;
    }
    uint64_t wide = exponent == (1u << exponentBits) - 1
                        ? 0x7ff
                        : uint64_t(int(exponent) - bias + 1023);
    return llvm::bit_cast<double>(sign | wide << 52 |
                                  mantissa << (52 - mantissaBits));
  }
};
using F16 = Half<5, 10>;
using BF16 = Half<8, 7>;

/// Truncates; out of range saturates and NaN gives 0, where a cast would be
/// undefined.
int64_t truncateToInt(double value) {
  if (std::isnan(value))
    return 0;
  if (value >= 9223372036854775808.0)
    return std::numeric_limits<int64_t>::max();
  if (value < -9223372036854775808.0)
    return std::numeric_limits<int64_t>::min();
  return int64_t(value);
}
} // namespace

//===----------------------------------------------------------------------===//
// HostTensor
//===----------------------------------------------------------------------===//

HostTensor::HostTensor(DType dtype, llvm::ArrayRef<int64_t> shape)
    : dtype(dtype), shape(shape.begin(), shape.end()) {
  data.resize(numElements() * dtypeSize(dtype));
}

int64_t HostTensor::numElements() const {
  int64_t count = 1;
  for (int64_t dim : shape)
    count *= dim;
  return count;
}

double HostTensor::getDouble(int64_t index) const {
  switch (dtype) {
  case DType::F32:
    return as<float>()[index];
  case DType::F64:
    return as<double>()[index];
  case DType::F16:
    return F16::decode(as<uint16_t>()[index]);
  case DType::BF16:
    return BF16::decode(as<uint16_t>()[index]);
  default:
    return double(getInt(index));
  }
}

int64_t HostTensor::getInt(int64_t index) const {
  switch (dtype) {
  case DType::I64:
    return as<int64_t>()[index];
  case DType::I32:
    return as<int32_t>()[index];
  case DType::Bool:
    return as<uint8_t>()[index] != 0;
  case DType::U8:
    return as<uint8_t>()[index];
  case DType::I8:
    return as<int8_t>()[index];
  default:
    return truncateToInt(getDouble(index));
  }
}

void HostTensor::setDouble(int64_t index, double value) {
  switch (dtype) {
  case DType::F32:
    as<float>()[index] = float(value);
    return;
  case DType::F64:
    as<double>()[index] = value;
    return;
  case DType::F16:
    as<uint16_t>()[index] = F16::encode(value);
    return;
  case DType::BF16:
    as<uint16_t>()[index] = BF16::encode(value);
    return;
  case DType::Bool:
    as<uint8_t>()[index] = value != 0; // 0.5 is true, so not by way of an int
    return;
  default:
    setInt(index, truncateToInt(value));
  }
}

void HostTensor::setInt(int64_t index, int64_t value) {
  switch (dtype) {
  case DType::I64:
    as<int64_t>()[index] = value;
    return;
  case DType::I32:
    as<int32_t>()[index] = int32_t(value);
    return;
  case DType::Bool:
    as<uint8_t>()[index] = value != 0;
    return;
  case DType::U8:
    as<uint8_t>()[index] = uint8_t(value);
    return;
  case DType::I8:
    as<int8_t>()[index] = int8_t(value);
    return;
  default:
    setDouble(index, double(value));
  }
}
