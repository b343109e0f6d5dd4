//===- NpyHeader.cpp - The header of a .npy array ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NpyHeader.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"
#include <limits>

using namespace plmc;
using namespace plmc::npy;
using llvm::createStringError;
using llvm::StringRef;

static constexpr StringRef magic("\x93NUMPY", 6);
static constexpr StringRef malformed = "its .npy header is malformed";

static const struct {
  StringRef descr; // without the byte order
  DType dtype;
} descriptors[] = {
    {"f4", DType::F32}, {"f8", DType::F64},  {"f2", DType::F16},
    {"i8", DType::I64}, {"i4", DType::I32},  {"i1", DType::I8},
    {"u1", DType::U8},  {"b1", DType::Bool},
};

llvm::Expected<std::pair<size_t, size_t>> npy::parsePreamble(StringRef bytes) {
  if (!bytes.starts_with(magic) || bytes.size() < 10)
    return createStringError("it is no .npy array");
  unsigned version = uint8_t(bytes[6]);
  size_t start, length;
  if (version == 1) {
    start = 10;
    length = llvm::support::endian::read16le(bytes.data() + 8);
  } else if (version == 2 || version == 3) {
    if (bytes.size() < 12)
      return createStringError(malformed);
    start = 12;
    length = llvm::support::endian::read32le(bytes.data() + 8);
  } else {
    return createStringError("its .npy format version is " +
                             llvm::Twine(version) + "; 1 to 3 are supported");
  }
  if (length > maxHeader)
    return createStringError("its .npy header has " + llvm::Twine(length) +
                             " bytes; at most " + llvm::Twine(maxHeader) +
                             " are supported");
  return std::make_pair(start, length);
}

namespace {
/// Reads the few forms of Python literal that a header holds.
struct Literals {
  StringRef text;

  bool consume(char c) {
    text = text.ltrim();
    return text.consume_front(StringRef(&c, 1));
  }
  std::optional<StringRef> string() {
    text = text.ltrim();
    if (text.empty() || (text[0] != '\'' && text[0] != '"'))
      return std::nullopt;
    size_t end = text.find(text[0], 1);
    if (end == StringRef::npos)
      return std::nullopt;
    StringRef result = text.slice(1, end);
    text = text.drop_front(end + 1);
    return result;
  }
  std::optional<bool> boolean() {
    text = text.ltrim();
    if (text.consume_front("True"))
      return true;
    if (text.consume_front("False"))
      return false;
    return std::nullopt;
  }
  std::optional<llvm::SmallVector<int64_t, 4>> tuple() {
    llvm::SmallVector<int64_t, 4> result;
    if (!consume('('))
      return std::nullopt;
    while (!consume(')')) {
      int64_t value;
      text = text.ltrim();
      if (text.consumeInteger(10, value) || value < 0 || result.size() == 64)
        return std::nullopt;
      text.consume_front("L"); // as Python 2 spelt it
      result.push_back(value);
      text = text.ltrim();
      if (!consume(',') && !text.starts_with(")"))
        return std::nullopt;
    }
    return result;
  }
};
} // namespace

static llvm::Expected<DType> parseDescr(StringRef descr) {
  char order = descr.empty() ? 0 : descr[0];
  StringRef type = descr.drop_front(descr.empty() ? 0 : 1);
  std::string shown;
  llvm::raw_string_ostream(shown).write_escaped(descr.take_front(32));
  if (order == '>')
    return createStringError("its data is big-endian ('" + shown +
                             "'); only little-endian is supported");
  if (order == '<' || order == '|' || order == '=')
    for (const auto &entry : descriptors)
      if (entry.descr == type)
        return entry.dtype;
  return createStringError(
      "its element type '" + shown +
      "' is not supported; use float16, float32, float64, int8, int32, int64, "
      "uint8 or bool");
}

llvm::Expected<Header> npy::parseDictionary(StringRef text) {
  Literals in{text};
  std::optional<StringRef> descr;
  std::optional<bool> fortran;
  std::optional<llvm::SmallVector<int64_t, 4>> shape;
  if (!in.consume('{'))
    return createStringError(malformed);
  while (!in.consume('}')) {
    std::optional<StringRef> key = in.string();
    if (!key || !in.consume(':'))
      return createStringError(malformed);
    bool ok = false;
    if (*key == "descr") {
      if (in.text.ltrim().starts_with("["))
        return createStringError(
            "it has records as elements, which is not supported");
      ok = (descr = in.string()).has_value();
    } else if (*key == "fortran_order") {
      ok = (fortran = in.boolean()).has_value();
    } else if (*key == "shape") {
      ok = (shape = in.tuple()).has_value();
    }
    if (!ok || (!in.consume(',') && !in.text.starts_with("}")))
      return createStringError(malformed);
  }
  if (!descr || !fortran || !shape)
    return createStringError(malformed);

  Header header;
  llvm::Expected<DType> dtype = parseDescr(*descr);
  if (!dtype)
    return dtype.takeError();
  header.dtype = *dtype;
  if (*fortran && shape->size() > 1)
    return createStringError("it is in Fortran order; save it in C order "
                             "(numpy.ascontiguousarray)");
  header.shape = *shape;

  // A zero hides nothing: (0, 2^62, 2^62) is refused like any other overflow.
  uint64_t bytes = dtypeSize(header.dtype);
  bool empty = false;
  for (int64_t dim : header.shape) {
    bool overflow = false;
    if (dim == 0)
      empty = true;
    else
      bytes = llvm::SaturatingMultiply(bytes, uint64_t(dim), &overflow);
    if (overflow || bytes > uint64_t(std::numeric_limits<int64_t>::max()))
      return createStringError("its shape needs more than 2^63 bytes");
  }
  header.dataBytes = empty ? 0 : bytes;
  return header;
}

std::string npy::makeHeader(DType dtype, llvm::ArrayRef<int64_t> shape) {
  StringRef descr;
  for (const auto &entry : descriptors)
    if (entry.dtype == dtype)
      descr = entry.descr;
  std::string dict;
  llvm::raw_string_ostream os(dict);
  os << "{'descr': '" << (dtypeSize(dtype) == 1 ? '|' : '<') << descr
     << "', 'fortran_order': False, 'shape': (";
  for (int64_t dim : shape)
    os << dim << ", ";
  // (3, ) is a tuple of one; (3, 4, ) is fine too, but not what NumPy writes.
  if (shape.size() > 1)
    dict.resize(dict.size() - 2);
  os << "), }";
  // The data starts at a multiple of 64; the padding ends in a newline.
  size_t length = llvm::alignTo(10 + dict.size() + 1, 64) - 10;
  dict.append(length - dict.size() - 1, ' ');
  dict += '\n';
  std::string header = magic.str();
  header += {'\1', '\0', char(length & 0xff), char(length >> 8)};
  return header + dict;
}
