//===- ResidualStream.cpp - What runs between layer norms -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ResidualStream.h"
#include "plmc/Calibration/LinearParameters.h"

using namespace mlir;
using namespace plmc;

bool StreamPart::reads(Operation *op) const {
  if (auto norm = dyn_cast<plm::LayerNormOp>(op))
    return norms.contains(norm);
  if (auto sum = dyn_cast<plm::BinaryOp>(op))
    return sums.contains(sum);
  return false;
}

/// The last dimension of a tensor of f32; 0 of others.
static int64_t widthOf(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.getElementType().isF32() || type.getRank() == 0 ||
      type.isDynamicDim(type.getRank() - 1))
    return 0;
  return type.getShape().back();
}

bool plmc::isConstantSource(Value source) {
  return cast<RankedTensorType>(source.getType()).hasStaticShape() &&
         isMadeOfParameters(source);
}

static plm::BinaryOp sumOf(Operation *op, int64_t width) {
  auto sum = dyn_cast_or_null<plm::BinaryOp>(op);
  if (sum && sum.getKind() == plm::BinaryKind::Add &&
      widthOf(sum.getResult()) == width && widthOf(sum.getLhs()) == width &&
      widthOf(sum.getRhs()) == width)
    return sum;
  return {};
}

static bool isNormed(Value value) {
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    return isa<plm::LayerNormOp>(use.getOwner()) && use.getOperandNumber() == 0;
  });
}

static bool hasParameters(plm::LayerNormOp norm) {
  auto isParameter = [](Value value) {
    return !value ||
           (value.getDefiningOp<plm::GetParameterOp>() && widthOf(value) != 0);
  };
  return isParameter(norm.getGamma()) && isParameter(norm.getBeta());
}

/// The part that `start`, which a norm reads, belongs to; false if something
/// else than norms reads its sums.
static bool collect(Value start, StreamPart &part,
                    llvm::DenseSet<Value> &seen) {
  bool suits = true;
  SmallVector<Value> pending{start};
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    plm::BinaryOp sum = sumOf(value.getDefiningOp(), part.width);
    if (sum) {
      part.sums.insert(sum);
      for (Value operand : sum->getOperands()) {
        if (sumOf(operand.getDefiningOp(), part.width) || isNormed(operand))
          pending.push_back(operand);
        else
          part.sources.insert(operand);
      }
    } else {
      part.sources.insert(value);
    }
    for (OpOperand &use : value.getUses()) {
      Operation *user = use.getOwner();
      auto norm = dyn_cast<plm::LayerNormOp>(user);
      if (norm && use.getOperandNumber() == 0) {
        part.norms.insert(norm);
        suits &= hasParameters(norm);
      } else if (plm::BinaryOp next = sumOf(user, part.width)) {
        pending.push_back(next.getResult());
      } else {
        suits &= !sum;
      }
    }
  }
  return suits;
}

std::vector<StreamPart> plmc::findStreamParts(func::FuncOp func) {
  std::vector<StreamPart> parts;
  llvm::DenseSet<Value> seen;
  func.walk([&](plm::LayerNormOp norm) {
    StreamPart part;
    part.width = widthOf(norm.getInput());
    if (part.width && !seen.contains(norm.getInput()) &&
        collect(norm.getInput(), part, seen))
      parts.push_back(std::move(part));
  });
  return parts;
}

StreamUses::StreamUses(std::vector<StreamPart> parts, SymbolTable &symbols)
    : symbols(symbols) {
  // What follows from parameters and sizes only (positions of a quantized
  // table) is no value that a layer could be calibrated on.
  for (StreamPart &part : parts)
    if (llvm::all_of(part.sources, [&](Value source) {
          return foldsInto(source, part) || isConstantSource(source) ||
                 !isMadeOfParameters(source);
        }))
      all.push_back(std::move(part));
}

/// An f32 parameter that is read here and nowhere else.
bool StreamUses::ownsParameter(Value value) const {
  auto get = value.getDefiningOp<plm::GetParameterOp>();
  if (!get || !get->hasOneUse() || !get.getType().getElementType().isF32())
    return false;
  auto uses = SymbolTable::getSymbolUses(get.getParameterAttr().getAttr(),
                                         symbols.getOp());
  return uses && llvm::hasSingleElement(*uses);
}

bool StreamUses::folds(plm::LinearOp reader) const {
  return !reader.getPrecision() && ownsParameter(reader.getWeight());
}

