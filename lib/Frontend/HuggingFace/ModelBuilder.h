//===- ModelBuilder.h - Transformer ops over named weights ------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the families (Bert.cpp, Albert.cpp, ...) are written in: one call a
// module of the Python model, by the name its weights have in the checkpoint.
// On top of the ONNX front end's GraphBuilder, which brings tensor operations,
// shape inference, folding and the rule for failures: the first one is kept,
// and everything after it gives null tensors.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_HUGGINGFACE_MODELBUILDER_H
#define PLMC_FRONTEND_HUGGINGFACE_MODELBUILDER_H

#include "../ONNX/GraphBuilder.h"
#include "Checkpoint.h"
#include "Config.h"

namespace plmc::huggingface {

using importer::Dims;
using importer::GraphBuilder;
using importer::Tensor;

class ModelBuilder {
public:
  /// `graph` must build at the end of `block`.
  ModelBuilder(GraphBuilder &graph, mlir::Block *block, Checkpoint &checkpoint,
               Config &config);

  GraphBuilder &graph;
  Config &config;

  bool hasFailed() const { return graph.hasFailed() || config.hasFailed(); }
  /// Records an error that names its file itself.
  Tensor fail(llvm::Error error);
  Tensor unsupported(const llvm::Twine &message);

  //===--------------------------------------------------------------------===//
  // Weights
  //===--------------------------------------------------------------------===//

  /// Also under the names of older checkpoints (gamma and beta).
  bool has(const std::string &name) const;
  bool hasPrefix(llvm::StringRef prefix) const {
    return checkpoint.hasPrefix(prefix);
  }
  std::optional<llvm::SmallVector<int64_t, 4>>
  shapeOf(const std::string &name) const;
  /// A weight of this shape; a failure if it is missing or of another one.
  Tensor weight(const std::string &name, llvm::ArrayRef<int64_t> shape);
  /// Rows [begin, begin + count) of a weight; no data is copied.
  Tensor rows(const Tensor &weight, int64_t begin, int64_t count);
  /// A table computed at import, [rows, width] or [count].
  Tensor table(HostTensor values, llvm::StringRef name);

  //===--------------------------------------------------------------------===//
  // Modules
  //===--------------------------------------------------------------------===//

  /// x W^T + b with prefix.weight [out, in] and, unless `bias` is false,
  /// prefix.bias.
  Tensor linear(const Tensor &x, const std::string &prefix, int64_t in,
                int64_t out, bool bias = true);
  /// The same with given weights; `bias` may be null.
  Tensor linear(const Tensor &x, const Tensor &weight, const Tensor &bias);
  Tensor layerNorm(const Tensor &x, const std::string &prefix, int64_t width,
                   double epsilon, bool bias = true);
  Tensor embedding(const Tensor &ids, const Tensor &table);
  /// Rows offset.. of a table [P, H] as [1, length, H]; longer sequences are
  /// refused at run time.
  Tensor positionEmbedding(const Tensor &table, const DimExpr &length,
                           int64_t offset = 0);
  /// `bias` [B|1, heads|1, S|1, T|1] is added to the scores; may be null.
  Tensor attention(const Tensor &query, const Tensor &key, const Tensor &value,
                   const Tensor &mask, const Tensor &bias, int64_t heads,
                   double scale);
  /// An activation by its name in config.json; null and a failure for one that
  /// plmc does not have. `key` is the setting, for the message.
  Tensor activation(const Tensor &x, llvm::StringRef name, llvm::StringRef key);
  /// [B, S, H] to [B, H]; `mask` may be null.
  Tensor pool(plm::PoolKind kind, const Tensor &x, const Tensor &mask);
  Tensor firstToken(const Tensor &x) {
    return pool(plm::PoolKind::First, x, Tensor());
  }
  Tensor tanh(const Tensor &x) {
    return graph.activation(plm::ActivationKind::Tanh, x);
  }
  Tensor l2Normalize(const Tensor &x, double epsilon);

  mlir::Block *getBlock() const { return block; }
  /// The module that the next operations belong to, for locations.
  void setModule(std::string name);
  /// No longer than this: a plm.constraint.
  void limitSequence(const DimExpr &length, int64_t limit);

private:
  std::string resolve(const std::string &name) const;
  mlir::Location location() const;

  mlir::Block *block;
  Checkpoint &checkpoint;
  std::string module;
};

} // namespace plmc::huggingface

#endif // PLMC_FRONTEND_HUGGINGFACE_MODELBUILDER_H
