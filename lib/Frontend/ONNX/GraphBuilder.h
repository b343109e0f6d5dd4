//===- GraphBuilder.h - Emits plm operations, folding what is known *- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary of the operator handlers (Ops/): one function a plm
// operation, on Tensors. Each of them
// * infers the result's symbolic shape, recording what must be equal;
// * follows contents, so that shape arithmetic leaves no operations;
// * folds constants through the interpreter, within a budget;
// * otherwise emits the operation, verified on the spot.
//
// The first failure is kept, with the node it happened at, and everything
// after it gives null tensors: see Tensor.h.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_GRAPHBUILDER_H
#define PLMC_FRONTEND_ONNX_GRAPHBUILDER_H

#include "DimSymbols.h"
#include "Tensor.h"
#include "WeightStore.h"
#include "mlir/IR/Builders.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

namespace plmc::importer {

/// True for a constant that is an 8-bit matrix, not a list or a number: it
/// stays one, as a parameter, until the code that multiplies by it.
bool isQuantizedWeight(const LiteralPtr &literal);

class GraphBuilder {
public:
  /// Parameters go before `anchor`, operations to the end of `block`.
  GraphBuilder(mlir::Operation *anchor, mlir::Block *block, DimSymbols &symbols,
               WeightStore &weights);

  //===--------------------------------------------------------------------===//
  // State of the import
  //===--------------------------------------------------------------------===//

  /// The node that operations come from: `where` starts its error messages,
  /// the location is "name (opType)".
  void setNode(std::string where, llvm::StringRef name,
               llvm::StringRef opType = "");
  llvm::StringRef getNodeName() const { return nodeName; }

  /// Record a failure at the current node; null, to return from a handler.
  Tensor fail(const llvm::Twine &message);        // the model is wrong
  Tensor unsupported(const llvm::Twine &message); // we are not there yet
  /// Takes over kind and message of a reader's error.
  Tensor fail(llvm::Error error);
  /// A symbol was replaced: the import has to start over.
  bool needsRestart() const { return restart; }
  bool hasFailed() const { return restart || failure; }
  /// The failure, or success.
  llvm::Error takeFailure();

  /// Unifies the names of a reshape's dimensions one by one; true: start over.
  bool equatePairs(llvm::ArrayRef<DimExpr> from, llvm::ArrayRef<DimExpr> to);
  /// The dimensions must be equal. `what` is for the message: "the batch".
  bool requireEqual(const DimExpr &a, const DimExpr &b,
                    const llvm::Twine &what);
  /// a <= b, by proof or else by a plm.constraint with `message`.
  void requireLessEqual(const DimExpr &a, const DimExpr &b,
                        const llvm::Twine &message);

  /// The IR value, created now if there is none yet.
  mlir::Value valueOf(const Tensor &tensor);
  /// An IR value that exists already: a function argument.
  Tensor fromValue(mlir::Value value);

  //===--------------------------------------------------------------------===//
  // Constants
  //===--------------------------------------------------------------------===//

  /// Rank 0. Floats round to dtype.
  Tensor scalar(DType dtype, double value);
  Tensor intVector(llvm::ArrayRef<int64_t> values);
  Tensor shapeOf(llvm::ArrayRef<DimExpr> dims); // i64, rank 1
  Tensor sizeScalar(const DimExpr &size);       // i64, rank 0
  /// start + step * i for i < size; i64 or i32.
  Tensor iota(DType dtype, const DimExpr &start, int64_t step,
              const DimExpr &size);

  //===--------------------------------------------------------------------===//
  // Operations (semantics: PLMOps.td)
  //===--------------------------------------------------------------------===//

  Tensor unary(plm::UnaryKind kind, const Tensor &x);
  Tensor binary(plm::BinaryKind kind, const Tensor &a, const Tensor &b);
  Tensor add(const Tensor &a, const Tensor &b) {
    return binary(plm::BinaryKind::Add, a, b);
  }
  Tensor sub(const Tensor &a, const Tensor &b) {
    return binary(plm::BinaryKind::Sub, a, b);
  }
  Tensor mul(const Tensor &a, const Tensor &b) {
    return binary(plm::BinaryKind::Mul, a, b);
  }
  Tensor div(const Tensor &a, const Tensor &b) {
    return binary(plm::BinaryKind::Div, a, b);
  }
  Tensor select(const Tensor &condition, const Tensor &a, const Tensor &b);
  Tensor cast(const Tensor &x, DType to);
  Tensor activation(plm::ActivationKind kind, const Tensor &x);
  /// Scale and zero point (which may be null) are scalars, tensors of one
  /// element, or vectors along `axis`, which may be negative.
  Tensor quantize(const Tensor &x, const Tensor &scale, const Tensor &zeroPoint,
                  int64_t axis, DType resultType);
  /// To the scale's type. Weights stay 8-bit: they are not folded.
  Tensor dequantize(const Tensor &x, const Tensor &scale,
                    const Tensor &zeroPoint, int64_t axis);
  /// A weight with scales for blocks along an axis: becomes floats at import.
  Tensor dequantizeBlocks(const Tensor &x, const Tensor &scale,
                          const Tensor &zeroPoint, int64_t axis, int64_t block);

