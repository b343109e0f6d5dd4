//===- Gemm.cpp - Large products on the host ------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/Gemm.h"
#include "Segment.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace plmc;

static constexpr const char *text = R"(
!a = tensor<?x?xf32, #plm.dims<"m", "k">>
!b = tensor<?x?xf32, #plm.dims<"k", "n">>
!c = tensor<?x?xf32, #plm.dims<"m", "n">>
func.func @forward(%a: !a, %b: !b) -> !c {
  %c = plm.matmul %a, %b : (!a, !b) -> !c
  return %c : !c
}
)";

llvm::Expected<std::unique_ptr<Gemm>> Gemm::create(MLIRContext *context) {
  auto gemm = std::make_unique<Gemm>();
  gemm->mlirContext = context;
  return gemm;
}

llvm::Error Gemm::compile() {
  auto module = parseSourceString<ModuleOp>(text, mlirContext);
  auto compiled = compileForHost(*module);
  if (!compiled)
    return compiled.takeError();
  model = std::move(*compiled);
  auto running = model->createContext(/*threads=*/0);
  if (!running)
    return running.takeError();
  context = std::move(*running);
  return llvm::Error::success();
}

static HostTensor tensorOf(const Matrix &matrix) {
  HostTensor tensor(DType::F32, {matrix.rows(), matrix.cols()});
  std::memcpy(tensor.data.data(), matrix.data(), tensor.data.size());
  return tensor;
}

llvm::Expected<Matrix> Gemm::times(const Matrix &a, const Matrix &b) {
  // Not worth a compilation.
  if (a.rows() * a.cols() * b.cols() < int64_t(1) << 24)
    return Matrix(a * b);
  if (!context)
    if (llvm::Error error = compile())
      return error;
  // Some rows at a time: both sides are copied.
  constexpr int64_t most = 2048;
  Matrix product(a.rows(), b.cols());
  HostTensor right = tensorOf(b);
  for (int64_t row = 0; row < a.rows(); row += most) {
    int64_t rows = std::min(most, a.rows() - row);
    auto result = context->run({tensorOf(a.middleRows(row, rows)), right});
    if (!result)
      return result.takeError();
    std::memcpy(product.data() + row * b.cols(), result->front().data.data(),
                result->front().data.size());
  }
  return product;
}

/// Square by square, so that both sides stay in the cache.
static Matrix transposeOf(const Eigen::Ref<const Matrix> &a) {
  constexpr int64_t size = 32;
  Matrix result(a.cols(), a.rows());
  for (int64_t i = 0; i < a.rows(); i += size)
    for (int64_t j = 0; j < a.cols(); j += size) {
      int64_t rows = std::min(size, a.rows() - i);
      int64_t columns = std::min(size, a.cols() - j);
      result.block(j, i, columns, rows) =
          a.block(i, j, rows, columns).transpose();
    }
  return result;
}

/// A tile of the product runs down a column of its right side: sums over many
/// rows go some rows and columns at a time, so that this stays in the cache.
static constexpr int64_t rowStep = 1024, columnStep = 384;

llvm::Expected<Matrix> Gemm::transposedTimes(const RowSource &a,
                                             const RowSource &b) {
  Matrix sum = Matrix::Zero(a.cols, b.cols);
  for (int64_t row = 0; row < a.rows; row += rowStep) {
    int64_t rows = std::min(rowStep, a.rows - row);
    Matrix left = transposeOf(a.read(row, rows)), right = b.read(row, rows);
    for (int64_t column = 0; column < b.cols; column += columnStep) {
      int64_t columns = std::min(columnStep, b.cols - column);
      auto part = times(left, right.middleCols(column, columns));
      if (!part)
        return part.takeError();
      sum.middleCols(column, columns) += *part;
    }
  }
  return sum;
}

llvm::Expected<Matrix> Gemm::gram(const RowSource &a) {
  int64_t n = a.cols;
  Matrix sum = Matrix::Zero(n, n);
  for (int64_t row = 0; row < a.rows; row += rowStep) {
    int64_t rows = std::min(rowStep, a.rows - row);
    Matrix right = a.read(row, rows), left = transposeOf(right);
    for (int64_t column = 0; column < n; column += columnStep) {
      int64_t columns = std::min(columnStep, n - column);
      // On and below the diagonal.
      auto part =
          times(left.bottomRows(n - column), right.middleCols(column, columns));
      if (!part)
        return part.takeError();
      sum.block(column, column, n - column, columns) += *part;
    }
  }
  sum.triangularView<Eigen::StrictlyUpper>() = sum.transpose();
  return sum;
}
