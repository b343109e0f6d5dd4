//===- ExternalData.h - Files beside the model ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model names its data files itself, so the names are hostile until proven
// otherwise: only regular files below the model's own folder are opened, also
// after symbolic links are resolved.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_EXTERNALDATA_H
#define PLMC_FRONTEND_ONNX_EXTERNALDATA_H

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include <memory>
#include <string>

namespace plmc::importer {

using SharedBuffer = std::shared_ptr<llvm::MemoryBuffer>;

/// Maps a regular file; the error says why not, without the path.
llvm::Expected<SharedBuffer> mapFile(llvm::StringRef path);

class ExternalData {
public:
  explicit ExternalData(llvm::StringRef modelPath);
  /// The file `location`, relative to the model's folder; mapped once. The
  /// error has no file or tensor name.
  llvm::Expected<SharedBuffer> open(llvm::StringRef location);

private:
  std::string folder;
  llvm::StringMap<SharedBuffer> files;
};

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_EXTERNALDATA_H
