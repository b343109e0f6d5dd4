//===- TensorReader.cpp - Values of tensor messages -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// ONNX stores a tensor in one of four ways: raw bytes, typed repeated fields
// (narrow types widened to int32), a range of another file, or nothing at all
// when it has no elements. All become a Literal; raw bytes are not copied.
//
// INT4 and UINT4, two a byte, are unpacked to bytes.
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "ModelFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cstring>

using namespace llvm;

namespace plmc::importer {

std::optional<DType> dtypeFromONNX(int32_t type) {
  switch (type) {
  case onnx::TensorProto::FLOAT:
    return DType::F32;
  case onnx::TensorProto::DOUBLE:
    return DType::F64;
  case onnx::TensorProto::INT32:
    return DType::I32;
  case onnx::TensorProto::INT64:
    return DType::I64;
  case onnx::TensorProto::BOOL:
    return DType::Bool;
  case onnx::TensorProto::UINT8:
    return DType::U8;
  case onnx::TensorProto::INT8:
    return DType::I8;
  case onnx::TensorProto::FLOAT16:
    return DType::F16;
  case onnx::TensorProto::BFLOAT16:
    return DType::BF16;
  default:
    return std::nullopt;
  }
}

std::string onnxTypeName(int32_t type) {
  // The lite runtime has no names of enumerators to ask for.
  static const char *const names[] = {
      "UNDEFINED",      "FLOAT",      "UINT8",
      "INT8",           "UINT16",     "INT16",
      "INT32",          "INT64",      "STRING",
      "BOOL",           "FLOAT16",    "DOUBLE",
      "UINT32",         "UINT64",     "COMPLEX64",
      "COMPLEX128",     "BFLOAT16",   "FLOAT8E4M3FN",
      "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
      "UINT4",          "INT4",       "FLOAT4E2M1",
      "FLOAT8E8M0",     "UINT2",      "INT2"};
  if (type >= 0 && size_t(type) < std::size(names))
    return names[type];
  return "type " + std::to_string(type);
}

/// Elements of a repeated field of wider integers, narrowed.
template <typename To, typename Field>
static bool copyField(const Field &field, int64_t count, HostTensor &out) {
  if (field.size() != count)
    return false;
  for (int64_t i = 0; i < count; ++i) {
    To value = static_cast<To>(field.Get(i));
    std::memcpy(out.data.data() + i * sizeof(To), &value, sizeof(To));
  }
  return true;
}

static bool copyTyped(const onnx::TensorProto &tensor, HostTensor &out,
                      int64_t count) {
  switch (out.dtype) {
  case DType::F32:
    return copyField<float>(tensor.float_data(), count, out);
  case DType::F64:
    return copyField<double>(tensor.double_data(), count, out);
  case DType::I64:
    return copyField<int64_t>(tensor.int64_data(), count, out);
  case DType::I32:
    return copyField<int32_t>(tensor.int32_data(), count, out);
  case DType::F16:
  case DType::BF16:
    return copyField<uint16_t>(tensor.int32_data(), count, out);
  case DType::I8:
  case DType::U8:
  case DType::Bool:
    return copyField<uint8_t>(tensor.int32_data(), count, out);
  }
  return false;
}

/// The dtype that holds the values of INT4 or UINT4.
static std::optional<DType> dtypeOfHalfBytes(int32_t type) {
  if (type == onnx::TensorProto::INT4)
    return DType::I8;
  if (type == onnx::TensorProto::UINT4)
    return DType::U8;
  return std::nullopt;
}

/// `packed` has the first of two numbers in the low half.
static HostTensor unpackHalfBytes(DType dtype, ArrayRef<int64_t> shape,
                                  ArrayRef<char> packed) {
  HostTensor host(dtype, shape);
  for (size_t i = 0; i < host.data.size(); ++i) {
    unsigned half =
        (static_cast<unsigned char>(packed[i / 2]) >> i % 2 * 4) & 15;
    host.data[i] = char(dtype == DType::I8 && half > 7 ? int(half) - 16 : half);
  }
  return host;
}

Error ModelFile::readExternal(const onnx::TensorProto &tensor, size_t bytes,
                              Literal &literal) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    uint64_t value;
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset" || entry.key() == "length") {
      if (StringRef(entry.value()).getAsInteger(10, value))
        return createStringError("the external " + entry.key() +
                                 " is not a number");
      if (entry.key() == "offset")
        offset = value;
      else
        length = value;
    }
  }
  Expected<SharedBuffer> data = external.open(location);
  if (!data)
    return data.takeError();
  if (length && *length != bytes)
    return createStringError("its external data has " + Twine(*length) +
                             " bytes, its dimensions need " + Twine(bytes));
  size_t size = (*data)->getBufferSize();
  if (offset > size || bytes > size - offset)
    return createStringError(
        "data file '" + printable(location) + "' has " + Twine(size) +
        " bytes, the tensor needs " + Twine(bytes) + " at offset " +
        Twine(offset) + "; the file is truncated or belongs to another model");
  literal.bytes = ArrayRef<char>((*data)->getBufferStart() + offset, bytes);
  literal.owner = *data;
  return Error::success();
}

