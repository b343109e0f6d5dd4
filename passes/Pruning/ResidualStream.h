//===- ResidualStream.h - What runs between layer norms ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A hidden width belongs to no single op: whatever is added up must be as wide.
// A part of the stream is what is added up in front of layer norms: in a
// post-norm encoder there is one before each norm (the residual, which is the
// norm before, and what the layer gives), in a pre-norm encoder a single one
// that runs through the model, read by all its norms.
//
//   sources --> sums --> norms --> readers, and sources of other parts
//
// A linear layer that is a source, or that reads a norm, takes a change of
// coordinates into its own weight, a table into its rows. Everything else needs
// a matrix of its own.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_PASSES_PRUNING_RESIDUALSTREAM_H
#define PLMC_PASSES_PRUNING_RESIDUALSTREAM_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/SymbolTable.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/SetVector.h"
#include <vector>

namespace plmc {

struct StreamPart {
  int64_t width = 0;
  llvm::SetVector<plm::LayerNormOp> norms;
  llvm::SetVector<plm::BinaryOp> sums;
  /// What is added up and no sum itself; may also be read by a norm directly.
  llvm::SetVector<mlir::Value> sources;

  bool reads(mlir::Operation *op) const;
};

/// Those that may be made narrower: f32, and nothing but their norms reads the
/// sums. In the order of their first norms.
std::vector<StreamPart> findStreamParts(mlir::func::FuncOp func);

/// A row, or some, that is made of parameters, such as the first of a table of
/// token types.
bool isConstantSource(mlir::Value source);

/// What a change of coordinates of the parts asks of everything around them.
class StreamUses {
public:
  StreamUses(std::vector<StreamPart> parts, mlir::SymbolTable &symbols);

  llvm::ArrayRef<StreamPart> parts() const { return all; }
  /// A source that can take a projection into its own parameter.
  bool foldsInto(mlir::Value source, const StreamPart &part) const;
  /// A layer that reads a norm, and can take one into its weight.
  bool folds(plm::LinearOp reader) const;

  /// The parts whose narrowing to `widths` saves parameters, all in all. Each
  /// may cost matrices: of a residual from one part to the next, or for readers
  /// that want the full width.
  std::vector<bool> worthwhile(llvm::ArrayRef<int64_t> widths) const;

private:
  bool ownsParameter(mlir::Value value) const;

  std::vector<StreamPart> all;
  mlir::SymbolTable &symbols;
};

} // namespace plmc

#endif // PLMC_PASSES_PRUNING_RESIDUALSTREAM_H
