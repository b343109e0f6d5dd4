//===- Gather.cpp - Reading and writing by index --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"
#include <cstring>

using namespace llvm;

namespace plmc::importer {

static void importGather(Node &node) {
  Tensor data = node.input(0), indices = node.input(1);
  int64_t axis = node.normalizeAxis(node.intAttr("axis", 0), data.rank());
  node.output(0, node.b.gather(data, indices, axis));
}

static void importGatherElements(Node &node) {
  Tensor data = node.input(0), indices = node.input(1);
  int64_t axis = node.normalizeAxis(node.intAttr("axis", 0), data.rank());
  node.output(0, node.b.gatherElements(data, indices, axis));
}

static void importGatherND(Node &node) {
  Tensor data = node.input(0), indices = node.input(1);
  node.output(0, node.b.gatherND(data, indices, node.intAttr("batch_dims", 0)));
}

/// plm has no scatter: encoders only use it to build constants and shapes.
static void importScatterND(Node &node) {
  GraphBuilder &b = node.b;
  LiteralPtr data = node.input(0).literal(), indices = node.input(1).literal(),
             updates = node.input(2).literal();
  if (b.hasFailed())
    return;
  if (!data || !indices || !updates || indices->dtype != DType::I64 ||
      node.stringAttr("reduction", "none") != "none" ||
      data->numElements() > (1 << 20) || indices->numElements() > (1 << 20)) {
    b.unsupported("scattering into values that are not constant");
    return;
  }
  int64_t tuple = indices->shape.empty() ? 0 : indices->shape.back();
  if (data->dtype != updates->dtype || tuple < 1 ||
      tuple > int64_t(data->shape.size())) {
    b.fail("data, indices and updates do not fit together");
    return;
  }
  int64_t block = dtypeSize(data->dtype);
  for (size_t i = tuple; i < data->shape.size(); ++i)
    block *= data->shape[i];
  HostTensor result = data->toHost(), positions = indices->toHost();
  int64_t count = positions.numElements() / tuple;
  if (int64_t(updates->bytes.size()) != count * block) {
    b.fail("there are not as many updates as indices");
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    int64_t offset = 0;
    for (int64_t k = 0; k < tuple; ++k) {
      int64_t extent = data->shape[k];
      int64_t index = positions.getInt(i * tuple + k);
      if (index < -extent || index >= extent) {
        b.fail("index " + Twine(index) + " is outside a dimension of size " +
               Twine(extent));
        return;
      }
      offset = offset * extent + (index < 0 ? index + extent : index);
    }
    std::memcpy(result.data.data() + offset * block,
                updates->bytes.data() + i * block, block);
  }
  node.output(0, tensorFromLiteral(makeLiteral(std::move(result))));
}

void registerGather(OpTable &table) {
  table["Gather"] = importGather;
  table["GatherElements"] = importGatherElements;
  table["GatherND"] = importGatherND;
  table["ScatterND"] = importScatterND;
}

} // namespace plmc::importer
