//===- InputRoles.h - What a model's inputs mean ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INPUTS_INPUTROLES_H
#define PLMC_INPUTS_INPUTROLES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Support/HostTensor.h"
#include <random>

namespace plmc {

struct InputRole {
  enum class Kind {
    Ids,   // integers in [0, limit)
    Mask,  // 1 keeps, 0 masks
    Values // floats
  };
  std::string name;
  DType dtype;
  llvm::SmallVector<DimExpr> dims;
  Kind kind = Kind::Values;
  int64_t limit = 2; // Ids
};

/// What can be fed to a model.
struct InputRoles {
  std::vector<InputRole> inputs; // in the model's order
  /// What the two dimensions of the token ids are; often symbols.
  DimExpr batch = 1, sequence = 1;
  /// `expr >= 0`, or `== 0`.
  struct Constraint {
    DimExpr expr;
    bool equal;
  };
  std::vector<Constraint> constraints;

  /// True if an input says which tokens to keep.
  bool hasMask() const;
};

/// Reads the roles off a function as imported: a copy of it is recognised, and
/// what an embedding or an attention reads there tells. Errors for an input of
/// an element type that cannot be made up.
llvm::Expected<InputRoles> findInputRoles(mlir::func::FuncOp func);

enum class MaskShape { None, Right, Left, Holes, OneRowEmpty };
llvm::StringRef maskShapeName(MaskShape shape);

/// One set of inputs.
struct InputCase {
  int64_t batch = 1, sequence = 1;
  MaskShape mask = MaskShape::None;
  std::vector<HostTensor> inputs;
  /// [batch * sequence], 1 = kept; all 1 for a model without mask.
  std::vector<uint8_t> keep;

  bool isRowEmpty(int64_t row) const;
};

/// Makes up inputs of (about) this size: fixed dimensions stay, and the
/// sequence shrinks to what the constraints allow. Nullopt when no length fits.
std::optional<InputCase> makeCase(const InputRoles &roles, int64_t batch,
                                  int64_t sequence, MaskShape mask,
                                  std::mt19937_64 &random);

} // namespace plmc

#endif // PLMC_INPUTS_INPUTROLES_H
