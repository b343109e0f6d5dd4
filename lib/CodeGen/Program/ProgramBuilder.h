//===- ProgramBuilder.h - The emitter's parts -------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_PROGRAM_PROGRAMBUILDER_H
#define PLMC_LIB_CODEGEN_PROGRAM_PROGRAMBUILDER_H

#include "../Kernels/Kernels.h"
#include "../ProgramEmitter.h"
#include "../RowChains.h"
#include "../RuntimeInterface.h"
#include "../TensorOps/TensorOps.h"
#include "plmc/CodeGen/Passes.h"
#include "llvm/ADT/StringMap.h"

namespace plmc {

using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::Operation;
using mlir::RankedTensorType;

class ProgramBuilder {
public:
  ProgramBuilder(mlir::ModuleOp source, mlir::ModuleOp output,
                 const TargetInfo &target, WeightSection &weights,
                 ProgramInfo &info)
      : source(source), output(output), weights(weights), info(info),
        sourceSymbols(source), b(source.getContext(), target) {}

  LogicalResult emit();

private:
  // Dimensions.
  void collectSymbols();
  Value dimension(Value dims, const DimExpr &expr, Value threads = {});
  Value dim(const DimExpr &expr) { return dimension(dims, expr); }
  DimExpr rowsOf(RankedTensorType type);

  // Addresses, inside plm_gen_run.
  Value frameField(int64_t offset) { return b.loadPtr(frame, offset); }
  FailureOr<Value> weightAddress(Operation *user, llvm::StringRef symbol);
  FailureOr<Value> optionalWeight(Operation *user,
                                  std::optional<llvm::StringRef> symbol);
  FailureOr<Value> address(Value value);

  // Sharing work.
  struct Range {
    Value lo, hi;
  };
  Range share(Value count);
  Value isFew(Value rows);
  /// The rows that are being computed: the current block's, or a share.
  Range ownRows(Value rows) { return rowBlock ? rowBlock->rows : share(rows); }
  /// Where row 0 of the value would be, if the rows of the current block are
  /// where they are.
  FailureOr<Value> rowAddress(Value value);
  void barrier() { b.call(barrierFunc, {frame, threads}); }

  /// The kernel of that name; built when it is first asked for.
  template <typename BuildT>
  mlir::func::FuncOp kernel(llvm::StringRef key, BuildT &&build) {
    mlir::func::FuncOp &func = kernels[key];
    if (!func) {
      mlir::OpBuilder::InsertionGuard guard(b);
      func = build();
    }
    if (stepKernel.empty())
      stepKernel = func.getSymName().str();
    return func;
  }

  // Profiles (Steps.cpp).
  void numberLayers();
  void beginSteps();
  void endStep(Operation *op);
  ProgramInfo::Step describeStep(Operation *op);
  Value readCounter();
  void addTicks(int64_t index);

  LogicalResult emitRun();
  LogicalResult emitPhase(llvm::StringRef name, mlir::Block::iterator begin,
                          mlir::Block::iterator end);
  LogicalResult emitOp(Operation *op);
  LogicalResult emitChain(const RowChain &chain);
  LogicalResult appendScales(Operation *user, plk::WeightOp weight,
                             llvm::SmallVectorImpl<Value> &arguments);
  LogicalResult appendTableParts(Operation *user, plk::WeightOp table,
                                 llvm::SmallVectorImpl<Value> &arguments);
  LogicalResult emitEmbed(plk::EmbedOp op, Value result);
  LogicalResult emitLinear(plk::LinearOp op, Value result);
  LogicalResult emitEncodeRows(plk::EncodeRowsOp op, Value result);
  LogicalResult emitAttention(plk::AttentionOp op, Value result);
  LogicalResult emitNorm(plk::NormOp op, Value result);
  LogicalResult emitPool(plk::PoolOp op, Value result);
  LogicalResult emitL2(plm::L2NormalizeOp op, Value result);
  void emitPack(Value from, Value to, RankedTensorType packedType, bool pack);
  LogicalResult emitTensorOp(Operation *op, Value result);
  LogicalResult emitReturn(mlir::func::ReturnOp op);
  void normRows(Value gamma, Value beta, Value x, Value y, int64_t width,
                double epsilon, Range rows);
  void copyBytes(Value from, Value to, Value bytes);
  LogicalResult emitPlan();
  LogicalResult emitCheck();
  void emitOutputDims();
  void emitTokenDims();
  int32_t indexCheck(Operation *op, const llvm::Twine &what);

  mlir::ModuleOp source, output;
  WeightSection &weights;
  ProgramInfo &info;
  mlir::SymbolTable sourceSymbols;
  KernelBuilder b;
  mlir::func::FuncOp forward, barrierFunc;
  llvm::StringMap<mlir::func::FuncOp> kernels;
  std::map<std::string, int64_t> symbolIndex;
  /// More weights than stay in a cache from one run to the next. Where they do,
  /// prefetching costs up to 6 % (int8), where they do not it gains 10 %.
  bool streamsWeights = false;
  Value frame, thread, threads, dims;
  /// A block of rows of a chain, while its ops are emitted.
  struct RowBlock {
    const RowChain &chain;
    Range rows;
    Value shift; // from a row to where local values have it, in rows
  };
  std::optional<RowBlock> rowBlock;
  Value ticks, profiling;
  std::string stepKernel;
  llvm::DenseMap<Operation *, int64_t> layerOf, stepOf;
  llvm::DenseMap<Value, Value> addresses;
};

/// The argument that holds exactly these ids, in another shape or a narrower
/// type: checking it says more than checking them. Null: they are computed.
mlir::BlockArgument idsArgument(Value ids);

inline int64_t widthOf(Value value) {
  return mlir::cast<RankedTensorType>(value.getType()).getShape().back();
}

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_PROGRAM_PROGRAMBUILDER_H