Expected<LiteralPtr> ModelFile::read(const onnx::TensorProto &tensor) {
  std::string what = "tensor '" + printable(tensor.name()) + "': ";
  auto refuse = [&](const Twine &message) { return badModel(what + message); };

  std::optional<DType> dtype = dtypeFromONNX(tensor.data_type());
  bool halfBytes = !dtype;
  if (halfBytes)
    dtype = dtypeOfHalfBytes(tensor.data_type());
  if (!dtype)
    return unsupported(what + "element type " +
                       onnxTypeName(tensor.data_type()) + " is not supported");
  if (tensor.has_segment())
    return unsupported(what + "is stored in segments, which is not supported");
  auto literal = std::make_shared<Literal>();
  literal->dtype = *dtype;
  literal->name = tensor.name();
  if (tensor.dims_size() > 64)
    return refuse("has " + Twine(tensor.dims_size()) + " dimensions");
  int64_t count = 1;
  for (int64_t dim : tensor.dims()) {
    if (dim < 0)
      return refuse("has the negative dimension " + Twine(dim));
    literal->shape.push_back(dim);
  }
  int64_t bytes = dtypeSize(*dtype);
  for (int64_t dim : literal->shape)
    if (__builtin_mul_overflow(count, dim, &count) ||
        __builtin_mul_overflow(bytes, dim, &bytes))
      return refuse("has more elements than can be counted");
  if (halfBytes)
    bytes = count / 2 + count % 2;

  if (tensor.data_location() == onnx::TensorProto::EXTERNAL) {
    if (Error error = readExternal(tensor, bytes, *literal))
      return refuse(toString(std::move(error)));
  } else if (tensor.has_raw_data()) {
    // extractSkeleton put the index of the range here.
    size_t index;
    if (StringRef(tensor.raw_data()).getAsInteger(10, index) ||
        index >= ranges.size())
      return refuse("has no data");
    literal->bytes = ranges[index];
    literal->owner = buffer;
    if (literal->bytes.size() != size_t(bytes))
      return refuse("has " + Twine(literal->bytes.size()) +
                    " bytes of data, its dimensions need " + Twine(bytes));
  } else {
    // Compare with the field's length before allocating what the dims claim.
    int64_t stored =
        std::max({tensor.float_data_size(), tensor.double_data_size(),
                  tensor.int64_data_size(), tensor.int32_data_size()});
    HostTensor host;
    host.dtype = *dtype;
    host.shape = literal->shape;
    int64_t needed = halfBytes ? bytes : count; // of typed data
    if (stored == needed)
      host.data.resize(bytes);
    if (stored != needed || !copyTyped(tensor, host, needed))
      return refuse("stores " + Twine(stored) +
                    " values, its dimensions need " + Twine(needed));
    if (halfBytes)
      host = unpackHalfBytes(*dtype, literal->shape, host.data);
    return makeLiteral(std::move(host), tensor.name());
  }
  if (halfBytes)
    return makeLiteral(unpackHalfBytes(*dtype, literal->shape, literal->bytes),
                       tensor.name());
  if (*dtype == DType::Bool &&
      llvm::any_of(literal->bytes, [](char c) { return (c & ~1) != 0; })) {
    HostTensor host = literal->toHost();
    for (char &c : host.data)
      c = c != 0;
    return makeLiteral(std::move(host), tensor.name());
  }
  return literal;
}

Expected<LiteralPtr> ModelFile::literal(const onnx::TensorProto &tensor) {
  auto known = literals.find(&tensor);
  if (known != literals.end())
    return known->second;
  Expected<LiteralPtr> result = read(tensor);
  if (result)
    literals[&tensor] = *result;
  return result;
}

} // namespace plmc::importer
