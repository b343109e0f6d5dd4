//===- Layout.h - Where an axis lives in a tensor ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters split and merge heads in many ways: reshape and one transpose,
// two transposes, a detour over [batch*heads, ...], a transpose folded into
// the next. To match chains is to match exporters. Instead the axes
// themselves are followed: every dimension of a tensor is a list of *factors*
// in row-major order, `[batch*heads, length, d]` being `[{b,h}, {s}, {d}]`. A
// transpose permutes the lists. A reshape cuts the concatenated factors anew,
// and where a cut falls inside a factor that factor is split in two, for
// everyone who refers to it. Two tensors related by any such chain thus
// differ only in the order of the same factors, and one reshape, one
// transpose and one reshape lead from one to the other.
//
// Sizes are polynomials (DimExpr), so a cut is possible exactly where the
// division leaves no rest for all values. A reshape that cuts elsewhere ends
// the walk; nothing is assumed.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_RECOGNITION_LAYOUT_H
#define PLMC_FRONTEND_ONNX_RECOGNITION_LAYOUT_H

#include "Match.h"

namespace plmc::recognition {

using Factors = llvm::SmallVector<int, 4>;
/// One list of factors a dimension; a dimension of size 1 has none.
using Layout = llvm::SmallVector<Factors, 4>;

/// Owns the factors of a set of tensors that are looked at together.
class FactorTable {
public:
  /// A factor of its own for every dimension.
  Layout fresh(llvm::ArrayRef<DimExpr> dims);
  /// A new factor of this size; an empty list for size 1.
  Factors create(const DimExpr &size);

  const DimExpr &size(int factor) const { return nodes[factor].size; }
  /// With every split factor replaced by its parts.
  Factors resolve(llvm::ArrayRef<int> factors) const;
  Layout resolve(const Layout &layout) const;
  /// All dimensions' factors in row-major order, resolved.
  Factors flatten(const Layout &layout) const;
  DimExpr product(llvm::ArrayRef<int> factors) const;

  /// The same elements in row-major order, cut into `dims`; nullopt when a
  /// cut falls where no factor can be split.
  std::optional<Layout> regroup(const Layout &layout,
                                llvm::ArrayRef<DimExpr> dims);
  /// The layout of the op's operand from that of its result, for a reshape
  /// or transpose; nullopt for any other op.
  std::optional<Layout> operandLayout(mlir::Operation *op,
                                      const Layout &result);
  /// The layout of the op's result from that of its operand.
  std::optional<Layout> resultLayout(mlir::Operation *op,
                                     const Layout &operand);

private:
  struct Node {
    DimExpr size;
    int first = -1, second = -1; // the parts, once split
  };
  std::vector<Node> nodes;
};

/// A view of `source` (factors in order `from`) as a tensor with factors in
/// order `to`, cut into `dims`: reshape, transpose, reshape, whichever are
/// needed. The orders hold the same unsplit factors.
mlir::Value buildView(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value source, const FactorTable &table,
                      llvm::ArrayRef<int> from, llvm::ArrayRef<int> to,
                      llvm::ArrayRef<DimExpr> dims);

} // namespace plmc::recognition

#endif // PLMC_FRONTEND_ONNX_RECOGNITION_LAYOUT_H
