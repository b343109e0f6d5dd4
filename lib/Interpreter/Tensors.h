//===- Tensors.h - Conversion and movement of elements ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_INTERPRETER_TENSORS_H
#define PLMC_INTERPRETER_TENSORS_H

#include "mlir/IR/Types.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace plmc::interp {

/// "[2, 3]".
std::string shapeString(llvm::ArrayRef<int64_t> shape);
/// Product of the sizes. No overflow: the tensor exists.
int64_t countElements(llvm::ArrayRef<int64_t> shape);

/// Refuses shapes with negative sizes and tensors over 16 GiB, which no model
/// of this family has: a wrong shape should be one line, not a swap storm.
/// `what` starts the message.
llvm::Error checkSize(DType dtype, llvm::ArrayRef<int64_t> shape,
                      const llvm::Twine &what);
/// Fails unless the tensor has as many bytes as its shape needs and fits the
/// static parts of the type. `what` starts the message.
llvm::Error checkTensor(const HostTensor &tensor, mlir::Type type,
                        const llvm::Twine &what);

/// Truncates toward zero. What does not fit saturates and NaN gives 0, as in
/// LLVM's fptosi.sat, so that every float has an integer on every machine.
int64_t doubleToInt(double value, DType dtype);
/// Least and greatest value of an integer type (Bool: 0 and 1).
int64_t minInt(DType dtype);
int64_t maxInt(DType dtype);

/// All elements as another type. Floats to integers as doubleToInt.
std::vector<double> toDoubles(const HostTensor &tensor);
std::vector<int64_t> toInts(const HostTensor &tensor);
/// Stores into [offset, offset + count): floats round, doubles to integers
/// as doubleToInt, integers to narrower ones wrap, Bool is != 0.
void storeDoubles(HostTensor &tensor, int64_t offset, const double *values,
                  int64_t count);
void storeInts(HostTensor &tensor, int64_t offset, const int64_t *values,
               int64_t count);
inline void storeDoubles(HostTensor &tensor, llvm::ArrayRef<double> values) {
  storeDoubles(tensor, 0, values.data(), values.size());
}
inline void storeInts(HostTensor &tensor, llvm::ArrayRef<int64_t> values) {
  storeInts(tensor, 0, values.data(), values.size());
}

/// Row-major strides, in elements.
llvm::SmallVector<int64_t, 4> stridesOf(llvm::ArrayRef<int64_t> shape);
/// Strides that read `shape` as if it had the shape `target` (right-aligned,
/// 0 where it repeats); nullopt when it does not broadcast to it.
std::optional<llvm::SmallVector<int64_t, 4>>
broadcastStrides(llvm::ArrayRef<int64_t> shape, llvm::ArrayRef<int64_t> target);
/// Calls `visit(index)` with the source offset of each element of `shape` in
/// row-major order, where a step along dim i moves the offset by strides[i].
template <typename Visitor>
void forEachOffset(llvm::ArrayRef<int64_t> shape,
                   llvm::ArrayRef<int64_t> strides, int64_t offset,
                   Visitor visit) {
  int64_t rank = shape.size();
  for (int64_t size : shape)
    if (size == 0)
      return;
  if (rank == 0)
    return visit(offset);
  llvm::SmallVector<int64_t, 4> position(rank, 0);
  while (true) {
    int64_t inner = shape[rank - 1], stride = strides[rank - 1];
    for (int64_t i = 0; i < inner; ++i)
      visit(offset + i * stride);
    int64_t dim = rank - 2;
    for (; dim >= 0; --dim) {
      offset += strides[dim];
      if (++position[dim] < shape[dim])
        break;
      offset -= strides[dim] * shape[dim];
      position[dim] = 0;
    }
    if (dim < 0)
      return;
  }
}

/// result[i...] = input[offset + sum i * strides]: transposes, slices and
/// broadcasts. The caller has checked that every offset is in range.
void copyStrided(HostTensor &result, const HostTensor &input,
                 llvm::ArrayRef<int64_t> strides, int64_t offset);

} // namespace plmc::interp

#endif // PLMC_INTERPRETER_TENSORS_H
