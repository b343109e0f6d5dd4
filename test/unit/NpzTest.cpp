//===- NpzTest.cpp - NumPy archives ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/Npz.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Compression.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include <fstream>
#include <gtest/gtest.h>

using namespace plmc;

namespace {

std::string tmp(const std::string &name) {
  return std::string(PLMC_TEST_TMP) + "/" + name;
}

std::string writeFile(const std::string &name, llvm::StringRef bytes) {
  std::string path = tmp(name);
  std::ofstream(path, std::ios::binary).write(bytes.data(), bytes.size());
  return path;
}

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : std::string();
}

std::string errorOf(const std::string &path) {
  auto result = readNpz(path);
  return result ? "no error" : llvm::toString(result.takeError());
}

HostTensor counting(DType dtype, llvm::ArrayRef<int64_t> shape) {
  HostTensor tensor(dtype, shape);
  for (int64_t i = 0; i < tensor.numElements(); ++i)
    tensor.setInt(i, dtype == DType::Bool ? i % 2 : i);
  return tensor;
}

uint32_t crc32(llvm::StringRef bytes) {
  uint32_t crc = ~0u;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

void put(std::string &to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    to += char(value >> (8 * i));
}

/// A zip archive with one stored entry, written byte by byte, so that it can
/// be as wrong as a test wants.
std::string makeZip(llvm::StringRef name, llvm::StringRef data,
                    std::optional<uint32_t> claimedSize = {},
                    uint16_t method = 0, std::optional<uint32_t> crc = {}) {
  uint32_t size = claimedSize.value_or(data.size());
  std::string common;
  put(common, 20, 2);
  put(common, 0, 2);
  put(common, method, 2);
  put(common, 0x210000, 4);
  put(common, crc.value_or(crc32(data)), 4);
  put(common, data.size(), 4);
  put(common, size, 4);
  put(common, name.size(), 2);
  put(common, 0, 2);
  std::string local = "PK\3\4" + common + name.str() + data.str();
  std::string central = "PK\1\2";
  put(central, 20, 2);
  central += common;
  put(central, 0, 2);
  put(central, 0, 2);
  put(central, 0, 2);
  put(central, 0, 4);
  put(central, 0, 4);
  central += name;
  std::string end = "PK\5\6";
  put(end, 0, 4);
  put(end, 1, 2);
  put(end, 1, 2);
  put(end, central.size(), 4);
  put(end, local.size(), 4);
  put(end, 0, 2);
  return local + central + end;
}

std::string makeNpy(const std::string &dictionary, const std::string &data,
                    int version = 1) {
  std::string npy = "\x93NUMPY";
  npy += char(version);
  npy += '\0';
  put(npy, dictionary.size(), version == 1 ? 2 : 4);
  return npy + dictionary + data;
}

/// The error for an archive whose only array, "a", has these bytes.
std::string errorOfArray(llvm::StringRef npy) {
  return errorOf(writeFile("array.npz", makeZip("a.npy", npy)));
}

TEST(Npz, RoundTrip) {
  NamedTensors tensors;
  for (DType dtype : {DType::F32, DType::F64, DType::F16, DType::I64,
                      DType::I32, DType::I8, DType::U8, DType::Bool})
    tensors["case0/in/" + dtypeName(dtype).str()] = counting(dtype, {2, 3});
  tensors["scalar"] = counting(DType::F32, {});
  tensors["one"] = counting(DType::F32, {5});
  tensors["empty"] = counting(DType::F32, {0, 3});
  tensors["five"] = counting(DType::I64, {1, 2, 1, 3, 2});
  std::string path = tmp("round-trip.npz");
  ASSERT_FALSE(bool(writeNpz(path, tensors)));
  auto back = readNpz(path);
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  ASSERT_EQ(back->size(), tensors.size());
  for (auto &[name, tensor] : tensors) {
    const HostTensor &other = (*back)[name];
    EXPECT_EQ(other.dtype, tensor.dtype) << name;
    EXPECT_EQ(other.shape, tensor.shape) << name;
    EXPECT_EQ(other.data, tensor.data) << name;
  }
}

TEST(Npz, SameTensorsSameBytes) {
  NamedTensors tensors{{"a", counting(DType::F32, {7})}};
  ASSERT_FALSE(bool(writeNpz(tmp("first.npz"), tensors)));
  ASSERT_FALSE(bool(writeNpz(tmp("second.npz"), tensors)));
  EXPECT_EQ(readFile(tmp("first.npz")), readFile(tmp("second.npz")));
  EXPECT_FALSE(readFile(tmp("first.npz")).empty());
}

TEST(Npz, BF16IsWidened) {
  HostTensor tensor(DType::BF16, {2});
  tensor.setDouble(0, 1.5);
  tensor.setDouble(1, -3);
  ASSERT_FALSE(bool(writeNpz(tmp("bf16.npz"), {{"a", tensor}})));
  auto back = readNpz(tmp("bf16.npz"));
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  EXPECT_EQ((*back)["a"].dtype, DType::F32);
  EXPECT_EQ((*back)["a"].getDouble(0), 1.5);
  EXPECT_EQ((*back)["a"].getDouble(1), -3);
}

TEST(Npz, EmptyArchive) {
  std::string path = tmp("empty.npz");
  ASSERT_FALSE(bool(writeNpz(path, {})));
  auto back = readNpz(path);
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  EXPECT_TRUE(back->empty());
}

TEST(Npz, WritingOverAndWhereItCannot) {
  std::string path = tmp("over.npz");
  writeFile("over.npz", "no zip at all");
  ASSERT_FALSE(bool(writeNpz(path, {{"a", counting(DType::F32, {7})}})));
  EXPECT_EQ(readNpz(path)->size(), 1u);
  std::string text = llvm::toString(
      writeNpz("/nonexistent/x.npz", {{"a", counting(DType::F32, {7})}}));
  EXPECT_EQ(text.rfind("cannot write '/nonexistent/x.npz': ", 0), 0u) << text;
  EXPECT_NE(llvm::toString(writeNpz("/nonexistent/x.npz", {})), "");
}

TEST(Npz, FilesThatAreNoArchives) {
  EXPECT_EQ(errorOf("/nonexistent.npz"),
            "cannot read '/nonexistent.npz': No such file or directory");
  for (llvm::StringRef bytes : {"", "x", "PK\3\4", "\x93NUMPY\1"}) {
    std::string text = errorOf(writeFile("bad.npz", bytes));
    EXPECT_NE(text.find("an .npz archive is expected"), std::string::npos)
        << text;
  }
  EXPECT_NE(errorOf(std::string(PLMC_TEST_TMP)), "no error");
}

TEST(Npz, EveryTruncationIsAnError) {
  NamedTensors tensors{{"a", counting(DType::F32, {3})}};
  ASSERT_FALSE(bool(writeNpz(tmp("whole.npz"), tensors)));
  std::string whole = readFile(tmp("whole.npz"));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(errorOf(writeFile("part.npz", whole.substr(0, size))), "no error")
        << size;
}

TEST(Npz, EveryFlippedByteIsSurvived) {
  NamedTensors tensors{{"a", counting(DType::F32, {3})}};
  ASSERT_FALSE(bool(writeNpz(tmp("whole.npz"), tensors)));
  std::string whole = readFile(tmp("whole.npz"));
  for (size_t i = 0; i < whole.size(); ++i)
    for (char flip : {char(1), char(0x80), char(0xff)}) {
      std::string bytes = whole;
      bytes[i] = char(bytes[i] ^ flip);
      (void)errorOf(writeFile("flipped.npz", bytes));
    }
  // The data itself is covered by a checksum.
  std::string bytes = whole;
  size_t data = bytes.find("'shape'");
  bytes[data + 100] = char(bytes[data + 100] ^ 1);
  EXPECT_NE(errorOf(writeFile("flipped.npz", bytes)), "no error");
}

TEST(Npz, HeaderVersionsAndSpellings) {
  std::string data(12, '\0');
  data[0] = 5;
  for (int version : {1, 2, 3})
    for (const char *dictionary :
         {"{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }\n",
          "{\"shape\":(3),\"fortran_order\":False,\"descr\":\"<i4\"}",
          "{ 'fortran_order' : True , 'shape' : ( 3L , ) , 'descr' : '=i4' }",
          "{'descr': '<i4', 'fortran_order': False, 'shape': (3, 1)}"}) {
      auto back = readNpz(writeFile(
          "header.npz", makeZip("a.npy", makeNpy(dictionary, data, version))));
      ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
      EXPECT_EQ((*back)["a"].dtype, DType::I32);
      EXPECT_EQ((*back)["a"].shape[0], 3);
      EXPECT_EQ((*back)["a"].getInt(0), 5);
    }
}

TEST(Npz, BoolsAreNormalised) {
  auto back = readNpz(writeFile(
      "bool.npz",
      makeZip("a.npy", makeNpy("{'descr': '|b1', 'fortran_order': False, "
                               "'shape': (2,)}",
                               std::string("\7\0", 2)))));
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  EXPECT_EQ((*back)["a"].as<uint8_t>()[0], 1);
  EXPECT_EQ((*back)["a"].as<uint8_t>()[1], 0);
}

TEST(Npz, HostileHeaders) {
  auto dictionary = [](const std::string &descr, const std::string &shape,
                       const std::string &fortran = "False") {
    return "{'descr': '" + descr + "', 'fortran_order': " + fortran +
           ", 'shape': " + shape + "}";
  };
  const std::pair<std::string, const char *> cases[] = {
      {"", "it is no .npy array"},
      {"\x93NUMPY", "it is no .npy array"},
      {makeNpy("{", "", 9), "format version is 9"},
      {makeNpy("", ""), "malformed"},
      {makeNpy("{", ""), "malformed"},
      {makeNpy("{}", ""), "malformed"},
      {makeNpy("{'descr'", ""), "malformed"},
      {makeNpy("{'descr': '<f4", ""), "malformed"},
      {makeNpy("{'bogus': 1}", ""), "malformed"},
      {makeNpy(dictionary("<f4", "(1"), "abcd"), "malformed"},
      {makeNpy(dictionary("<f4", "(-1,)"), "abcd"), "malformed"},
      {makeNpy(dictionary("<f4", "(1 1)"), "abcd"), "malformed"},
      {makeNpy(dictionary("<f4", "(99999999999999999999,)"), ""), "malformed"},
      {makeNpy(dictionary("<f4", "(1,)", "Maybe"), "abcd"), "malformed"},
      {makeNpy(dictionary("<f4", "(2, 2)", "True"), std::string(16, 'x')),
       "Fortran order"},
      {makeNpy(dictionary(">f4", "(1,)"), "abcd"), "big-endian"},
      {makeNpy(dictionary("<c8", "(1,)"), "abcdefgh"),
       "'<c8' is not supported"},
      {makeNpy(dictionary("|O", "(1,)"), "abcd"), "'|O' is not supported"},
      {makeNpy(dictionary("", "(1,)"), "abcd"), "'' is not supported"},
      {makeNpy("{'descr': [('x', '<f4')], 'fortran_order': False, "
               "'shape': (1,)}",
               "abcd"),
       "records"},
      {makeNpy(dictionary("<f4", "(2,)"), "abcd"),
       "asks for 8 bytes of data but it holds 4"},
      {makeNpy(dictionary("<f4", "(4611686018427387904,)"), ""),
       "more than 2^63"},
      {makeNpy(dictionary("<f4", "(0, 4294967296, 4294967296)"), ""),
       "more than 2^63"},
      {makeNpy(dictionary("<f4", "(1000000000000,)"), "abcd"),
       "asks for 4000000000000 bytes"},
      {std::string("\x93NUMPY\1\0\xff\xff", 10), "it is truncated"},
      {std::string("\x93NUMPY\2\0\xff\xff\xff\xff", 12), "at most 65536"},
  };
  for (auto &[bytes, expected] : cases) {
    std::string text = errorOfArray(bytes);
    EXPECT_NE(text.find(expected), std::string::npos)
        << text << " lacks " << expected;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
  }
  EXPECT_NE(errorOfArray(cases[20].first).find("array 'a': "),
            std::string::npos);
}

TEST(Npz, SizesThatTheArchiveCannotHold) {
  // Claims 3 GB of data in an archive of 200 bytes, header and all.
  std::string npy = makeNpy("{'descr': '|u1', 'fortran_order': False, "
                            "'shape': (3000000000,)}",
                            "");
  std::string zip = makeZip("a.npy", npy, uint32_t(npy.size() + 3000000000u));
  EXPECT_NE(errorOf(writeFile("claims.npz", zip)), "no error");
  zip = makeZip("a.npy", npy, uint32_t(npy.size() + 3000000000u), 8);
  EXPECT_NE(errorOf(writeFile("claims.npz", zip)), "no error");
}

TEST(Npz, Deflated) {
  if (!llvm::compression::zlib::isAvailable())
    GTEST_SKIP() << "LLVM was built without zlib";
  // More than is read at once, and compressed almost 1000 to 1.
  std::string data(40000000, '\0');
  data[39999996] = 9;
  std::string npy = makeNpy("{'descr': '<i4', 'fortran_order': False, "
                            "'shape': (10000000,)}",
                            data);
  llvm::SmallVector<uint8_t> zlib;
  llvm::compression::zlib::compress(llvm::arrayRefFromStringRef(npy), zlib);
  // A zip entry has neither the header nor the checksum of a zlib stream.
  llvm::StringRef raw = llvm::toStringRef(zlib).drop_front(2).drop_back(4);
  auto back = readNpz(
      writeFile("deflated.npz",
                makeZip("a.npy", raw, uint32_t(npy.size()), 8, crc32(npy))));
  ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
  EXPECT_EQ((*back)["a"].numElements(), 10000000);
  EXPECT_EQ((*back)["a"].getInt(9999999), 9);
  EXPECT_EQ((*back)["a"].getInt(9999998), 0);
  // The same with a wrong checksum, and cut short.
  EXPECT_NE(errorOf(writeFile("deflated.npz",
                              makeZip("a.npy", raw, uint32_t(npy.size()), 8,
                                      crc32(npy) + 1))),
            "no error");
  EXPECT_NE(errorOf(writeFile("deflated.npz",
                              makeZip("a.npy", raw.drop_back(1000),
                                      uint32_t(npy.size()), 8, crc32(npy)))),
            "no error");
}

TEST(Npz, ArchivesThatExpandTooFar) {
  if (!llvm::compression::zlib::isAvailable())
    GTEST_SKIP() << "LLVM was built without zlib";
  std::string npy = makeNpy("{'descr': '|u1', 'fortran_order': False, "
                            "'shape': (70000000,)}",
                            std::string(70000000, '\0'));
  llvm::SmallVector<uint8_t> zlib;
  llvm::compression::zlib::compress(llvm::arrayRefFromStringRef(npy), zlib);
  llvm::StringRef raw = llvm::toStringRef(zlib).drop_front(2).drop_back(4);
  EXPECT_NE(errorOf(writeFile("bomb.npz",
                              makeZip("a.npy", raw, npy.size(), 8, crc32(npy))))
                .find("array 'a' expands the archive more than 16 times"),
            std::string::npos);
}

TEST(Npz, EntriesThatAreNoArrays) {
  EXPECT_NE(errorOf(writeFile("other.npz", makeZip("a\n.txt", "hello")))
                .find("'a\\n.txt' is no .npy array"),
            std::string::npos);
}

} // namespace
