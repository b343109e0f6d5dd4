//===- Checkpoint.h - The weights of a model's folder -----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#ifndef PLMC_FRONTEND_HUGGINGFACE_CHECKPOINT_H
#define PLMC_FRONTEND_HUGGINGFACE_CHECKPOINT_H

#include "../ONNX/Literal.h"
#include "Safetensors.h"

namespace plmc::huggingface {

/// The tensors of model.safetensors, or of the shards that
/// model.safetensors.index.json lists.
class Checkpoint {
public:
  /// Maps the files. Errors are ImportErrors.
  static llvm::Expected<Checkpoint> open(llvm::StringRef folder);

  bool has(llvm::StringRef name) const { return locate(name).tensor; }
  bool hasPrefix(llvm::StringRef prefix) const;
  /// The shape, or nullopt if there is no such tensor.
  std::optional<llvm::SmallVector<int64_t, 4>>
  shapeOf(llvm::StringRef name) const;
  /// The value as f32: in the mapped file if it is F32 there, else converted.
  /// Cached. The error is an ImportError with file and tensor.
  llvm::Expected<importer::LiteralPtr> read(llvm::StringRef name);
  /// The file that holds the tensor, or would: for messages.
  std::string fileOf(llvm::StringRef name) const;

private:
  struct Location {
    std::shared_ptr<const SafetensorsFile> file;
    const StoredTensor *tensor = nullptr;
  };
  llvm::Error openShards(llvm::StringRef folder, llvm::StringRef indexPath);
  Location locate(llvm::StringRef name) const;

  std::string displayName;
  std::vector<std::shared_ptr<const SafetensorsFile>> files;
  llvm::StringMap<size_t> fileOfTensor;
  llvm::StringMap<importer::LiteralPtr> literals;
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_CHECKPOINT_H
