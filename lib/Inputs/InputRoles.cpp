//===- InputRoles.cpp - What a model's inputs mean ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Inputs/InputRoles.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Inputs/Names.h"

using namespace mlir;

namespace plmc {

bool InputRoles::hasMask() const {
  return llvm::any_of(inputs, [&](const InputRole &role) {
    DimExpr positions(1);
    for (const DimExpr &dim : role.dims)
      positions = positions * dim;
    return role.kind == InputRole::Kind::Mask && positions == batch * sequence;
  });
}

/// The argument that a value is, but for its type and layout; null if none.
static BlockArgument argumentBehind(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<plm::CastOp, plm::ReshapeOp, plm::BroadcastOp, plm::TransposeOp,
             plm::SliceOp>(op))
      return nullptr;
    value = op->getOperand(0);
  }
  return cast<BlockArgument>(value);
}

namespace {

class Finder {
public:
  explicit Finder(InputRoles &roles) : roles(roles) {}
  void visit(Operation *op);

private:
  void addIds(Value ids, int64_t rows);
  void addMask(Value mask);

  InputRoles &roles;
  llvm::DenseSet<unsigned> limited;
};

} // namespace

void Finder::addIds(Value ids, int64_t rows) {
  BlockArgument argument = argumentBehind(ids);
  if (!argument)
    return;
  InputRole &role = roles.inputs[argument.getArgNumber()];
  if (role.kind != InputRole::Kind::Ids)
    return;
  bool first = limited.insert(argument.getArgNumber()).second;
  role.limit = first ? rows : std::min(role.limit, rows);
  role.limit = std::max<int64_t>(role.limit, 1);
}

void Finder::addMask(Value mask) {
  if (!mask)
    return;
  if (BlockArgument argument = argumentBehind(mask))
    roles.inputs[argument.getArgNumber()].kind = InputRole::Kind::Mask;
}

void Finder::visit(Operation *op) {
  if (auto embedding = dyn_cast<plm::EmbeddingOp>(op)) {
    auto table = cast<RankedTensorType>(embedding.getTable().getType());
    if (!table.isDynamicDim(0))
      addIds(embedding.getIds(), table.getDimSize(0));
  } else if (auto gather = dyn_cast<plm::GatherOp>(op)) {
    auto data = cast<RankedTensorType>(gather.getData().getType());
    if (!data.isDynamicDim(gather.getAxis()))
      addIds(gather.getIndices(), data.getDimSize(gather.getAxis()));
  } else if (auto attention = dyn_cast<plm::AttentionOp>(op)) {
    addMask(attention.getMask());
  } else if (auto pool = dyn_cast<plm::PoolOp>(op)) {
    addMask(pool.getMask());
  }
}

llvm::Expected<InputRoles> findInputRoles(func::FuncOp func) {
  InputRoles roles;
  for (BlockArgument argument : func.getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    InputRole role;
    role.name = inputName(func, argument.getArgNumber());
    std::optional<DType> dtype = dtypeFromMLIR(type.getElementType());
    if (!dtype)
      return llvm::createStringError(
          std::make_error_code(std::errc::not_supported),
          "input '" + role.name +
              "' has no element type that plmc can make up values of");
    role.dtype = *dtype;
    role.dims = getDims(type);
    if (!isFloat(role.dtype))
      role.kind = StringRef(role.name).contains_insensitive("mask")
                      ? InputRole::Kind::Mask
                      : InputRole::Kind::Ids;
    roles.inputs.push_back(std::move(role));
  }
  Finder finder(roles);
  func.walk([&](plm::ConstraintOp op) {
    if (std::optional<DimExpr> expr = DimExpr::parse(op.getExpr()))
      roles.constraints.push_back({*expr, op.getEqual()});
  });
  // On a copy: the caller's function must stay as it was imported.
  OwningOpRef<ModuleOp> copy = func->getParentOfType<ModuleOp>().clone();
  {
    ScopedDiagnosticHandler quiet(func.getContext(),
                                  [](Diagnostic &) { return success(); });
    PassManager pm(func.getContext(), ModuleOp::getOperationName());
    buildRecognitionPipeline(pm);
    (void)pm.run(*copy); // names are left to tell if this fails
  }
  if (auto recognized = copy->lookupSymbol<func::FuncOp>(func.getName()))
    recognized.walk([&](Operation *op) { finder.visit(op); });

  // Tokens come as [batch, sequence], or [batch, choices, sequence]; the widest
  // vocabulary is the words.
  const InputRole *tokens = nullptr;
  for (const InputRole &role : roles.inputs)
    if (role.kind == InputRole::Kind::Ids && role.dims.size() >= 2 &&
        (!tokens || role.limit > tokens->limit))
      tokens = &role;
  for (const InputRole &role : roles.inputs)
    if (!tokens && role.dims.size() >= 2)
      tokens = &role;
  if (tokens) {
    // What is no ids is [batch, sequence, width].
    size_t length =
        tokens->kind == InputRole::Kind::Ids ? tokens->dims.size() - 1 : 1;
    roles.batch = DimExpr(1);
    for (const DimExpr &dim : ArrayRef(tokens->dims).take_front(length))
      roles.batch = roles.batch * dim;
    roles.sequence = tokens->dims[length];
  }
  return roles;
}

} // namespace plmc
