//===- GraphWriter.h - Builds an ONNX graph ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_EXPORT_GRAPHWRITER_H
#define PLMC_LIB_EXPORT_GRAPHWRITER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "onnx-ml.pb.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Error.h"

namespace plmc::onnx_export {

/// A weight or constant. `bytes` points into the mapped input or into `owned`.
struct Initializer {
  std::string name;
  DType dtype;
  llvm::SmallVector<int64_t> shape;
  llvm::ArrayRef<char> bytes;
  std::unique_ptr<std::vector<char>> owned;
  bool halfBytes = false; // of an 8-bit dtype: INT4 or UINT4, two a byte

  /// Takes the data over.
  void own(std::vector<char> data);
};

/// One attribute of a node.
struct Attr {
  static Attr of(llvm::StringRef name, int64_t value);
  static Attr of(llvm::StringRef name, double value);
  static Attr of(llvm::StringRef name, llvm::StringRef text);
  static Attr of(llvm::StringRef name, llvm::ArrayRef<int64_t> values);
  onnx::AttributeProto proto;
};

/// TensorProto::DataType of a dtype.
int32_t onnxType(DType dtype);

/// Owns the graph while it grows. Nodes must be added in topological order.
/// The first failure is kept (takeError); what is built after it is void.
class GraphWriter {
public:
  explicit GraphWriter(mlir::func::FuncOp func);

  /// Adds a node with one output and returns the output's name: `output`, or
  /// a fresh one.
  std::string node(llvm::StringRef type, llvm::ArrayRef<std::string> inputs,
                   llvm::ArrayRef<Attr> attrs = {},
                   llvm::StringRef output = "");

  /// The name of a value: an input's, an output's, a weight's or a fresh one.
  std::string nameOf(mlir::Value value);
  void setName(mlir::Value value, std::string name);
  std::string freshName(llvm::StringRef hint);
  /// Takes a name that must come out as it is; false if it is taken.
  bool reserveName(llvm::StringRef name) { return taken.insert(name).second; }

  /// Small constants, one initializer each distinct value.
  std::string ints(llvm::ArrayRef<int64_t> values); // int64[n]
  std::string intScalar(int64_t value);             // int64[]
  std::string scalar(double value, DType dtype);    // dtype[]
  void addInitializer(Initializer initializer);

  /// Values that are written in 4 bits (findHalfBytes).
  llvm::DenseSet<mlir::Value> halfBytes;

  /// Dimensions as data: int64[n] and int64[].
  std::string dims(llvm::ArrayRef<DimExpr> dims);
  std::string dimScalar(const DimExpr &dim);

  void fail(mlir::Operation *op, const llvm::Twine &why,
            std::errc kind = std::errc::not_supported);
  bool failed() const { return bool(error); }
  llvm::Error takeError();

  onnx::GraphProto graph; // without initializers
  std::vector<Initializer> initializers;

private:
  std::string dim(const DimExpr &dim); // int64[1]
  std::string symbol(const std::string &name);

  mlir::func::FuncOp func;
  llvm::DenseMap<mlir::Value, std::string> names;
  llvm::StringSet<> taken;
  llvm::StringMap<std::string> constants; // spelling -> initializer
  llvm::StringMap<std::string> dimNames;  // expression -> int64[1]
  std::optional<std::pair<std::errc, std::string>> error;
  unsigned nextName = 0;
};

/// Adds the nodes of one op of the function's body; false if it is not one
/// that the file knows.
bool writeTensorOp(GraphWriter &writer, mlir::Operation *op);
bool writeTransformerOp(GraphWriter &writer, mlir::Operation *op);

/// The parameters and constants of 8-bit integers that can be INT4 or UINT4 in
/// the file: small values that plm.dequantize alone reads.
llvm::DenseSet<mlir::Operation *> findHalfBytes(mlir::ModuleOp module,
                                                mlir::func::FuncOp func);
/// The low halves of bytes, the first of two in the low half.
std::vector<char> packHalfBytes(llvm::ArrayRef<char> bytes);

/// Element type of a tensor value. Verified IR only.
DType dtypeOf(mlir::Value value);
llvm::SmallVector<DimExpr> dimsOf(mlir::Value value);

/// Writes model and weights; see exportONNX.
llvm::Error writeModel(const GraphWriter &writer, llvm::StringRef path,
                       uint64_t inlineLimit);

} // namespace plmc::onnx_export

#endif // PLMC_LIB_EXPORT_GRAPHWRITER_H
