//===- Safetensors.h - Reader of one .safetensors file ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A .safetensors file is eight bytes of header length, little endian; a JSON
// header that gives each tensor's dtype, shape and place; then the data. The
// file is mapped and the tensors stay in it. Everything in the header is
// checked, as the format asks: the data is covered by the tensors from begin to
// end, without overlap or hole, and each range is as long as dtype and shape
// say.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_HUGGINGFACE_SAFETENSORS_H
#define PLMC_FRONTEND_HUGGINGFACE_SAFETENSORS_H

#include "../ONNX/ExternalData.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

namespace plmc::huggingface {

struct StoredTensor {
  std::string dtype; // as in the file: "F32", "BF16", ...
  llvm::SmallVector<int64_t, 4> shape;
  llvm::ArrayRef<char> bytes; // in the mapped file, unaligned
};

class SafetensorsFile {
public:
  /// Maps and checks a file. Errors are ImportErrors that name it.
  static llvm::Expected<std::shared_ptr<const SafetensorsFile>>
  open(llvm::StringRef path);
  /// The same for a buffer; `name` is for messages.
  static llvm::Expected<std::shared_ptr<const SafetensorsFile>>
  parse(importer::SharedBuffer buffer, llvm::StringRef name);

  /// Null if there is none of this name.
  const StoredTensor *find(llvm::StringRef name) const;
  const llvm::StringMap<StoredTensor> &getTensors() const { return tensors; }
  /// For messages.
  llvm::StringRef getDisplayName() const { return displayName; }

private:
  llvm::Error readHeader();

  importer::SharedBuffer buffer;
  std::string displayName;
  llvm::StringMap<StoredTensor> tensors;
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_SAFETENSORS_H
