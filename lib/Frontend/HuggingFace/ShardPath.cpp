//===- ShardPath.cpp - Where a shard may lie ------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "ShardPath.h"
#include "../ONNX/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

static bool liesIn(StringRef path, SmallString<256> folder) {
  if (!folder.ends_with("/"))
    folder += '/';
  return path.starts_with(folder);
}

Expected<std::string> resolveShard(StringRef folder, StringRef name) {
  std::string quoted = "file '" + printable(name) + "'";
  if (name.empty() || name.contains('\0'))
    return createStringError(quoted + " is no valid name");
  if (sys::path::is_absolute(name))
    return createStringError(quoted + " has an absolute path; only files in "
                                      "the model's folder are read");
  for (auto it = sys::path::begin(name), end = sys::path::end(name); it != end;
       ++it)
    if (*it == "..")
      return createStringError(quoted + " leaves the model's folder by '..'; "
                                        "only files in it are read");
  SmallString<256> path(folder), realFolder, realPath;
  sys::path::append(path, name);
  if (std::error_code error = sys::fs::real_path(folder, realFolder))
    return createStringError(error, "the model's folder: " + error.message());
  if (std::error_code error = sys::fs::real_path(path, realPath))
    return createStringError(error,
                             error == std::errc::no_such_file_or_directory
                                 ? quoted + " is missing; download it too"
                                 : quoted + ": " + error.message());
  if (liesIn(realPath, realFolder))
    return path.str().str();
  StringRef snapshots = sys::path::parent_path(realFolder);
  SmallString<256> blobs(sys::path::parent_path(snapshots));
  sys::path::append(blobs, "blobs");
  if (sys::path::filename(snapshots) == "snapshots" && liesIn(realPath, blobs))
    return path.str().str();
  return createStringError(quoted + " is a symbolic link out of the model's "
                                    "folder; copy the file into it");
}

} // namespace plmc::huggingface
