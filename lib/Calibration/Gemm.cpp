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

static constexpr const char *plainText = R"(
!a = tensor<?x?xf32, #plm.dims<"m", "k">>
!b = tensor<?x?xf32, #plm.dims<"k", "n">>
!c = tensor<?x?xf32, #plm.dims<"m", "n">>
func.func @forward(%a: !a, %b: !b) -> !c {
  %c = plm.matmul %a, %b : (!a, !b) -> !c
  return %c : !c
}
)";
static constexpr const char *transposedText = R"(
!a = tensor<?x?xf32, #plm.dims<"k", "m">>
!t = tensor<?x?xf32, #plm.dims<"m", "k">>
!b = tensor<?x?xf32, #plm.dims<"k", "n">>
!c = tensor<?x?xf32, #plm.dims<"m", "n">>
func.func @forward(%a: !a, %b: !b) -> !c {
  %t = plm.transpose %a [1, 0] : (!a) -> !t
  %c = plm.matmul %t, %b : (!t, !b) -> !c
  return %c : !c
}
)";

llvm::Expected<Gemm::Product> Gemm::compile(MLIRContext *context,
                                            bool transposed) {
  auto module = parseSourceString<ModuleOp>(
      transposed ? transposedText : plainText, context);
  auto model = compileForHost(*module);
  if (!model)
    return model.takeError();
  auto running = (*model)->createContext(/*threads=*/0);
  if (!running)
    return running.takeError();
  return Product{std::move(*model), std::move(*running)};
}

llvm::Expected<std::unique_ptr<Gemm>> Gemm::create(MLIRContext *context) {
  auto gemm = std::make_unique<Gemm>();
  for (bool transposed : {false, true}) {
    auto product = compile(context, transposed);
    if (!product)
      return product.takeError();
    (transposed ? gemm->transposed : gemm->plain) = std::move(*product);
  }
  return gemm;
}

static HostTensor tensorOf(const Matrix &matrix) {
  HostTensor tensor(DType::F32, {matrix.rows(), matrix.cols()});
  std::memcpy(tensor.data.data(), matrix.data(), tensor.data.size());
  return tensor;
}

llvm::Expected<Matrix> Gemm::run(Product &product, const Matrix &a,
                                 const Matrix &b) {
  auto result = product.context->run({tensorOf(a), tensorOf(b)});
  if (!result)
    return result.takeError();
  const HostTensor &c = result->front();
  return Matrix(
      Eigen::Map<const Matrix>(c.as<float>(), c.shape[0], c.shape[1]));
}

llvm::Expected<Matrix> Gemm::transposedTimes(const Matrix &a, const Matrix &b) {
  return run(transposed, a, b);
}

llvm::Expected<Matrix> Gemm::times(const Matrix &a, const Matrix &b) {
  return run(plain, a, b);
}
