//===- ExternalData.cpp - Files beside the model --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalData.h"
#include "Diagnostics.h"
#include "plmc/Support/MappedFiles.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

namespace plmc::importer {

Expected<SharedBuffer> mapFile(StringRef path) {
  sys::fs::file_status status;
  if (std::error_code error = sys::fs::status(path, status))
    return createStringError(error,
                             error == std::errc::no_such_file_or_directory
                                 ? "there is no such file"
                                 : error.message());
  if (status.type() == sys::fs::file_type::directory_file)
    return createStringError("it is a folder, not a file");
  if (status.type() != sys::fs::file_type::regular_file)
    return createStringError("it is not a regular file");
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(), buffer.getError().message());
  return shareFile(std::move(*buffer));
}

ExternalData::ExternalData(StringRef modelPath)
    : folder(sys::path::parent_path(modelPath)) {
  if (folder.empty())
    folder = ".";
}

Expected<SharedBuffer> ExternalData::open(StringRef location) {
  std::string quoted = "data file '" + printable(location) + "'";
  if (location.empty() || location.contains('\0'))
    return createStringError("its data file has no valid name");
  auto known = files.find(location);
  if (known != files.end())
    return known->second;
  if (sys::path::is_absolute(location))
    return createStringError(quoted + " has an absolute path; only files in "
                                      "the model's folder are read");
  for (auto it = sys::path::begin(location), end = sys::path::end(location);
       it != end; ++it)
    if (*it == "..")
      return createStringError(quoted + " leaves the model's folder by '..'");

  SmallString<256> path(folder), realFolder, realPath;
  sys::path::append(path, location);
  if (std::error_code error = sys::fs::real_path(folder, realFolder))
    return createStringError(error, "the model's folder: " + error.message());
  if (std::error_code error = sys::fs::real_path(path, realPath))
    return createStringError(
        error, error == std::errc::no_such_file_or_directory
                   ? quoted + " is missing; put it beside the model"
                   : quoted + ": " + error.message());
  if (realFolder.empty() || realFolder.back() != '/')
    realFolder += '/';
  if (!realPath.starts_with(realFolder))
    return createStringError(quoted + " is a symbolic link out of the model's "
                                      "folder; copy the file into it");
  Expected<SharedBuffer> buffer = mapFile(realPath);
  if (!buffer)
    return createStringError(quoted + ": " + toString(buffer.takeError()));
  files[location] = *buffer;
  return *buffer;
}

} // namespace plmc::importer
