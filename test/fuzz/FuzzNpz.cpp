//===- FuzzNpz.cpp - Fuzzer of the .npz reader ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An archive's checksums keep most mutations from the reader of arrays, so the
// bytes are read twice: as an archive, and as the only array of one.
//
//===----------------------------------------------------------------------===//

#include "FuzzFile.h"
#include "plmc/Support/Npz.h"
#include <zip.h>

using namespace plmc;

static void read(const std::string &path) {
  auto tensors = readNpz(path);
  if (!tensors) {
    llvm::consumeError(tensors.takeError());
    return;
  }
  for (const auto &[name, tensor] : *tensors) {
    if (tensor.data.size() !=
        size_t(tensor.numElements()) * dtypeSize(tensor.dtype))
      std::abort();
    // What was read can be written.
  }
  fuzz::File copy("copy.npz", "");
  if (llvm::Error error = writeNpz(copy.path, *tensors))
    llvm::consumeError(std::move(error));
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  {
    fuzz::File file("a.npz", {reinterpret_cast<const char *>(data), size});
    read(file.path);
  }
  std::string path = fuzz::folder() + "/b.npz";
  ::unlink(path.c_str());
  int code = 0;
  zip_t *archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
  if (!archive)
    std::abort();
  zip_source_t *source = zip_source_buffer(archive, data, size, 0);
  if (zip_file_add(archive, "x.npy", source, 0) < 0)
    std::abort();
  // Odd sizes are deflated: two ways through the reader.
  zip_set_file_compression(archive, 0, size & 1 ? ZIP_CM_DEFLATE : ZIP_CM_STORE,
                           0);
  if (zip_close(archive))
    std::abort();
  read(path);
  ::unlink(path.c_str());
  return 0;
}
