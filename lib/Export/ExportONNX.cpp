//===- ExportONNX.cpp - plm back to ONNX ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Export/ONNX.h"
#include "plmc/Interpreter/Interpreter.h"

using namespace mlir;
using llvm::Error;

namespace plmc {
namespace {

using namespace onnx_export;

void describe(onnx::ValueInfoProto *info, StringRef name, Value value) {
  info->set_name(name.str());
  auto *type = info->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnxType(dtypeOf(value)));
  auto *shape = type->mutable_shape();
  for (const DimExpr &dim : dimsOf(value)) {
    auto *entry = shape->add_dim();
    if (std::optional<int64_t> size = dim.constant())
      entry->set_dim_value(*size);
    else
      entry->set_dim_param(dim.str());
  }
}

std::string attrName(StringAttr name, const Twine &fallback) {
  return name ? name.str() : fallback.str();
}

class Exporter {
public:
  Exporter(ModuleOp module, func::FuncOp func)
      : func(func), writer(func), symbols(module),
        halfBytes(findHalfBytes(module, func)) {}

  Error run(StringRef path, uint64_t inlineLimit);

private:
  Error checkSignature();
  void nameSignature();
  void writeBody();
  void readParameter(plm::GetParameterOp op);
  void addConstant(Operation *op, std::string name, ElementsAttr value);
  void pack(Operation *op, Initializer &initializer) const;
  void writeOutputs();

  func::FuncOp func;
  GraphWriter writer;
  SymbolTable symbols;
  llvm::StringMap<std::string> parameters; // symbol -> initializer
  llvm::DenseSet<Operation *> halfBytes;   // parameters and constants
};

Error Exporter::checkSignature() {
  auto check = [&](Value value, const Twine &what) -> Error {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !dtypeFromMLIR(type.getElementType()))
      return llvm::createStringError(
          std::make_error_code(std::errc::not_supported),
          what + " is no tensor of an element type that ONNX has");
    return Error::success();
  };
  for (BlockArgument argument : func.getArguments())
    if (Error error =
            check(argument, "input " + Twine(argument.getArgNumber())))
      return error;
  Error error = Error::success();
  func.walk([&](Operation *op) {
    for (Value result : op->getResults())
      if (!error)
        error = check(result, "a result of " + op->getName().getStringRef());
  });
  return error;
}

void Exporter::nameSignature() {
  for (BlockArgument argument : func.getArguments()) {
    unsigned index = argument.getArgNumber();
    std::string name =
        attrName(func.getArgAttrOfType<StringAttr>(index, "plm.name"),
                 "input_" + Twine(index));
    if (!writer.reserveName(name))
      writer.fail(func, "two inputs have the name '" + name + "'");
    writer.setName(argument, name);
    describe(writer.graph.add_input(), name, argument);
  }
  auto *terminator = func.getBody().front().getTerminator();
  llvm::DenseSet<Value> named;
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    std::string name =
        attrName(func.getResultAttrOfType<StringAttr>(index, "plm.name"),
                 "output_" + Twine(index));
    if (!writer.reserveName(name))
      writer.fail(func, "two inputs or outputs have the name '" + name + "'");
    describe(writer.graph.add_output(), name, value);
    // Other values, and second uses of one, get an Identity in writeOutputs.
    if (value.getDefiningOp() &&
        !isa<plm::GetParameterOp, plm::ConstantOp>(value.getDefiningOp()) &&
        named.insert(value).second)
      writer.setName(value, name);
  }
}

void Exporter::pack(Operation *op, Initializer &initializer) const {
  initializer.halfBytes = halfBytes.contains(op);
  if (initializer.halfBytes)
    initializer.own(packHalfBytes(initializer.bytes));
}

void Exporter::addConstant(Operation *op, std::string name,
                           ElementsAttr value) {
  auto type = cast<RankedTensorType>(value.getShapedType());
  std::optional<DType> dtype = dtypeFromMLIR(type.getElementType());
  if (!dtype)
    return writer.fail(op, "ONNX has no such element type");
  Initializer initializer{std::move(name), *dtype, {}, {}, nullptr, false};
  initializer.shape.assign(type.getShape().begin(), type.getShape().end());
  if (auto parameter = dyn_cast<plm::ParameterOp>(op))
    if (std::optional<ArrayRef<char>> bytes = parameter.getBytes())
      if (bytes->size() == type.getNumElements() * dtypeSize(*dtype)) {
        initializer.bytes = *bytes;
        pack(op, initializer);
        return writer.addInitializer(std::move(initializer));
      }
  llvm::Expected<HostTensor> tensor = tensorFromAttr(value);
  if (!tensor)
    return writer.fail(op, llvm::toString(tensor.takeError()),
                       std::errc::invalid_argument);
  initializer.own(std::move(tensor->data));
  pack(op, initializer);
  writer.addInitializer(std::move(initializer));
}

void Exporter::readParameter(plm::GetParameterOp op) {
  auto parameter = symbols.lookup<plm::ParameterOp>(op.getParameter());
  if (!parameter)
    return writer.fail(op, "there is no parameter @" + op.getParameter());
  if (halfBytes.contains(parameter))
    writer.halfBytes.insert(op.getResult());
  std::string &name = parameters[op.getParameter()];
  if (name.empty()) {
    name = writer.freshName(op.getParameter());
    addConstant(parameter, name, parameter.getValue());
  }
  writer.setName(op.getResult(), name);
}

void Exporter::writeBody() {
  for (Operation &op : func.getBody().front().without_terminator()) {
    if (writer.failed())
      return;
    if (auto read = dyn_cast<plm::GetParameterOp>(op)) {
      readParameter(read);
    } else if (auto constant = dyn_cast<plm::ConstantOp>(op)) {
      std::string name = writer.freshName("constant");
      writer.setName(constant.getResult(), name);
      if (halfBytes.contains(constant))
        writer.halfBytes.insert(constant.getResult());
      addConstant(constant, name, constant.getValue());
    } else if (!isa<plm::ConstraintOp>(op) && !writeTensorOp(writer, &op) &&
               !writeTransformerOp(writer, &op)) {
      writer.fail(&op, "ONNX export does not know this operation");
    }
  }
}

void Exporter::writeOutputs() {
  auto *terminator = func.getBody().front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    const std::string &name = writer.graph.output(index).name();
    if (writer.nameOf(value) != name)
      writer.node("Identity", {writer.nameOf(value)}, {}, name);
  }
}

Error Exporter::run(StringRef path, uint64_t inlineLimit) {
  if (Error error = checkSignature())
    return error;
  writer.graph.set_name("plm");
  nameSignature();
  writeBody();
  if (!writer.failed())
    writeOutputs();
  if (Error error = writer.takeError())
    return error;
  return writeModel(writer, path, inlineLimit);
}

} // namespace

Error exportONNX(ModuleOp module, StringRef path,
                 const ONNXExportOptions &options) {
  func::FuncOp func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func || !func.getBody().hasOneBlock())
    return llvm::createStringError(
        "the module has no function @forward with one block");
  return Exporter(module, func).run(path, options.inlineLimit);
}

} // namespace plmc
