//===- Attributes.cpp - Attributes to tensors and back --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Registry.h"
#include "Tensors.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "plmc/Dialect/PLM/PLM.h"
#include <cstring>

using namespace mlir;
using llvm::Expected;
using llvm::Twine;

namespace plmc {

Expected<HostTensor> tensorFromAttr(ElementsAttr attr) {
  auto fail = [](const Twine &message) {
    return llvm::createStringError(message);
  };
  if (!attr)
    return fail("no value");
  auto type = dyn_cast<RankedTensorType>(attr.getType());
  std::optional<DType> dtype =
      type ? dtypeFromMLIR(type.getElementType()) : std::nullopt;
  if (!dtype || !type.hasStaticShape())
    return fail("value is not a static tensor of a supported element type");
  if (llvm::Error err = interp::checkSize(*dtype, type.getShape(), "value"))
    return err;
  HostTensor tensor(*dtype, type.getShape());
  char *out = tensor.data.data();
  size_t bytes = tensor.data.size();

  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return fail("the bytes of resource '" + resource.getRawHandle().getKey() +
                  "' are missing: the IR was printed without its weights");
    if (blob->getData().size() != bytes)
      return fail("resource '" + resource.getRawHandle().getKey() + "' holds " +
                  Twine(blob->getData().size()) + " bytes, its type needs " +
                  Twine(bytes));
    // The blob often lies unaligned in a mapped file; memcpy does not mind.
    if (bytes)
      std::memcpy(out, blob->getData().data(), bytes);
    return tensor;
  }
  auto dense = dyn_cast<DenseElementsAttr>(attr);
  if (!dense)
    return fail("value is neither dense nor a dense resource");
  if (*dtype == DType::Bool) {
    // How MLIR stores i1 has changed between versions; ask for values.
    for (bool value : dense.getValues<bool>())
      *out++ = value;
    return tensor;
  }
  llvm::ArrayRef<char> raw = dense.getRawData();
  size_t size = dtypeSize(*dtype);
  if (dense.isSplat()) {
    for (size_t offset = 0; offset < bytes; offset += size)
      std::memcpy(out + offset, raw.data(), size);
    return tensor;
  }
  if (raw.size() != bytes)
    return fail("value holds " + Twine(raw.size()) + " bytes, its type needs " +
                Twine(bytes));
  if (bytes)
    std::memcpy(out, raw.data(), bytes);
  return tensor;
}

DenseElementsAttr attrFromTensor(const HostTensor &tensor,
                                 MLIRContext *context) {
  auto type =
      RankedTensorType::get(tensor.shape, dtypeToMLIR(tensor.dtype, context));
  int64_t count = tensor.numElements();
  if (count == 0)
    return DenseElementsAttr::get(type, llvm::ArrayRef<Attribute>());
  if (tensor.dtype == DType::Bool) {
    llvm::SmallVector<bool> values;
    for (int64_t i = 0; i < count; ++i)
      values.push_back(tensor.as<uint8_t>()[i] != 0);
    return DenseElementsAttr::get(type, llvm::ArrayRef<bool>(values));
  }
  // One element for all when they are the same: that is what a splat is.
  llvm::ArrayRef<char> bytes(tensor.data);
  size_t size = dtypeSize(tensor.dtype);
  if (std::memcmp(bytes.data(), bytes.data() + size, bytes.size() - size) == 0)
    bytes = bytes.take_front(size);
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

namespace interp {

static Expected<HostTensor> located(const EvalContext &ctx,
                                    Expected<HostTensor> tensor) {
  if (!tensor)
    return ctx.error(llvm::toString(tensor.takeError()));
  if (llvm::Error err =
          checkTensor(*tensor, ctx.op->getResult(0).getType(), "value"))
    return ctx.error(llvm::toString(std::move(err)));
  return tensor;
}

static Expected<HostTensor> evaluateConstant(const EvalContext &ctx) {
  return located(ctx, tensorFromAttr(cast<plm::ConstantOp>(ctx.op).getValue()));
}

static Expected<HostTensor> evaluateGetParameter(const EvalContext &ctx) {
  auto op = cast<plm::GetParameterOp>(ctx.op);
  auto parameter = SymbolTable::lookupNearestSymbolFrom<plm::ParameterOp>(
      op, op.getParameterAttr());
  if (!parameter)
    return ctx.error("there is no parameter @" + op.getParameter());
  Expected<HostTensor> tensor = tensorFromAttr(parameter.getValue());
  if (!tensor)
    return ctx.error("parameter @" + op.getParameter() + ": " +
                     llvm::toString(tensor.takeError()));
  return located(ctx, std::move(tensor));
}

void registerConstants(EvaluatorTable &table) {
  table["plm.constant"] = evaluateConstant;
  table["plm.get_parameter"] = evaluateGetParameter;
  table["plm.parameter"] = nullptr;
  table["plm.constraint"] = nullptr;
}

} // namespace interp
} // namespace plmc
