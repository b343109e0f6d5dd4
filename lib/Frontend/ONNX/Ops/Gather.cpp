//===- Gather.cpp - Reading and writing by index --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "../OpTable.h"

using namespace plmc::plm;

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

static ScatterKind scatterKind(Node &node) {
  std::string reduction = node.stringAttr("reduction", "none");
  if (reduction == "add")
    return ScatterKind::Add;
  if (reduction == "mul")
    return ScatterKind::Mul;
  if (reduction == "max")
    return ScatterKind::Max;
  if (reduction == "min")
    return ScatterKind::Min;
  if (reduction != "none")
    node.b.fail("attribute 'reduction' must be none, add, mul, max or min");
  return ScatterKind::Set;
}

/// Only numbers can be combined; false after a failure.
static bool checkReduction(Node &node, ScatterKind kind, const Tensor &data) {
  if (kind != ScatterKind::Set && data.dtype() == DType::Bool)
    node.b.unsupported("combining truth values by scattering");
  return !node.b.hasFailed();
}

static void importScatterND(Node &node) {
  Tensor data = node.input(0), indices = node.input(1), updates = node.input(2);
  ScatterKind kind = scatterKind(node);
  if (checkReduction(node, kind, data))
    node.output(0, node.b.scatterND(kind, data, indices, updates));
}

static void importScatterElements(Node &node) {
  Tensor data = node.input(0), indices = node.input(1), updates = node.input(2);
  int64_t axis = node.normalizeAxis(node.intAttr("axis", 0), data.rank());
  ScatterKind kind = scatterKind(node);
  if (checkReduction(node, kind, data))
    node.output(0, node.b.scatterElements(kind, data, indices, updates, axis));
}

void registerGather(OpTable &table) {
  table["Gather"] = importGather;
  table["GatherElements"] = importGatherElements;
  table["GatherND"] = importGatherND;
  table["ScatterND"] = importScatterND;
  table["ScatterElements"] = importScatterElements;
  table["Scatter"] = importScatterElements; // its name up to opset 10
}

} // namespace plmc::importer
