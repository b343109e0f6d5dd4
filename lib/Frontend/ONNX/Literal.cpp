//===- Literal.cpp - A tensor whose value is known ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Literal.h"
#include <cstring>

namespace plmc::importer {

int64_t Literal::numElements() const { return bytes.size() / dtypeSize(dtype); }

HostTensor Literal::toHost() const {
  HostTensor tensor;
  tensor.dtype = dtype;
  tensor.shape = shape;
  tensor.data.assign(bytes.begin(), bytes.end());
  return tensor;
}

LiteralPtr makeLiteral(HostTensor tensor, llvm::StringRef name) {
  auto owner = std::make_shared<HostTensor>(std::move(tensor));
  auto literal = std::make_shared<Literal>();
  literal->dtype = owner->dtype;
  literal->shape = owner->shape;
  literal->bytes = owner->data;
  literal->owner = owner;
  literal->name = name.str();
  return literal;
}

LiteralPtr reshapeLiteral(const LiteralPtr &literal,
                          llvm::ArrayRef<int64_t> shape) {
  auto result = std::make_shared<Literal>(*literal);
  result->shape.assign(shape.begin(), shape.end());
  return result;
}

} // namespace plmc::importer
