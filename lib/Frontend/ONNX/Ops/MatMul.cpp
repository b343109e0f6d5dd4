//===- MatMul.cpp - Matrix products ---------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "MatMulParts.h"

namespace plmc::importer {

Tensor matrixProduct(GraphBuilder &b, Tensor lhs, Tensor rhs) {
  if (!lhs || !rhs)
    return Tensor();
  if (lhs.rank() == 0 || rhs.rank() == 0)
    return b.fail("a matrix product with a scalar");
  bool leftVector = lhs.rank() == 1, rightVector = rhs.rank() == 1;
  if (leftVector)
    lhs = b.reshape(lhs, {1, lhs.dim(0)});
  if (rightVector)
    rhs = b.reshape(rhs, {rhs.dim(0), 1});
  Tensor product = b.matmul(lhs, rhs);
  if (!product || (!leftVector && !rightVector))
    return product;
  Dims dims(product.dims().begin(), product.dims().end());
  if (rightVector)
    dims.erase(dims.end() - 1);
  if (leftVector)
    dims.erase(dims.end() - (rightVector ? 1 : 2));
  return b.reshape(product, dims);
}

static void importMatMul(Node &node) {
  node.output(0, matrixProduct(node.b, node.input(0), node.input(1)));
}

Tensor gemm(Node &node) {
  GraphBuilder &b = node.b;
  Tensor lhs = node.input(0), rhs = node.input(1), c = node.optionalInput(2);
  if (!lhs || !rhs)
    return Tensor();
  if (lhs.rank() != 2 || rhs.rank() != 2)
    return b.fail("the operands have ranks " + llvm::Twine(lhs.rank()) +
                  " and " + llvm::Twine(rhs.rank()) + ", expected 2");
  if (node.intAttr("transA", 0))
    lhs = b.transpose(lhs, {1, 0});
  if (node.intAttr("transB", 0))
    rhs = b.transpose(rhs, {1, 0});
  Tensor result = b.matmul(lhs, rhs);
  double alpha = node.floatAttr("alpha", 1), beta = node.floatAttr("beta", 1);
  if (alpha != 1)
    result = b.mul(result, b.scalar(result.dtype(), alpha));
  if (c && beta != 0) {
    if (beta != 1)
      c = b.mul(c, b.scalar(c.dtype(), beta));
    result = b.add(result, c);
  }
  return result;
}

static void importGemm(Node &node) { node.output(0, gemm(node)); }

void registerMatMul(OpTable &table) {
  registerConv(table);
  table["MatMul"] = importMatMul;
  table["Gemm"] = importGemm;
}

} // namespace plmc::importer
