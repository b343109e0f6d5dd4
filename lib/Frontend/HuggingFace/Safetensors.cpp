//===- Safetensors.cpp - Reader of one .safetensors file ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Safetensors.h"
#include "../ONNX/Diagnostics.h"
#include "Json.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

/// The limit of the reference implementation.
static constexpr uint64_t maxHeaderBytes = 100'000'000;

/// Bytes of an element; 0 for a type that the format does not have.
static uint64_t elementBytes(StringRef dtype) {
  return StringSwitch<uint64_t>(dtype)
      .Cases({"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"}, 1)
      .Cases({"I16", "U16", "F16", "BF16"}, 2)
      .Cases({"I32", "U32", "F32"}, 4)
      .Cases({"I64", "U64", "F64", "C64"}, 8)
      .Default(0);
}

/// One entry of the header; offsets count from the end of the header.
static Expected<StoredTensor> readEntry(const Json &entry,
                                        ArrayRef<char> data) {
  const Json *dtype = member(entry, "dtype");
  const Json *shape = member(entry, "shape");
  const Json *offsets = member(entry, "data_offsets");
  if (!dtype || !dtype->is_string() || !shape || !shape->is_array() ||
      !offsets || !offsets->is_array() || offsets->size() != 2)
    return createStringError("has no dtype, shape and data_offsets");
  StoredTensor tensor;
  tensor.dtype = dtype->get<std::string>();
  uint64_t bytes = elementBytes(tensor.dtype);
  if (!bytes)
    return createStringError("has the unknown dtype '" +
                             printable(tensor.dtype, 40) + "'");
  if (shape->size() > 16)
    return createStringError("has more than 16 dimensions");
  for (const Json &size : *shape) {
    std::optional<int64_t> number = integerIn(size);
    if (!number || *number < 0)
      return createStringError("has a size in its shape that is no integer "
                               "of 0 or more");
    if (__builtin_mul_overflow(bytes, uint64_t(*number), &bytes))
      return createStringError("has an impossibly large shape");
    tensor.shape.push_back(*number);
  }
  std::optional<int64_t> begin = integerIn((*offsets)[0]);
  std::optional<int64_t> end = integerIn((*offsets)[1]);
  if (!begin || !end || *begin < 0 || *end < *begin)
    return createStringError("has no valid data_offsets");
  if (uint64_t(*end) > data.size())
    return createStringError("ends at byte " + Twine(*end) +
                             " of the data, of which there are " +
                             Twine(data.size()));
  if (uint64_t(*end - *begin) != bytes)
    return createStringError("is " + Twine(*end - *begin) +
                             " bytes long; its dtype and shape need " +
                             Twine(bytes));
  tensor.bytes = data.slice(*begin, *end - *begin);
  return tensor;
}

/// Sorted by place, the tensors must follow one another up to the end.
static Error checkCover(const StringMap<StoredTensor> &tensors,
                        ArrayRef<char> data) {
  std::vector<const StringMapEntry<StoredTensor> *> sorted;
  for (const auto &entry : tensors)
    sorted.push_back(&entry);
  llvm::sort(sorted, [](auto *a, auto *b) {
    auto key = [](auto *entry) {
      ArrayRef<char> bytes = entry->second.bytes;
      return std::make_tuple(bytes.begin(), bytes.end(), entry->first());
    };
    return key(a) < key(b);
  });
  const char *position = data.begin();
  for (auto *entry : sorted) {
    if (entry->second.bytes.begin() != position)
      return createStringError(
          "the data of tensor '" + printable(entry->first()) + "' " +
          (entry->second.bytes.begin() < position ? "overlaps another's"
                                                  : "follows a hole"));
    position = entry->second.bytes.end();
  }
  if (position != data.end())
    return createStringError(Twine(data.end() - position) +
                             " bytes at the end belong to no tensor");
  return Error::success();
}

Error SafetensorsFile::readHeader() {
  StringRef file = buffer->getBuffer();
  if (file.starts_with("version https://git-lfs"))
    return createStringError("this is a Git LFS pointer, not the weights; "
                             "fetch them with 'git lfs pull'");
  if (file.size() < 8)
    return createStringError("it ends before its header");
  uint64_t length = support::endian::read64le(file.data());
  if (length > maxHeaderBytes || length > file.size() - 8)
    return createStringError("its header would be " + Twine(length) +
                             " bytes long, the file has " + Twine(file.size()));
  Expected<Json> header = parseJson(file.substr(8, length));
  if (!header)
    return createStringError("its header: " + toString(header.takeError()));
  if (!header->is_object())
    return createStringError("its header is no JSON object");
  ArrayRef<char> data(file.data() + 8 + length, file.size() - 8 - length);
  for (const auto &[name, entry] : header->items()) {
    if (name == "__metadata__")
      continue;
    Expected<StoredTensor> tensor = readEntry(entry, data);
    if (!tensor)
      return createStringError("tensor '" + printable(name) + "' " +
                               toString(tensor.takeError()));
    tensors.try_emplace(name, std::move(*tensor));
  }
  return checkCover(tensors, data);
}

Expected<std::shared_ptr<const SafetensorsFile>>
SafetensorsFile::parse(SharedBuffer buffer, StringRef name) {
  auto file = std::make_shared<SafetensorsFile>();
  file->buffer = std::move(buffer);
  file->displayName = printable(name, 400);
  if (Error error = file->readHeader())
    return badModel(file->displayName + ": not a readable safetensors file: " +
                    toString(std::move(error)) + "; download it again");
  return std::shared_ptr<const SafetensorsFile>(std::move(file));
}

Expected<std::shared_ptr<const SafetensorsFile>>
SafetensorsFile::open(StringRef path) {
  Expected<SharedBuffer> buffer = mapFile(path);
  if (!buffer)
    return badModel(printable(path, 400) +
                    ": cannot read it: " + toString(buffer.takeError()));
  return parse(std::move(*buffer), path);
}

const StoredTensor *SafetensorsFile::find(StringRef name) const {
  auto it = tensors.find(name);
  return it == tensors.end() ? nullptr : &it->second;
}

} // namespace plmc::huggingface
