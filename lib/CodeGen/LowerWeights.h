//===- LowerWeights.h - Parameters to plk.weight ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_LOWERWEIGHTS_H
#define PLMC_LIB_CODEGEN_LOWERWEIGHTS_H

#include "QuantizedWeight.h"
#include "Table.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Dialect/PLK/PLK.h"

namespace plmc {

uint64_t hashOf(llvm::ArrayRef<float> values);

/// Makes the plk.weight of what an op reads, before `func`; the same one for
/// the same parameter in the same layout. Fails if the value is no parameter
/// in a form that kernels read.
class WeightLowering {
public:
  WeightLowering(mlir::ModuleOp module, mlir::func::FuncOp func,
                 int64_t panelWidth)
      : func(func), symbols(module), builder(func.getContext()),
        panelWidth(panelWidth) {}

  /// The table of an embedding, in any form that TableSource knows. What is
  /// wrong with an f32 table is reported.
  mlir::FailureOr<mlir::FlatSymbolRefAttr> table(mlir::Value value);
  /// A [N] operand (bias, gamma, beta): a parameter, or a constant, which
  /// becomes one.
  mlir::FailureOr<mlir::FlatSymbolRefAttr> row(mlir::Value value);
  /// The weight of a product, in panels, in the product's precision.
  mlir::FailureOr<plk::WeightOp> panels(plm::LinearOp linear);
  /// The weight of a product in f32 of quantized values, for a product of the
  /// integers; null if they cannot be multiplied so.
  plk::WeightOp integerPanels(plm::LinearOp linear);

private:
  using Ref = mlir::FlatSymbolRefAttr;
  mlir::FailureOr<plk::WeightOp> plain(mlir::Value value, bool panels,
                                       bool transposed);
  mlir::FailureOr<plk::WeightOp> quantized(const QuantizedWeight &source,
                                           bool panels, bool transposed);
  mlir::FailureOr<plk::WeightOp> lowBitTable(const QuantizedWeight &source);
  mlir::FailureOr<plk::WeightOp> codedTable(const TableSource &source);
  mlir::FailureOr<Ref> codebooks(mlir::Value value);
  mlir::FailureOr<Ref> mapTo(int64_t rows, mlir::Value map);
  mlir::FailureOr<plk::WeightOp> integers(plm::LinearOp linear);
  plk::WeightOp create(plm::GetParameterOp get, bool panels, bool transposed);
  /// Values that were computed now, as a weight: `panel` columns wide panels,
  /// or 0 for a vector. Integers are `quantized` by themselves.
  Ref store(llvm::StringRef name, llvm::ArrayRef<float> values,
            llvm::ArrayRef<int64_t> shape, int64_t panel = 0);
  Ref storeBlob(llvm::StringRef name, mlir::AsmResourceBlob blob,
                mlir::RankedTensorType type, int64_t panel = 0);
  /// Scales of the rows of a table: in bf16 where that is exact.
  Ref storeRowScales(llvm::StringRef name, llvm::ArrayRef<float> scales,
                     llvm::ArrayRef<int64_t> shape);

  mlir::func::FuncOp func;
  mlir::SymbolTable symbols;
  mlir::OpBuilder builder;
  int64_t panelWidth;
  std::map<std::string, plk::WeightOp> weights;
};

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_LOWERWEIGHTS_H
