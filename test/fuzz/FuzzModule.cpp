//===- FuzzModule.cpp - What fuzzers do with a module ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FuzzModule.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Interpreter/Interpreter.h"
#include "llvm/Support/JSON.h"
#include <cstdio>
#include <cstdlib>

using namespace mlir;

namespace plmc::fuzz {

std::unique_ptr<MLIRContext> makeContext() {
  auto context =
      std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  context->loadDialect<plm::PLMDialect, func::FuncDialect>();
  context->printOpOnDiagnostic(false);
  return context;
}

static void die(const llvm::Twine &why) {
  std::fprintf(stderr, "fuzz: %s\n", why.str().c_str());
  std::abort();
}

void checkMessage(llvm::Error error) {
  std::string text = llvm::toString(std::move(error));
  if (text.empty() || text.size() > 4000)
    die("a message of " + llvm::Twine(text.size()) + " bytes");
  for (unsigned char c : text)
    if (c < 0x20 || c == 0x7f)
      die("a control character in: " + text);
  if (!llvm::json::isUTF8(text))
    die("invalid UTF-8 in: " + text);
}

/// Symbols get this size; constants stay.
static constexpr int64_t symbolSize = 2;
static constexpr int64_t maxWork = 1 << 18;

static std::optional<std::vector<int64_t>> shapeOf(Type type) {
  std::vector<int64_t> shape;
  for (const DimExpr &dim : getDims(cast<RankedTensorType>(type))) {
    DimValues values;
    for (const std::string &symbol : dim.symbols())
      values[symbol] = symbolSize;
    std::optional<int64_t> size = dim.evaluate(values);
    if (!size || *size < 0 || *size > maxWork)
      return std::nullopt;
    shape.push_back(*size);
  }
  return shape;
}

/// Elements of all operands and results together, times the largest dimension
/// (the sums of products); nullopt if that is too much to interpret.
static bool isCheap(func::FuncOp func) {
  int64_t work = 0;
  for (Operation &op : func.getBody().front()) {
    int64_t elements = 0, largest = 1;
    auto add = [&](Value value) {
      auto shape = shapeOf(value.getType());
      int64_t count = 1;
      for (int64_t size : shape.value_or(std::vector<int64_t>{maxWork}))
        count = std::min(maxWork, count * size),
        largest = std::max(largest, size);
      elements += count;
    };
    llvm::for_each(op.getOperands(), add);
    llvm::for_each(op.getResults(), add);
    work += elements * std::min(largest, maxWork);
    if (work > maxWork)
      return false;
  }
  return true;
}

static void tryInterpret(func::FuncOp func) {
  if (!isCheap(func))
    return;
  std::vector<HostTensor> inputs;
  for (Type type : func.getArgumentTypes()) {
    auto shape = shapeOf(type);
    auto dtype = dtypeFromMLIR(cast<RankedTensorType>(type).getElementType());
    if (!shape || !dtype)
      return;
    HostTensor input(*dtype, *shape);
    for (int64_t i = 0; i < input.numElements(); ++i)
      isFloat(*dtype) ? input.setDouble(i, 0.25 * i - 1)
                      : input.setInt(i, i & 1);
    inputs.push_back(std::move(input));
  }
  auto outputs = interpret(func, inputs);
  if (!outputs)
    return checkMessage(outputs.takeError());
  if (outputs->size() != func.getNumResults())
    die("the interpreter gave another number of outputs");
}

void exercise(ModuleOp module) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  if (!func)
    die("no function @forward");
  tryInterpret(func);
  MLIRContext *context = module.getContext();
  PassManager pm(context, ModuleOp::getOperationName());
  buildRecognitionPipeline(pm);
  ScopedDiagnosticHandler quiet(context,
                                [](Diagnostic &) { return success(); });
  if (failed(pm.run(module))) {
    if (failed(verify(module)))
      die("a pass left invalid IR");
    return;
  }
  tryInterpret(func);
  std::string json = summaryToJSON(summarizeModel(module));
  if (auto parsed = llvm::json::parse(json); !parsed)
    die("the summary is no JSON: " + llvm::toString(parsed.takeError()));
  findUnrecognized(module);
}

} // namespace plmc::fuzz
