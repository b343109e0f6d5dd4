//===- Npz.cpp - NumPy archives ---------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An .npz is a zip archive (libzip) with one .npy file an array. Archives may
// come from anywhere: every size that a header claims is checked against what
// the archive can hold before memory is taken for it.
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/Npz.h"
#include "NpyHeader.h"
#include "llvm/Support/FileSystem.h"
#include <cstring>
#include <new>
#include <zip.h>

using namespace plmc;
using llvm::createStringError;
using llvm::StringRef;
using llvm::Twine;

namespace {
struct ZipDiscard {
  void operator()(zip_t *archive) const { zip_discard(archive); }
};
using ZipHandle = std::unique_ptr<zip_t, ZipDiscard>;
struct ZipFileClose {
  void operator()(zip_file_t *file) const { zip_fclose(file); }
};
using ZipFileHandle = std::unique_ptr<zip_file_t, ZipFileClose>;

constexpr size_t chunkBytes = size_t(1) << 24;

/// What all arrays of an archive may expand to. A file of kilobytes must not
/// cost gigabytes, and data that compresses 16 times over is rare; masks do,
/// but are small.
constexpr uint64_t expandedBytes(uint64_t archiveBytes) {
  return std::max<uint64_t>(uint64_t(64) << 20, 16 * archiveBytes);
}
} // namespace

static std::string zipErrorText(int code) {
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  std::string text = zip_error_strerror(&error);
  zip_error_fini(&error);
  return text;
}

static ZipHandle openZip(StringRef path, int flags, std::string &error) {
  int code = 0;
  zip_t *archive = zip_open(path.str().c_str(), flags, &code);
  if (!archive)
    error = zipErrorText(code);
  return ZipHandle(archive);
}

/// Reads exactly `size` bytes.
static llvm::Error readExactly(zip_file_t *file, char *to, uint64_t size) {
  while (size) {
    zip_int64_t got = zip_fread(file, to, std::min<uint64_t>(size, chunkBytes));
    if (got < 0)
      return createStringError(zip_file_strerror(file));
    if (got == 0)
      return createStringError("it is truncated");
    to += got;
    size -= got;
  }
  return llvm::Error::success();
}

/// Reads the array at `index`, whose entry `stat` has been looked up.
static llvm::Expected<HostTensor> readArray(zip_t *archive, zip_uint64_t index,
                                            const zip_stat_t &stat,
                                            uint64_t archiveBytes) {
  constexpr auto needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if ((stat.valid & needed) != needed)
    return createStringError("its size is unknown");
  ZipFileHandle file(zip_fopen_index(archive, index, 0));
  if (!file)
    return createStringError(zip_strerror(archive));

  char preamble[npy::maxPreamble];
  size_t preambleSize = std::min<uint64_t>(stat.size, sizeof(preamble));
  if (llvm::Error error = readExactly(file.get(), preamble, preambleSize))
    return std::move(error);
  auto layout = npy::parsePreamble(StringRef(preamble, preambleSize));
  if (!layout)
    return layout.takeError();
  auto [start, length] = *layout;
  if (start + length > stat.size)
    return createStringError("it is truncated");
  std::string dictionary(length, '\0');
  // A version 1 preamble is shorter than what was read.
  size_t have = std::min(preambleSize - start, length);
  std::memcpy(dictionary.data(), preamble + start, have);
  if (llvm::Error error =
          readExactly(file.get(), dictionary.data() + have, length - have))
    return std::move(error);
  auto header = npy::parseDictionary(dictionary);
  if (!header)
    return header.takeError();

  uint64_t dataBytes = stat.size - start - length;
  if (header->dataBytes != dataBytes)
    return createStringError("its header asks for " + Twine(header->dataBytes) +
                             " bytes of data but it holds " + Twine(dataBytes));
  if (stat.comp_size > archiveBytes)
    return createStringError("the archive is too small to hold it");

  // What a deflated entry claims is still only a claim: grow as data arrives.
  HostTensor tensor;
  tensor.dtype = header->dtype;
  tensor.shape = header->shape;
  size_t inPreamble = preambleSize - start - have;
  for (uint64_t done = 0; done < dataBytes;) {
    uint64_t step = std::min<uint64_t>(dataBytes - done, chunkBytes);
    if (stat.comp_size >= dataBytes)
      step = dataBytes;
    tensor.data.resize(done + step);
    char *to = tensor.data.data() + done;
    size_t copied = 0;
    if (done == 0 && inPreamble) {
      std::memcpy(to, preamble + start + have, inPreamble);
      copied = inPreamble;
    }
    if (llvm::Error error = readExactly(file.get(), to + copied, step - copied))
      return std::move(error);
    done += step;
  }
  // Reading past the end is what makes libzip check the CRC.
  char extra;
  if (zip_fread(file.get(), &extra, 1) != 0)
    return createStringError(zip_file_strerror(file.get()));
  if (tensor.dtype == DType::Bool)
    for (char &value : tensor.data)
      value = value != 0;
  return tensor;
}

