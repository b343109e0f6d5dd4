//===- ModelFile.h - Reader of ONNX files -----------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_MODELFILE_H
#define PLMC_FRONTEND_ONNX_MODELFILE_H

#include "ExternalData.h"
#include "Literal.h"
#include "WireWalk.h"
#include "onnx-ml.pb.h"
#include "llvm/ADT/DenseMap.h"
#include <memory>

namespace plmc::importer {

/// An opened model: the graph as protobuf messages, the weights in the mapped
/// file. Literals handed out keep the mapping alive.
class ModelFile {
public:
  /// Maps and parses. Errors are ImportErrors and name the file.
  static llvm::Expected<std::unique_ptr<ModelFile>> open(llvm::StringRef path);

  const onnx::ModelProto &getModel() const { return model; }
  /// For messages and the plm.source attribute.
  llvm::StringRef getDisplayName() const { return displayName; }
  /// Version of a domain ("" or "ai.onnx" is the standard one); 0 if absent.
  int64_t getOpset(llvm::StringRef domain) const;

  /// The value of a tensor message of this model; cached. The error names the
  /// tensor, not the file.
  llvm::Expected<LiteralPtr> literal(const onnx::TensorProto &tensor);
  /// The same, made dense.
  llvm::Expected<LiteralPtr> literal(const onnx::SparseTensorProto &sparse);

private:
  ModelFile(llvm::StringRef path, SharedBuffer buffer)
      : buffer(std::move(buffer)), external(path) {}
  llvm::Expected<LiteralPtr> read(const onnx::TensorProto &tensor);
  llvm::Error readExternal(const onnx::TensorProto &tensor, size_t bytes,
                           Literal &literal);

  std::string displayName;
  SharedBuffer buffer;
  std::vector<llvm::ArrayRef<char>> ranges;
  onnx::ModelProto model;
  ExternalData external;
  llvm::DenseMap<const onnx::TensorProto *, LiteralPtr> literals;
  llvm::DenseMap<const onnx::SparseTensorProto *, LiteralPtr> sparseLiterals;
};

/// The element type with ONNX's number; nullopt for those plm does not have.
std::optional<DType> dtypeFromONNX(int32_t type);
/// "FLOAT16", "INT4", "type 77".
std::string onnxTypeName(int32_t type);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_MODELFILE_H
