//===- Import.cpp - ONNX files to plm -------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One forward pass over the sorted nodes. Every value is a Tensor with a
// symbolic shape; handlers (Ops/) turn nodes into plm operations through the
// GraphBuilder, which folds shape arithmetic and constants away as it goes.
// When two dimension names turn out to be one, the pass starts over with the
// names unified (DimSymbols.h).
//
//===----------------------------------------------------------------------===//

#include "plmc/Frontend/ONNX/Import.h"
#include "Diagnostics.h"
#include "GraphImporter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace plmc {
namespace importer {
namespace {

/// Names of dimensions that are unified before we give up: real models need
/// one per input and dimension at most.
constexpr unsigned maxRounds = 64;

class Round {
public:
  Round(ModelFile &file, DimSymbols &symbols, WeightStore &weights,
        MLIRContext *context)
      : file(file), symbols(symbols), context(context),
        module(ModuleOp::create(UnknownLoc::get(context))),
        func(createFunction()),
        builder(func, &func.getBody().front(), symbols, weights),
        importer(file, builder) {}

  /// True when the module is finished; otherwise start over or report.
  bool run();
  bool needsRestart() const { return builder.needsRestart(); }
  llvm::Error takeFailure() { return builder.takeFailure(); }
  OwningOpRef<ModuleOp> takeModule() { return std::move(module); }

private:
  func::FuncOp createFunction() {
    auto result = func::FuncOp::create(UnknownLoc::get(context), "forward",
                                       FunctionType::get(context, {}, {}));
    module->push_back(result);
    result.addEntryBlock();
    return result;
  }
  bool addInput(const onnx::ValueInfoProto &input, Scope &scope);
  bool finish(ArrayRef<StringRef> outputNames, const Scope &scope);
  void removeDeadCode();
  bool verifyModule();
  std::string uniqueName(StringRef name);

