//===- HostTensorTest.cpp - Tensors in host memory ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace plmc;

namespace {

const DType allDTypes[] = {DType::F32, DType::F64,  DType::I32,
                           DType::I64, DType::Bool, DType::U8,
                           DType::I8,  DType::F16,  DType::BF16};

TEST(HostTensor, SizesNamesAndTypes) {
  mlir::MLIRContext context;
  std::set<std::string> names;
  for (DType dtype : allDTypes) {
    names.insert(dtypeName(dtype).str());
    mlir::Type type = dtypeToMLIR(dtype, &context);
    EXPECT_EQ(dtypeFromMLIR(type), dtype) << dtypeName(dtype).str();
    EXPECT_EQ(isFloat(dtype), llvm::isa<mlir::FloatType>(type));
    if (dtype != DType::Bool) {
      EXPECT_EQ(dtypeSize(dtype) * 8, type.getIntOrFloatBitWidth());
    }
  }
  EXPECT_EQ(names.size(), 9u);
  EXPECT_EQ(dtypeSize(DType::Bool), 1u);
  EXPECT_EQ(dtypeFromMLIR(mlir::IntegerType::get(&context, 16)), std::nullopt);
  EXPECT_EQ(dtypeFromMLIR(mlir::IndexType::get(&context)), std::nullopt);
}

TEST(HostTensor, ShapeAndZeros) {
  HostTensor tensor(DType::I32, {2, 3});
  EXPECT_EQ(tensor.rank(), 2);
  EXPECT_EQ(tensor.numElements(), 6);
  EXPECT_EQ(tensor.data.size(), 24u);
  EXPECT_EQ(tensor.getInt(5), 0);
  EXPECT_EQ(HostTensor(DType::F32, {}).numElements(), 1);
  EXPECT_EQ(HostTensor(DType::F32, {0, 4}).data.size(), 0u);
}

TEST(HostTensor, StoresAndConverts) {
  for (DType dtype : allDTypes) {
    HostTensor tensor(dtype, {2});
    tensor.setInt(1, 1);
    EXPECT_EQ(tensor.getInt(0), 0) << dtypeName(dtype).str();
    EXPECT_EQ(tensor.getInt(1), 1) << dtypeName(dtype).str();
    EXPECT_EQ(tensor.getDouble(1), 1.0) << dtypeName(dtype).str();
    tensor.setDouble(0, 1.0);
    EXPECT_EQ(tensor.getDouble(0), 1.0) << dtypeName(dtype).str();
  }
  HostTensor ints(DType::I64, {1});
  ints.setDouble(0, -2.9);
  EXPECT_EQ(ints.getInt(0), -2);
  ints.setDouble(0, 1e30);
  EXPECT_EQ(ints.getInt(0), std::numeric_limits<int64_t>::max());
  ints.setDouble(0, -1e30);
  EXPECT_EQ(ints.getInt(0), std::numeric_limits<int64_t>::min());
  ints.setDouble(0, std::nan(""));
  EXPECT_EQ(ints.getInt(0), 0);
  HostTensor flag(DType::Bool, {1});
  flag.setDouble(0, 0.25);
  EXPECT_EQ(flag.getInt(0), 1);
  HostTensor byte(DType::U8, {1});
  byte.setInt(0, 200);
  EXPECT_EQ(byte.getInt(0), 200);
  HostTensor real(DType::F64, {1});
  real.setDouble(0, -7.5);
  EXPECT_EQ(real.getInt(0), -7);
}

uint16_t reference(double value, const llvm::fltSemantics &semantics) {
  llvm::APFloat converted(value);
  bool losesInfo;
  converted.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &losesInfo);
  return uint16_t(converted.bitcastToAPInt().getZExtValue());
}

// Every value that the two formats have, and the points between them where
// rounding decides.
void compareWithAPFloat(DType dtype, const llvm::fltSemantics &semantics) {
  HostTensor tensor(dtype, {1});
  uint16_t &bits = *tensor.as<uint16_t>();
  int mismatches = 0;
  for (unsigned i = 0; i <= 0xffff && mismatches < 5; ++i) {
    bits = uint16_t(i);
    llvm::APFloat exact(semantics, llvm::APInt(16, i));
    double value = tensor.getDouble(0);
    bool losesInfo;
    exact.convert(llvm::APFloat::IEEEdouble(),
                  llvm::APFloat::rmNearestTiesToEven, &losesInfo);
    if (exact.isNaN()) {
      mismatches += !std::isnan(value);
      tensor.setDouble(0, value);
      mismatches += !std::isnan(tensor.getDouble(0));
      continue;
    }
    mismatches += value != exact.convertToDouble() ||
                  std::signbit(value) != exact.isNegative();
    tensor.setDouble(0, value);
    mismatches += bits != i;
    if (exact.isInfinity())
      continue;
    bits = uint16_t(i + 1);
    double next = tensor.getDouble(0);
    if (!std::isfinite(next)) // the largest value's neighbour, if it had one
      next = value + (value - [&] {
               bits = uint16_t(i - 1);
               return tensor.getDouble(0);
             }());
    double middle = value + (next - value) / 2;
    for (double probe : {middle, std::nextafter(middle, value),
                         std::nextafter(middle, next)}) {
      tensor.setDouble(0, probe);
      mismatches += bits != reference(probe, semantics);
    }
  }
  for (double probe :
       {1e-300, -1e-300, 1e300, -1e300, 5e-324, 1e39, 65520.0, 65519.999,
        2.9802322387695312e-08, 2.9802322387695313e-08 * 1.0000001}) {
    tensor.setDouble(0, probe);
    EXPECT_EQ(bits, reference(probe, semantics)) << probe;
  }
  EXPECT_EQ(mismatches, 0);
}

TEST(HostTensor, F16MatchesAPFloat) {
  compareWithAPFloat(DType::F16, llvm::APFloat::IEEEhalf());
}

TEST(HostTensor, BF16MatchesAPFloat) {
  compareWithAPFloat(DType::BF16, llvm::APFloat::BFloat());
}

} // namespace