llvm::Expected<NamedTensors> plmc::readNpz(StringRef path) {
  auto fail = [&](const Twine &what) {
    return createStringError("cannot read '" + path + "': " + what);
  };
  uint64_t archiveBytes = 0;
  if (std::error_code code = llvm::sys::fs::file_size(path, archiveBytes))
    return fail(code.message());
  std::string openError;
  ZipHandle archive = openZip(path, ZIP_RDONLY, openError);
  if (!archive)
    return fail(openError + "; an .npz archive is expected");

  NamedTensors result;
  uint64_t room = expandedBytes(archiveBytes);
  zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t stat;
    zip_stat_init(&stat);
    if (zip_stat_index(archive.get(), i, 0, &stat) != 0 ||
        !(stat.valid & ZIP_STAT_NAME))
      return fail("entry " + Twine(i) + ": " + zip_strerror(archive.get()));
    StringRef name = stat.name;
    std::string shown;
    llvm::raw_string_ostream(shown).write_escaped(name);
    if (!name.consume_back(".npy"))
      return fail("'" + shown + "' is no .npy array");
    if ((stat.valid & ZIP_STAT_SIZE) && stat.size > room)
      return fail("array '" + StringRef(shown).drop_back(4) +
                  "' expands the archive more than 16 times; store it "
                  "uncompressed (numpy.savez)");
    room -= stat.valid & ZIP_STAT_SIZE ? stat.size : 0;
    // Sizes were checked, but memory may still be short.
    try {
      auto tensor = readArray(archive.get(), i, stat, archiveBytes);
      if (!tensor)
        return fail("array '" + StringRef(shown).drop_back(4) +
                    "': " + llvm::toString(tensor.takeError()));
      if (!result.emplace(name.str(), std::move(*tensor)).second)
        return fail("array '" + StringRef(shown).drop_back(4) +
                    "' occurs twice");
    } catch (const std::bad_alloc &) {
      return fail("array '" + StringRef(shown).drop_back(4) +
                  "': not enough memory");
    }
  }
  return result;
}

/// NumPy has no bfloat16; every one of its values is a float32.
static HostTensor widenBF16(const HostTensor &tensor) {
  HostTensor wide(DType::F32, tensor.shape);
  for (int64_t i = 0, e = tensor.numElements(); i < e; ++i)
    wide.setDouble(i, tensor.getDouble(i));
  return wide;
}

/// An archive without entries: libzip would write no file at all.
static llvm::Error writeEmptyArchive(StringRef path) {
  return llvm::writeToOutput(path, [](llvm::raw_ostream &os) {
    os << StringRef("PK\5\6") << std::string(18, '\0');
    return llvm::Error::success();
  });
}

llvm::Error plmc::writeNpz(StringRef path, const NamedTensors &tensors) {
  auto fail = [&](const Twine &what) {
    return createStringError("cannot write '" + path + "': " + what);
  };
  if (tensors.empty()) {
    if (llvm::Error error = writeEmptyArchive(path))
      return fail(llvm::toString(std::move(error)));
    return llvm::Error::success();
  }
  std::string openError;
  ZipHandle archive = openZip(path, ZIP_CREATE | ZIP_TRUNCATE, openError);
  if (!archive)
    return fail(openError);
  for (const auto &[name, given] : tensors) {
    HostTensor widened;
    if (given.dtype == DType::BF16)
      widened = widenBF16(given);
    const HostTensor &tensor = given.dtype == DType::BF16 ? widened : given;
    std::string header = npy::makeHeader(tensor.dtype, tensor.shape);
    size_t size = header.size() + tensor.data.size();
    // libzip reads the bytes when the archive is closed, and frees them.
    char *bytes = static_cast<char *>(std::malloc(size));
    if (!bytes)
      return fail("not enough memory");
    std::memcpy(bytes, header.data(), header.size());
    if (!tensor.data.empty())
      std::memcpy(bytes + header.size(), tensor.data.data(),
                  tensor.data.size());
    zip_source_t *source = zip_source_buffer(archive.get(), bytes, size, 1);
    if (!source) {
      std::free(bytes);
      return fail(zip_strerror(archive.get()));
    }
    zip_int64_t index = zip_file_add(archive.get(), (name + ".npy").c_str(),
                                     source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      zip_source_free(source);
      return fail("array '" + name + "': " + zip_strerror(archive.get()));
    }
    // Stored, as numpy.savez does; a fixed date (1980-01-01), so that equal
    // tensors give equal files.
    zip_set_file_compression(archive.get(), index, ZIP_CM_STORE, 0);
    zip_file_set_dostime(archive.get(), index, 0, 0x21, 0);
  }
  // libzip writes a temporary file beside and renames it.
  if (zip_close(archive.get()) != 0)
    return fail(zip_strerror(archive.get()));
  archive.release();
  return llvm::Error::success();
}
