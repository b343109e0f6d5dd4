//===- Tensors.cpp - Conversion and movement of elements ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensors.h"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

using llvm::ArrayRef;
using llvm::Error;
using llvm::SmallVector;
using llvm::Twine;

namespace plmc::interp {

std::string shapeString(ArrayRef<int64_t> shape) {
  std::string text = "[";
  for (auto [index, size] : llvm::enumerate(shape))
    text += (index ? ", " : "") + std::to_string(size);
  return text + "]";
}

int64_t countElements(ArrayRef<int64_t> shape) {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

Error checkSize(DType dtype, ArrayRef<int64_t> shape, const Twine &what) {
  constexpr int64_t limit = int64_t(16) << 30;
  int64_t bytes = dtypeSize(dtype);
  for (int64_t size : shape) {
    if (size < 0)
      return llvm::createStringError(what + " would have shape " +
                                     shapeString(shape) +
                                     ": a size is negative");
    // A size of 0 counts as 1, so that strides of empty tensors fit too.
    size = std::max<int64_t>(size, 1);
    if (size > limit / bytes)
      return llvm::createStringError(what + " would have shape " +
                                     shapeString(shape) + ", over 16 GiB");
    bytes *= size;
  }
  return Error::success();
}

Error checkTensor(const HostTensor &tensor, mlir::Type type,
                  const Twine &what) {
  auto tensorType = mlir::dyn_cast<mlir::RankedTensorType>(type);
  std::optional<DType> dtype =
      tensorType ? dtypeFromMLIR(tensorType.getElementType()) : std::nullopt;
  if (!dtype)
    return llvm::createStringError(
        what + " is not a tensor of a supported element type");
  if (tensor.dtype != *dtype)
    return llvm::createStringError(what + " has element type " +
                                   dtypeName(tensor.dtype) + ", expected " +
                                   dtypeName(*dtype));
  if (tensor.rank() != tensorType.getRank())
    return llvm::createStringError(what + " has rank " + Twine(tensor.rank()) +
                                   ", expected " + Twine(tensorType.getRank()));
  for (auto [index, size] : llvm::enumerate(tensor.shape)) {
    if (!tensorType.isDynamicDim(index) && size != tensorType.getDimSize(index))
      return llvm::createStringError(what + " has shape " +
                                     shapeString(tensor.shape) + ": size " +
                                     Twine(tensorType.getDimSize(index)) +
                                     " expected in dimension " + Twine(index));
  }
  if (Error err = checkSize(tensor.dtype, tensor.shape, what))
    return err;
  size_t bytes = countElements(tensor.shape) * dtypeSize(tensor.dtype);
  if (tensor.data.size() != bytes)
    return llvm::createStringError(
        what + " holds " + Twine(tensor.data.size()) + " bytes, its shape " +
        shapeString(tensor.shape) + " needs " + Twine(bytes));
  return Error::success();
}

int64_t minInt(DType dtype) {
  switch (dtype) {
  case DType::I64:
    return std::numeric_limits<int64_t>::min();
  case DType::I32:
    return std::numeric_limits<int32_t>::min();
  case DType::I8:
    return std::numeric_limits<int8_t>::min();
  default:
    return 0;
  }
}

int64_t maxInt(DType dtype) {
  switch (dtype) {
  case DType::I32:
    return std::numeric_limits<int32_t>::max();
  case DType::I8:
    return std::numeric_limits<int8_t>::max();
  case DType::U8:
    return std::numeric_limits<uint8_t>::max();
  case DType::Bool:
    return 1;
  default:
    return std::numeric_limits<int64_t>::max();
  }
}

int64_t doubleToInt(double value, DType dtype) {
  if (std::isnan(value))
    return 0;
  // As doubles the bounds of I64 are -2^63 and 2^63; the latter is out.
  int64_t least = minInt(dtype), greatest = maxInt(dtype);
  if (value <= static_cast<double>(least))
    return least;
  if (value >= static_cast<double>(greatest))
    return greatest;
  return static_cast<int64_t>(value);
}

std::vector<double> toDoubles(const HostTensor &tensor) {
  int64_t count = tensor.numElements();
  std::vector<double> values(count);
  if (tensor.dtype == DType::F32) {
    const float *data = tensor.as<float>();
    for (int64_t i = 0; i < count; ++i)
      values[i] = data[i];
  } else {
    for (int64_t i = 0; i < count; ++i)
      values[i] = tensor.getDouble(i);
  }
  return values;
}

std::vector<int64_t> toInts(const HostTensor &tensor) {
  int64_t count = tensor.numElements();
  std::vector<int64_t> values(count);
  bool floats = isFloat(tensor.dtype);
  for (int64_t i = 0; i < count; ++i)
    values[i] = floats ? doubleToInt(tensor.getDouble(i), DType::I64)
                       : tensor.getInt(i);
  return values;
}

void storeDoubles(HostTensor &tensor, int64_t offset, const double *values,
                  int64_t count) {
  if (tensor.dtype == DType::F32) {
    float *data = tensor.as<float>() + offset;
    for (int64_t i = 0; i < count; ++i)
      data[i] = static_cast<float>(values[i]);
  } else if (tensor.dtype == DType::Bool) {
    uint8_t *data = tensor.as<uint8_t>() + offset;
    for (int64_t i = 0; i < count; ++i)
      data[i] = values[i] != 0;
  } else {
    bool floats = isFloat(tensor.dtype);
    for (int64_t i = 0; i < count; ++i) {
      if (floats)
        tensor.setDouble(offset + i, values[i]);
      else
        tensor.setInt(offset + i, doubleToInt(values[i], tensor.dtype));
    }
  }
}

void storeInts(HostTensor &tensor, int64_t offset, const int64_t *values,
               int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    int64_t value = values[i];
    switch (tensor.dtype) {
    case DType::F32: // directly: by way of double it would round twice
      tensor.as<float>()[offset + i] = static_cast<float>(value);
      break;
    case DType::I64:
      tensor.as<int64_t>()[offset + i] = value;
      break;
    case DType::I32:
      tensor.as<int32_t>()[offset + i] = static_cast<int32_t>(value);
      break;
    case DType::I8:
    case DType::U8:
      tensor.as<uint8_t>()[offset + i] = static_cast<uint8_t>(value);
      break;
    case DType::Bool:
      tensor.as<uint8_t>()[offset + i] = value != 0;
      break;
    default:
      tensor.setDouble(offset + i, static_cast<double>(value));
      break;
    }
  }
}

SmallVector<int64_t, 4> stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t, 4> strides(shape.size());
  int64_t stride = 1;
  for (int64_t dim = shape.size(); dim-- > 0;) {
    strides[dim] = stride;
    stride *= shape[dim];
  }
  return strides;
}