  ModelFile &file;
  DimSymbols &symbols;
  MLIRContext *context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  GraphBuilder builder;
  GraphImporter importer;
  llvm::StringSet<> names;
  SmallVector<std::string> inputNames;
};

/// Names of inputs and outputs stay as they are, short of what would break
/// text formats downstream.
std::string Round::uniqueName(StringRef name) {
  std::string clean = cleanText(name);
  std::string result = clean;
  for (unsigned i = 2; !names.insert(result).second; ++i)
    result = clean + "_" + std::to_string(i);
  return result;
}

bool Round::addInput(const onnx::ValueInfoProto &input, Scope &scope) {
  std::string what = "input '" + printable(input.name()) + "' ";
  if (!input.type().has_tensor_type()) {
    builder.unsupported(what + "is not a tensor");
    return false;
  }
  const onnx::TypeProto::Tensor &type = input.type().tensor_type();
  std::optional<DType> dtype = dtypeFromONNX(type.elem_type());
  if (!dtype) {
    builder.unsupported(what + "has the unsupported element type " +
                        onnxTypeName(type.elem_type()));
    return false;
  }
  if (!type.has_shape()) {
    builder.unsupported(what + "has no shape; export the model with the "
                               "shapes of its inputs");
    return false;
  }
  if (type.shape().dim_size() > 16) {
    builder.unsupported(what + "has more than 16 dimensions");
    return false;
  }
  Dims dims;
  for (const onnx::TensorShapeProto::Dimension &dim : type.shape().dim()) {
    std::string anonymous =
        identifier(input.name()) + "_dim" + std::to_string(dims.size());
    if (!dim.dim_param().empty())
      dims.push_back(symbols.declare(dim.dim_param()));
    else if (dim.dim_value() > 0)
      dims.push_back(DimExpr(dim.dim_value()));
    else // exporters write 0 or -1 for "any"
      dims.push_back(symbols.declareAnonymous(anonymous));
    symbols.noteAxis(dims.back(), type.shape().dim_size(), dims.size() - 1);
  }
  std::optional<int64_t> count = productOf(dims).constant();
  if (productOf(dims).hasOverflow() || (count && *count > (1LL << 40))) {
    builder.fail(what + "has the impossible shape " + shapeText(dims));
    return false;
  }
  std::string name = uniqueName(input.name());
  BlockArgument argument = func.getBody().front().addArgument(
      makeTensorType(dims, dtypeToMLIR(*dtype, context)),
      NameLoc::get(StringAttr::get(context, name)));
  if (!scope.values.try_emplace(input.name(), builder.fromValue(argument))
           .second) {
    builder.fail("the name '" + printable(input.name()) +
                 "' is given to two inputs");
    return false;
  }
  inputNames.push_back(name);
  return true;
}

bool Round::run() {
  const onnx::GraphProto &graph = file.getModel().graph();
  builder.setNode(file.getDisplayName().str() + ": ", "");
  Scope scope;
  scope.opset = file.getOpset("");
  if (std::string refusal = refuseOpset(scope.opset); !refusal.empty()) {
    builder.unsupported(refusal);
    return false;
  }
  if (!importer.bindInitializers(graph, scope))
    return false;
  // Up to IR 3 every initializer is listed as an input too.
  llvm::StringSet<> initializers;
  for (const onnx::TensorProto &tensor : graph.initializer())
    initializers.insert(tensor.name());
  for (const onnx::SparseTensorProto &sparse : graph.sparse_initializer())
    initializers.insert(sparse.values().name());
  for (const onnx::ValueInfoProto &input : graph.input())
    if (!initializers.contains(input.name()) && !addInput(input, scope))
      return false;

  // A value may be named twice: PyTorch writes a model's last hidden state that
  // is among all hidden states so. finish() gives each its own name.
  std::vector<StringRef> outputs;
  for (const onnx::ValueInfoProto &output : graph.output())
    outputs.push_back(output.name());
  if (outputs.empty()) {
    builder.fail("the graph has no outputs");
    return false;
  }
  return importer.importNodes(graph.node(), outputs, scope,
                              /*checkOperators=*/true) &&
         finish(outputs, scope);
}

bool Round::finish(ArrayRef<StringRef> outputNames, const Scope &scope) {
  builder.setNode(file.getDisplayName().str() + ": ", "outputs");
  SmallVector<Value> results;
  for (StringRef name : outputNames) {
    const Tensor *tensor = scope.find(name);
    Value value = tensor ? builder.valueOf(*tensor) : Value();
    if (!value) {
      builder.fail("output '" + printable(name) + "' is not computed");
      return false;
    }
    results.push_back(value);
  }
  Block &body = func.getBody().front();
  OpBuilder ir = OpBuilder::atBlockEnd(&body);
  func::ReturnOp::create(ir, UnknownLoc::get(context), results);
  func.setFunctionType(FunctionType::get(context, body.getArgumentTypes(),
                                         ValueRange(results).getTypes()));
  for (auto [index, name] : llvm::enumerate(inputNames))
    func.setArgAttr(index, "plm.name", ir.getStringAttr(name));
  // An output may have an input's name (it is passed through).
  names.clear();
  for (auto [index, name] : llvm::enumerate(outputNames))
    func.setResultAttr(index, "plm.name", ir.getStringAttr(uniqueName(name)));

  const onnx::ModelProto &model = file.getModel();
  std::string producer = model.producer_name();
  if (!model.producer_version().empty())
    producer += " " + model.producer_version();
  ModuleOp op = *module;
  op->setAttr("plm.producer", ir.getStringAttr(printable(producer)));
  op->setAttr("plm.opset", ir.getI64IntegerAttr(file.getOpset("")));
  op->setAttr("plm.source", ir.getStringAttr(llvm::sys::path::filename(
                                file.getDisplayName())));
  removeDeadCode();
  return verifyModule();
}

/// Values that were only asked for their shapes, and parameters that nobody
/// reads after folding.
void Round::removeDeadCode() {
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(func.getBody().front())))
    if (isOpTriviallyDead(&op))
      op.erase();
  llvm::StringSet<> read;
  func.walk([&](plm::GetParameterOp op) { read.insert(op.getParameter()); });
  for (auto parameter :
       llvm::make_early_inc_range(module->getOps<plm::ParameterOp>()))
    if (!read.contains(parameter.getSymName()))
      parameter.erase();
}

/// Every operation was verified when it was made; what is left is the whole.
bool Round::verifyModule() {
  std::string problem;
  ScopedDiagnosticHandler capture(context, [&](Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return success();
  });
  if (succeeded(verify(*module)))
    return true;
  builder.unsupported("the imported module is not valid: " +
                      printable(problem, 400));
  return false;
}

} // namespace
} // namespace importer

llvm::Expected<OwningOpRef<ModuleOp>> importONNX(StringRef path,
                                                 MLIRContext *context) {
  using namespace importer;
  context->loadDialect<plm::PLMDialect, func::FuncDialect>();
  auto file = ModelFile::open(path);
  if (!file)
    return file.takeError();
  DimSymbols symbols;
  WeightStore weights(context);
  for (unsigned i = 0; i < maxRounds; ++i) {
    Round round(**file, symbols, weights, context);
    if (round.run())
      return round.takeModule();
    if (!round.needsRestart())
      return round.takeFailure();
  }
  return unsupported((*file)->getDisplayName() +
                     ": too many dimension names stand for the same size; "
                     "name equal dimensions alike when exporting");
}

} // namespace plmc
