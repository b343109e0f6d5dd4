//===- Segment.cpp - Some ops of a function as a library ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Segment.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/CodeGen/Compile.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include <atomic>

using namespace mlir;
using namespace plmc;

llvm::Expected<std::unique_ptr<LoadedModel>>
plmc::compileForHost(ModuleOp module) {
  std::string problem;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &d) {
    if (d.getSeverity() == DiagnosticSeverity::Error && problem.empty())
      problem = d.str();
    return success();
  });
  CompileOptions options;
  options.textInput = false;
  options.soname = "calibration"; // the same in all that are alike
  options.reuseCode = true;
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  buildLoweringPipeline(pm, options);
  if (failed(pm.run(module)))
    return llvm::createStringError("calibration cannot compile a part of the "
                                   "model: " +
                                   problem);
  static std::atomic<unsigned> counter{0};
  llvm::SmallString<128> directory;
  llvm::sys::path::system_temp_directory(/*ErasedOnReboot=*/true, directory);
  TemporaryFile file(directory + "/plmc-calibration-" +
                     llvm::Twine(llvm::sys::Process::getProcessId()) + "-" +
                     llvm::Twine(counter++) + ".so");
  auto result =
      emitLibrary(module, options, OutputKind::SharedLibrary, file.path);
  if (!result)
    return result.takeError();
  return LoadedModel::open(file.path); // stays mapped without the file
}

OwningOpRef<ModuleOp> plmc::extractSegment(func::FuncOp func,
                                           ArrayRef<Operation *> ops,
                                           ArrayRef<Value> inputs,
                                           ArrayRef<Value> outputs) {
  ModuleOp from = func->getParentOfType<ModuleOp>();
  OwningOpRef<ModuleOp> module = ModuleOp::create(from.getLoc());
  OpBuilder builder(module->getBodyRegion());
  auto type =
      builder.getFunctionType(llvm::to_vector(ValueRange(inputs).getTypes()),
                              llvm::to_vector(ValueRange(outputs).getTypes()));
  auto result =
      func::FuncOp::create(builder, func.getLoc(), func.getName(), type);
  Block *body = result.addEntryBlock();
  IRMapping mapping;
  for (auto [value, argument] : llvm::zip(inputs, body->getArguments()))
    mapping.map(value, argument);
  for (unsigned i = 0; i < inputs.size(); ++i) {
    // The mask of a model keeps its name and so its meaning.
    auto argument = dyn_cast<BlockArgument>(inputs[i]);
    Attribute name = argument
                         ? func.getArgAttr(argument.getArgNumber(), "plm.name")
                         : Attribute();
    result.setArgAttr(i, "plm.name",
                      name ? name : builder.getStringAttr("value" + Twine(i)));
  }
  builder.setInsertionPointToEnd(body);
  llvm::StringSet<> parameters;
  std::function<void(Operation *)> add = [&](Operation *op) {
    for (Value operand : op->getOperands())
      if (!mapping.contains(operand) && operand.getDefiningOp())
        add(operand.getDefiningOp());
    if (auto get = dyn_cast<plm::GetParameterOp>(op))
      parameters.insert(get.getParameter());
    builder.clone(*op, mapping);
  };
  for (Operation *op : ops)
    if (!op->getNumResults() || !mapping.contains(op->getResult(0)))
      add(op);
  SmallVector<Value> returned;
  for (Value value : outputs)
    returned.push_back(mapping.lookup(value));
  func::ReturnOp::create(builder, func.getLoc(), returned);
  builder.setInsertionPointToStart(module->getBody());
  for (auto parameter : from.getOps<plm::ParameterOp>())
    if (parameters.contains(parameter.getSymName()))
      builder.clone(*parameter);
  return module;
}