std::optional<SmallVector<int64_t, 4>>
broadcastStrides(ArrayRef<int64_t> shape, ArrayRef<int64_t> target) {
  if (shape.size() > target.size())
    return std::nullopt;
  SmallVector<int64_t, 4> strides(target.size(), 0);
  SmallVector<int64_t, 4> own = stridesOf(shape);
  size_t lead = target.size() - shape.size();
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    if (shape[dim] == target[lead + dim])
      strides[lead + dim] = own[dim];
    else if (shape[dim] != 1)
      return std::nullopt;
  }
  return strides;
}

template <typename T>
static void copyStridedAs(HostTensor &result, const HostTensor &input,
                          ArrayRef<int64_t> strides, int64_t offset) {
  T *out = result.as<T>();
  const T *in = input.as<T>();
  forEachOffset(result.shape, strides, offset,
                [&](int64_t index) { *out++ = in[index]; });
}

void copyStrided(HostTensor &result, const HostTensor &input,
                 ArrayRef<int64_t> strides, int64_t offset) {
  switch (dtypeSize(result.dtype)) {
  case 1:
    return copyStridedAs<uint8_t>(result, input, strides, offset);
  case 2:
    return copyStridedAs<uint16_t>(result, input, strides, offset);
  case 4:
    return copyStridedAs<uint32_t>(result, input, strides, offset);
  default:
    return copyStridedAs<uint64_t>(result, input, strides, offset);
  }
}

} // namespace plmc::interp
