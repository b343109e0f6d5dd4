//===- Einsum.cpp - Einstein sums of one or two operands ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every two-operand sum is one batched matrix product between transposes.
// With the labels sorted into batch (in both operands and the result),
// contracted (in both, not in the result), left and right (in one operand):
//
//   [batch, left, contracted] x [batch, contracted, right]
//
// after merging each group into one dimension. Labels of one operand that the
// result does not have are summed first.
//
//===----------------------------------------------------------------------===//

#include "../Diagnostics.h"
#include "../OpTable.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;
using namespace plmc::plm;

namespace plmc::importer {
namespace {

using Labels = std::string;

struct Operand {
  Tensor tensor;
  Labels labels;
};

class Einsum {
public:
  explicit Einsum(Node &node) : node(node), b(node.b) {}
  Tensor run();

private:
  bool parse();
  bool expandEllipsis(StringRef term, int64_t rank, Labels &labels);
  bool bindSizes(const Operand &operand);
  /// Sums the labels that neither `result` nor `other` has.
  void reduceUnused(Operand &operand, StringRef other);
  Tensor permute(const Operand &operand, StringRef order);
  Dims sizesOf(StringRef labels);
  Tensor product(Operand left, Operand right);

  Node &node;
  GraphBuilder &b;
  SmallVector<Operand, 2> operands;
  Labels result;
  std::map<char, DimExpr> sizes;
  int64_t ellipsisRank = 0;
};

/// Dimensions under "..." get the labels '0', '1', ... from the right, so
/// that they line up as broadcasting has it.
bool Einsum::expandEllipsis(StringRef term, int64_t rank, Labels &labels) {
  auto [before, after] = term.split("...");
  bool hasEllipsis = term.contains("...");
  int64_t extra =
      hasEllipsis ? rank - int64_t(before.size() + after.size()) : 0;
  if (extra < 0 || extra > 9 || (!hasEllipsis && int64_t(term.size()) != rank))
    return false;
  labels = before.str();
  for (int64_t i = extra; i-- > 0;)
    labels += char('0' + i);
  if (hasEllipsis)
    labels += after.str();
  ellipsisRank = std::max(ellipsisRank, extra);
  for (char c : before.str() + after.str())
    if (!llvm::isAlpha(c))
      return false;
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels.find(labels[i], i + 1) != std::string::npos)
      return false; // a diagonal
  return true;
}

bool Einsum::parse() {
  std::string equation;
  for (char c : node.stringAttr("equation", ""))
    if (c != ' ')
      equation += c;
  auto fail = [&] {
    b.unsupported("the equation '" + printable(equation) +
                  "' is not supported; write one of two operands with letters "
                  "alone, as 'bij,bjk->bik'");
    return false;
  };
  auto [left, right] = StringRef(equation).split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != node.numInputs() || terms.size() > 2)
    return fail();
  for (unsigned i = 0; i < terms.size(); ++i) {
    Operand operand;
    operand.tensor = node.input(i);
    if (!operand.tensor)
      return false;
    if (!expandEllipsis(terms[i], operand.tensor.rank(), operand.labels))
      return fail();
    if (!bindSizes(operand))
      return false;
    operands.push_back(operand);
  }
  if (StringRef(equation).contains("->")) {
    StringRef named = right;
    int64_t letters = named.contains("...") ? named.size() - 3 : named.size();
    int64_t extra = named.contains("...") ? ellipsisRank : 0;
    if (!expandEllipsis(named, letters + extra, result))
      return fail();
  } else { // labels that occur once, sorted
    for (int64_t i = ellipsisRank; i-- > 0;)
      result += char('0' + i);
    std::map<char, int> count;
    for (const Operand &operand : operands)
      for (char c : operand.labels)
        ++count[c];
    for (auto [label, times] : count)
      if (times == 1 && llvm::isAlpha(label))
        result += label;
  }
  for (char c : result)
    if (!sizes.count(c))
      return fail();
  return true;
}

bool Einsum::bindSizes(const Operand &operand) {
  for (size_t i = 0; i < operand.labels.size(); ++i) {
    DimExpr size = operand.tensor.dim(i);
    auto [known, isNew] = sizes.try_emplace(operand.labels[i], size);
    if (!isNew && !b.requireEqual(known->second, size, "a summed dimension"))
      return false;
  }
  return true;
}

void Einsum::reduceUnused(Operand &operand, StringRef other) {
  SmallVector<int64_t> axes;
  Labels kept;
  for (size_t i = 0; i < operand.labels.size(); ++i) {
    char label = operand.labels[i];
    if (StringRef(result).contains(label) || other.contains(label))
      kept += label;
    else
      axes.push_back(i);
  }
  operand.tensor =
      b.reduce(ReduceKind::Sum, operand.tensor, axes, /*keepdims=*/false);
  operand.labels = kept;
}

Tensor Einsum::permute(const Operand &operand, StringRef order) {
  SmallVector<int64_t> permutation;
  for (char label : order)
    permutation.push_back(operand.labels.find(label));
  return b.transpose(operand.tensor, permutation);
}

Dims Einsum::sizesOf(StringRef labels) {
  Dims dims;
  for (char label : labels)
    dims.push_back(sizes[label]);
  return dims;
}

Tensor Einsum::product(Operand left, Operand right) {
  reduceUnused(left, right.labels);
  reduceUnused(right, left.labels);
  Labels batch, contracted, onlyLeft, onlyRight;
  for (char label : left.labels) {
    bool inRight = StringRef(right.labels).contains(label);
    bool inResult = StringRef(result).contains(label);
    (!inRight ? onlyLeft : inResult ? batch : contracted) += label;
  }
  for (char label : right.labels)
    if (!StringRef(left.labels).contains(label))
      onlyRight += label;

  // Batch dimensions stay apart: that is how attention is written elsewhere.
  Dims batchDims = sizesOf(batch), leftDims = batchDims, rightDims = batchDims;
  DimExpr inner = productOf(sizesOf(contracted));
  leftDims.append({productOf(sizesOf(onlyLeft)), inner});
  rightDims.append({inner, productOf(sizesOf(onlyRight))});
  Tensor lhs =
      b.reshape(permute(left, batch + onlyLeft + contracted), leftDims);
  Tensor rhs =
      b.reshape(permute(right, batch + contracted + onlyRight), rightDims);
  Operand product;
  product.labels = batch + onlyLeft + onlyRight;
  product.tensor = b.reshape(b.matmul(lhs, rhs), sizesOf(product.labels));
  return permute(product, result);
}

Tensor Einsum::run() {
  if (!parse())
    return Tensor();
  if (operands.size() == 2)
    return product(operands[0], operands[1]);
  reduceUnused(operands[0], "");
  return permute(operands[0], result);
}

} // namespace

static void importEinsum(Node &node) { node.output(0, Einsum(node).run()); }

void registerEinsum(OpTable &table) { table["Einsum"] = importEinsum; }

} // namespace plmc::importer
