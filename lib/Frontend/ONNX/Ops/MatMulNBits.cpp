//===- MatMulNBits.cpp - Products with weights of 2, 4 or 8 bits ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// com.microsoft:MatMulNBits, from ONNX Runtime's 4-bit quantiser. The weight is
// [N, blocks, bytes]: each of N columns is divided into blocks that have a
// scale and a zero point of their own, and a byte holds several numbers, the
// lowest bits first. It is unpacked on import to the floats it stands for, [K,
// N]: an ordinary linear layer.
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include "MatMulParts.h"

namespace plmc::importer {

namespace {
/// Numbers of 2, 4 or 8 bits in bytes.
struct Packed {
  HostTensor bytes;
  int64_t bits, perRow; // bytes a row

  double at(int64_t row, int64_t index) const {
    int64_t bit = index * bits;
    uint8_t byte = bytes.as<uint8_t>()[row * perRow + bit / 8];
    return (byte >> (bit % 8)) & ((1 << bits) - 1);
  }
};
} // namespace

static void importMatMulNBits(Node &node) {
  GraphBuilder &b = node.b;
  int64_t depth = node.intAttr("K", 0), columns = node.intAttr("N", 0);
  int64_t bits = node.intAttr("bits", 4), block = node.intAttr("block_size", 0);
  constexpr int64_t limit = int64_t(1) << 20; // no product below overflows
  if (depth < 1 || columns < 1 || block < 1 || depth > limit ||
      columns > limit || block > limit) {
    b.fail("K, N and block_size are " + llvm::Twine(depth) + ", " +
           llvm::Twine(columns) + " and " + llvm::Twine(block) +
           ", expected sizes from 1 to 1048576");
    return;
  }
  if ((bits != 2 && bits != 4 && bits != 8) || block * bits % 8) {
    b.unsupported("weights of " + llvm::Twine(bits) + " bits in blocks of " +
                  llvm::Twine(block));
    return;
  }
  if (node.hasInput(4)) {
    b.unsupported("an order of the columns of its own (g_idx)");
    return;
  }
  Tensor x = node.input(0), packed = node.input(1), scales = node.input(2);
  if (!x || !packed || !scales || b.hasFailed())
    return;
  if (!isFloat(x.dtype()) || x.rank() < 1) {
    b.fail("the first operand is no floating-point matrix");
    return;
  }
  Tensor zeros = node.optionalInput(3);
  if (!packed.literal() || !scales.literal() || (zeros && !zeros.literal())) {
    b.unsupported("weights that are not constants");
    return;
  }
  int64_t blocks = (depth + block - 1) / block;
  int64_t perColumn = blocks * block * bits / 8;
  int64_t zerosPerColumn = (blocks * bits + 7) / 8; // whole bytes
  bool packsZeros = zeros && zeros.dtype() == DType::U8;
  if (packed.dtype() != DType::U8 || !isFloat(scales.dtype()) ||
      packed.literal()->numElements() != columns * perColumn ||
      scales.literal()->numElements() != columns * blocks ||
      (zeros && zeros.literal()->numElements() !=
                    columns * (packsZeros ? zerosPerColumn : blocks))) {
    b.fail("weight, scales or zero points have not the type or the size that "
           "K, N, bits and block_size say");
    return;
  }
  Packed weight{packed.literal()->toHost(), bits, perColumn};
  HostTensor scale = scales.literal()->toHost(), offset;
  if (zeros)
    offset = zeros.literal()->toHost();
  Packed offsets{packsZeros ? offset : HostTensor(), bits, zerosPerColumn};
  HostTensor floats(x.dtype(), {depth, columns});
  for (int64_t n = 0; n < columns; ++n)
    for (int64_t k = 0; k < depth; ++k) {
      int64_t at = n * blocks + k / block;
      double zero = packsZeros ? offsets.at(n, k / block)
                    : zeros    ? offset.getDouble(at)
                               : double(1 << (bits - 1));
      floats.setDouble(k * columns + n,
                       (weight.at(n, k) - zero) * scale.getDouble(at));
    }
  Tensor result =
      matrixProduct(b, x,
                    tensorFromLiteral(makeLiteral(std::move(floats),
                                                  packed.literal()->name)));
  Tensor bias = node.optionalInput(5);
  node.output(0, bias ? b.add(result, bias) : result);
}

void registerMatMulNBits(OpTable &table) {
  table["com.microsoft:MatMulNBits"] = importMatMulNBits;
}

} // namespace plmc::importer