  Tensor reshape(const Tensor &x, llvm::ArrayRef<DimExpr> dims);
  Tensor transpose(const Tensor &x, llvm::ArrayRef<int64_t> permutation);
  Tensor broadcastTo(const Tensor &x, llvm::ArrayRef<DimExpr> dims);
  Tensor concat(llvm::ArrayRef<Tensor> inputs, int64_t axis);
  /// Sizes must be right already; constraints are the caller's.
  Tensor slice(const Tensor &x, llvm::ArrayRef<DimExpr> starts,
               llvm::ArrayRef<int64_t> steps, llvm::ArrayRef<DimExpr> sizes);
  Tensor gather(const Tensor &data, const Tensor &indices, int64_t axis);
  Tensor gatherElements(const Tensor &data, const Tensor &indices,
                        int64_t axis);
  Tensor gatherND(const Tensor &data, const Tensor &indices, int64_t batchDims);
  Tensor scatterND(plm::ScatterKind kind, const Tensor &data,
                   const Tensor &indices, const Tensor &updates);
  Tensor scatterElements(plm::ScatterKind kind, const Tensor &data,
                         const Tensor &indices, const Tensor &updates,
                         int64_t axis);

  /// Rank >= 2 each; batch dimensions broadcast.
  Tensor matmul(const Tensor &a, const Tensor &b);
  /// `axes` in any order, non-negative, distinct.
  Tensor reduce(plm::ReduceKind kind, const Tensor &x,
                llvm::ArrayRef<int64_t> axes, bool keepdims);
  /// `kind` is Max or Min; the result is i64.
  Tensor argReduce(plm::ReduceKind kind, const Tensor &x, int64_t axis,
                   bool keepdims, bool last);
  Tensor softmax(const Tensor &x, int64_t axis);
  Tensor cumsum(const Tensor &x, int64_t axis, bool exclusive, bool reverse);
  /// Over the last dimension; gamma and beta (may be null) are [H].
  Tensor layerNorm(const Tensor &x, const Tensor &gamma, const Tensor &beta,
                   double epsilon);

  /// Columns [from, from + count) of a weight; `suffix` names the part. A part
  /// of a constant is a constant, the same one each time.
  Tensor columns(const Tensor &weight, int64_t from, int64_t count,
                 llvm::StringRef suffix);

  /// Numpy broadcasting of shapes; nullopt after recording a failure.
  std::optional<Dims> broadcastDims(llvm::ArrayRef<DimExpr> a,
                                    llvm::ArrayRef<DimExpr> b);

private:
  using BuildFn = llvm::function_ref<mlir::Operation *(
      mlir::OpBuilder &, mlir::Location, mlir::RankedTensorType,
      mlir::ValueRange)>;
  /// Folds or emits one operation. `mayFold`: false keeps the operation even
  /// on constants.
  Tensor emit(llvm::ArrayRef<Tensor> operands, DType dtype,
              llvm::ArrayRef<DimExpr> dims, bool mayFold, BuildFn build);
  Tensor fold(llvm::ArrayRef<Tensor> operands, mlir::RankedTensorType type,
              BuildFn build);
  Tensor affine(const Tensor &x, Tensor scale, Tensor zeroPoint, int64_t axis,
                DType resultType, bool quantizes);
  void assumeAllRead(const Tensor &indices, const DimExpr &extent);
  bool checkShape(DType dtype, llvm::ArrayRef<DimExpr> dims);
  bool checkAxis(int64_t axis, int64_t rank);
  bool checkConstantIndices(const Tensor &indices,
                            llvm::ArrayRef<DimExpr> extents);
  bool checkElementIndices(const Tensor &data, const Tensor &indices,
                           int64_t axis);
  mlir::Value materializeLiteral(const LiteralPtr &literal);
  Tensor record(ImportError::Kind kind, const llvm::Twine &message);

  mlir::MLIRContext *context;
  mlir::OpBuilder builder, parameterBuilder;
  DimSymbols &symbols;
  WeightStore &weights;

  std::string where, nodeName;
  mlir::Location location;
  std::optional<std::pair<ImportError::Kind, std::string>> failure;
  bool restart = false;

  llvm::DenseMap<const Literal *, mlir::Value> literalValues;
  llvm::DenseMap<const Weight *, mlir::Value> weightValues;
  std::vector<LiteralPtr> keepAlive; // keys of literalValues
  struct SplitWeight {
    LiteralPtr whole;
    std::map<std::pair<int64_t, int64_t>, Tensor> parts; // by from, count
    int64_t copied = 0;                                  // columns
  };
  llvm::DenseMap<const Literal *, SplitWeight> splitWeights;
  llvm::StringSet<> constraints; // expressions that hold by constraint
  /// Elements that folding may still read and write: bounds the time and the
  /// memory that a hostile file can make us spend on constants.
  int64_t foldBudget = 64 << 20;
};

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_GRAPHBUILDER_H
