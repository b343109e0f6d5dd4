//===- SparseTensor.cpp - Sparse tensor messages, made dense --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values and where they are: as positions in row-major order, or as one row of
// coordinates each. A few bytes can claim any size, so a tensor is refused that
// would be large and nearly empty.
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "ModelFile.h"

using namespace llvm;

namespace plmc::importer {

/// Always made; above it, at most `maxExpansion` bytes for each stored one.
static constexpr int64_t alwaysDense = 1 << 20, maxExpansion = 1024;

/// The row-major position of value `i`; nullopt when it is outside.
static std::optional<int64_t> positionOf(const HostTensor &indices, int64_t i,
                                         ArrayRef<int64_t> shape,
                                         int64_t count) {
  if (indices.rank() == 1) {
    int64_t position = indices.getInt(i);
    return position >= 0 && position < count ? std::optional<int64_t>(position)
                                             : std::nullopt;
  }
  int64_t position = 0, rank = shape.size();
  for (int64_t axis = 0; axis < rank; ++axis) {
    int64_t index = indices.getInt(i * rank + axis);
    if (index < 0 || index >= shape[axis])
      return std::nullopt;
    position = position * shape[axis] + index;
  }
  return position;
}

Expected<LiteralPtr> ModelFile::literal(const onnx::SparseTensorProto &sparse) {
  auto known = sparseLiterals.find(&sparse);
  if (known != sparseLiterals.end())
    return known->second;
  std::string name = sparse.values().name();
  auto refuse = [&](const Twine &message) {
    return badModel("sparse tensor '" + printable(name) + "' " + message);
  };
  Expected<LiteralPtr> values = literal(sparse.values());
  if (!values)
    return values.takeError();
  Expected<LiteralPtr> indices = literal(sparse.indices());
  if (!indices)
    return indices.takeError();

  DType dtype = (*values)->dtype;
  int64_t size = dtypeSize(dtype), count = 1, bytes = size;
  SmallVector<int64_t, 4> shape;
  if (sparse.dims_size() > 64)
    return refuse("has " + Twine(sparse.dims_size()) + " dimensions");
  for (int64_t dim : sparse.dims()) {
    if (dim < 0 || __builtin_mul_overflow(count, dim, &count) ||
        __builtin_mul_overflow(bytes, dim, &bytes))
      return refuse("has impossible dimensions");
    shape.push_back(dim);
  }
  int64_t stored = (*values)->numElements(), rank = shape.size();
  if (bytes > alwaysDense &&
      bytes / maxExpansion > int64_t((*values)->bytes.size()))
    return unsupported("sparse tensor '" + printable(name) + "' would need " +
                       Twine(bytes) + " bytes for " + Twine(stored) +
                       " values; store it densely");
  ArrayRef<int64_t> indexShape = (*indices)->shape;
  bool isLinear = indexShape == ArrayRef<int64_t>{stored};
  bool isRows = indexShape == ArrayRef<int64_t>{stored, rank};
  if ((*indices)->dtype != DType::I64 || (!isLinear && !isRows))
    return refuse("has indices that do not fit its values");

  HostTensor dense(dtype, shape), where = (*indices)->toHost();
  for (int64_t i = 0; i < stored; ++i) {
    std::optional<int64_t> position = positionOf(where, i, shape, count);
    if (!position)
      return refuse("has an index outside its dimensions");
    std::copy_n((*values)->bytes.data() + i * size, size,
                dense.data.data() + *position * size);
  }
  return sparseLiterals[&sparse] = makeLiteral(std::move(dense), name);
}

} // namespace plmc::importer
