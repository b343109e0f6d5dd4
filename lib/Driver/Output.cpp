//===- Output.cpp - Files that plmc writes --------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Output.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <filesystem>

using llvm::Error;
using llvm::StringRef;
using llvm::Twine;
namespace fs = llvm::sys::fs;

namespace plmc {

/// Two names of a file that need not exist yet.
static bool sameName(StringRef a, StringRef b) {
  auto normal = [](StringRef path) {
    llvm::SmallString<128> name(resolveOutput(path));
    llvm::consumeError(llvm::errorCodeToError(fs::make_absolute(name)));
    llvm::sys::path::remove_dots(name, /*remove_dot_dot=*/true);
    return name;
  };
  return normal(a) == normal(b);
}

Error checkWritable(StringRef option, StringRef path,
                    llvm::ArrayRef<std::string> inputs) {
  auto fail = [&](const Twine &why) {
    return makeError(ExitCode::Usage, option + " '" + path + "': " + why);
  };
  if (path.empty())
    return makeError(ExitCode::Usage, option + " is missing: name the file to "
                                               "write");
  if (fs::is_directory(path))
    return fail("it is a directory; name a file in it");
  for (const std::string &input : inputs) {
    bool same = false;
    if (!fs::equivalent(input, path, same) && same)
      return fail("it is the input; name another file");
    if (sameName(input, path))
      return fail("it is named twice; name another file");
  }
  std::string resolved = resolveOutput(path);
  if (fs::is_symlink_file(resolved))
    return fail("it is a link that leads nowhere; remove it");
  if (fs::exists(resolved) && !fs::is_regular_file(resolved))
    return fail("it is no regular file");
  // Temporary files beside it have longer names.
  constexpr size_t maxName = 220;
  if (llvm::sys::path::filename(resolved).size() > maxName)
    return fail("the name is longer than " + Twine(maxName) +
                " bytes; choose a shorter one");
  StringRef folder = llvm::sys::path::parent_path(resolved);
  if (folder.empty())
    folder = ".";
  if (!fs::is_directory(folder))
    return fail("there is no folder '" + folder + "'; create it first");
  if (fs::access(folder, fs::AccessMode::Write))
    return fail("no permission to write to '" + folder + "'");
  return Error::success();
}

std::string resolveOutput(StringRef path) {
  namespace stdfs = std::filesystem;
  stdfs::path current(path.str());
  std::error_code code;
  for (int links = 0; links < 40 && stdfs::is_symlink(current, code); ++links) {
    stdfs::path target = stdfs::read_symlink(current, code);
    if (code)
      break;
    current = target.is_absolute() ? target : current.parent_path() / target;
  }
  return current.string();
}

Error writeFile(StringRef link,
                llvm::function_ref<void(llvm::raw_ostream &)> body) {
  std::string path = resolveOutput(link);
  auto fail = [&](const Twine &why) {
    return makeError(ExitCode::Internal, "cannot write '" + path + "': " + why);
  };
  // Not fs::TempFile, which creates the file before a signal would remove it.
  llvm::SmallString<128> unique;
  fs::createUniquePath(path + ".%%%%%%.tmp", unique, /*MakeAbsolute=*/false);
  TemporaryFile file(unique);
  std::error_code code;
  {
    llvm::raw_fd_ostream os(file.path, code, fs::CD_CreateNew);
    if (code)
      return fail(code.message());
    body(os);
    os.close();
    code = os.error();
    os.clear_error(); // or the destructor would end the process
  }
  if (!code)
    code = fs::rename(file.path, path);
  if (code)
    return fail(code.message());
  return Error::success();
}

uint64_t fileBytes(const Twine &path) {
  uint64_t bytes = 0;
  return fs::file_size(path, bytes) ? 0 : bytes;
}

ProvisionalFiles::ProvisionalFiles(std::vector<std::string> paths)
    : paths(std::move(paths)) {
  for (const std::string &path : this->paths)
    llvm::sys::RemoveFileOnSignal(path);
}

ProvisionalFiles::~ProvisionalFiles() {
  for (const std::string &path : paths) {
    if (!kept)
      fs::remove(path);
    llvm::sys::DontRemoveFileOnSignal(path);
  }
}

} // namespace plmc