bool StreamUses::foldsInto(Value source, const StreamPart &part) const {
  if (!llvm::all_of(source.getUsers(),
                    [&](Operation *user) { return part.reads(user); }))
    return false;
  Operation *op = source.getDefiningOp();
  if (auto linear = dyn_cast_or_null<plm::LinearOp>(op))
    return folds(linear);
  if (auto embedding = dyn_cast_or_null<plm::EmbeddingOp>(op))
    return ownsParameter(embedding.getTable());
  if (auto position = dyn_cast_or_null<plm::PositionEmbeddingOp>(op))
    return ownsParameter(position.getTable());
  return false;
}

namespace {

/// What of the model grows and shrinks with a part.
struct Node {
  double perColumn = 0;     // elements of parameters that fold a projection
  double perProduct = 0;    // matrices in front of it, when it is narrow
  bool isReadWhole = false; // by something that wants all columns
  SmallVector<size_t> next, previous; // a norm here is a source there
};

} // namespace

static double sizeOf(Value value) {
  return double(cast<RankedTensorType>(value.getType()).getNumElements());
}

/// The parameter of a source that folds.
static Value parameterOf(Operation *source) {
  if (auto linear = dyn_cast<plm::LinearOp>(source))
    return linear.getWeight();
  if (auto embedding = dyn_cast<plm::EmbeddingOp>(source))
    return embedding.getTable();
  return cast<plm::PositionEmbeddingOp>(source).getTable();
}

static std::vector<Node> graphOf(const StreamUses &uses) {
  ArrayRef<StreamPart> parts = uses.parts();
  std::vector<Node> nodes(parts.size());
  llvm::DenseMap<Operation *, size_t> partOf; // of norms, and of what reads
  for (auto [index, part] : llvm::enumerate(parts)) {
    for (plm::LayerNormOp norm : part.norms)
      partOf[norm] = index;
    for (plm::BinaryOp sum : part.sums)
      partOf[sum] = index;
  }
  for (auto [index, part] : llvm::enumerate(parts)) {
    Node &node = nodes[index];
    double width = double(part.width);
    for (Value source : part.sources) {
      Operation *op = source.getDefiningOp();
      if (isa_and_nonnull<plm::LayerNormOp>(op) && partOf.contains(op)) {
        node.previous.push_back(partOf[op]);
        nodes[partOf[op]].next.push_back(index);
      } else if (isConstantSource(source)) {
        node.perColumn += sizeOf(source) / width;
      } else if (uses.foldsInto(source, part)) {
        node.perColumn += sizeOf(parameterOf(op)) / width;
      } else {
        node.perProduct += width;
      }
    }
    for (plm::LayerNormOp norm : part.norms)
      for (OpOperand &use : norm.getResult().getUses()) {
        auto reader = dyn_cast<plm::LinearOp>(use.getOwner());
        if (reader && use.getOperandNumber() == 0 && uses.folds(reader))
          node.perColumn += sizeOf(reader.getWeight()) / width;
        else
          node.isReadWhole |= !partOf.contains(use.getOwner());
      }
  }
  return nodes;
}

std::vector<bool> StreamUses::worthwhile(ArrayRef<int64_t> widths) const {
  std::vector<Node> nodes = graphOf(*this);
  SmallVector<int64_t> now(widths);
  auto isNarrow = [&](size_t i) { return now[i] < all[i].width; };
  // The matrix that gives all columns of a part.
  auto wholeCost = [&](size_t i) {
    bool wanted =
        nodes[i].isReadWhole || !llvm::all_of(nodes[i].next, isNarrow);
    return isNarrow(i) && wanted ? double(now[i]) * double(all[i].width) : 0;
  };
  auto residualCost = [&](size_t from, size_t to) {
    return isNarrow(to) ? double(now[from]) * double(now[to]) : 0;
  };
  auto elements = [&](size_t i) {
    const Node &node = nodes[i];
    double sum = node.perColumn * double(now[i]) + wholeCost(i);
    if (isNarrow(i))
      sum += node.perProduct * double(now[i]);
    for (size_t other : node.next)
      sum += residualCost(i, other);
    for (size_t other : node.previous)
      sum += residualCost(other, i) + wholeCost(other);
    return sum;
  };
  // The part goes out whose narrowing costs most; what that does to its
  // neighbours decides who is next.
  for (;;) {
    double most = 0;
    std::optional<size_t> out;
    for (size_t i = 0; i < all.size(); ++i) {
      if (!isNarrow(i))
        continue;
      double narrow = elements(i);
      now[i] = all[i].width;
      double loss = narrow - elements(i);
      now[i] = widths[i];
      if (loss >= most) {
        most = loss;
        out = i;
      }
    }
    if (!out)
      break;
    now[*out] = all[*out].width;
  }
  std::vector<bool> result;
  for (size_t i = 0; i < all.size(); ++i)
    result.push_back(isNarrow(i));
  return result;
}
