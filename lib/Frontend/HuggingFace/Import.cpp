//===- Import.cpp - Hugging Face folders to plm ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "plmc/Frontend/HuggingFace/Import.h"
#include "../ONNX/Diagnostics.h"
#include "Heads.h"
#include "SentenceTransformers.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace plmc {
namespace huggingface {
namespace {

using importer::printable;

std::string pathIn(StringRef folder, StringRef name) {
  SmallString<256> path(folder);
  llvm::sys::path::append(path, name);
  return path.str().str();
}

/// One import: the module, its function, and what fills it.
class FolderImport {
public:
  FolderImport(StringRef folder, Config config, Checkpoint checkpoint,
               std::optional<SentenceModules> sentence, MLIRContext *context)
      : folder(folder), config(std::move(config)),
        checkpoint(std::move(checkpoint)), sentence(std::move(sentence)),
        context(context), module(ModuleOp::create(UnknownLoc::get(context))),
        func(createFunction()), weights(context),
        graph(func, body(), symbols, weights),
        b(graph, body(), this->checkpoint, this->config) {}

  llvm::Expected<OwningOpRef<ModuleOp>> run();

private:
  func::FuncOp createFunction() {
    auto result = func::FuncOp::create(UnknownLoc::get(context), "forward",
                                       FunctionType::get(context, {}, {}));
    module->push_back(result);
    result.addEntryBlock();
    return result;
  }
  Block *body() { return &func.getBody().front(); }
  Tensor addInput(StringRef name, ArrayRef<DimExpr> dims);
  std::vector<Output> build();
  void finish(ArrayRef<Output> outputs);
  void removeDeadCode();
  llvm::Error verifyModule();

  std::string folder;
  Config config;
  Checkpoint checkpoint;
  std::optional<SentenceModules> sentence;
  MLIRContext *context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp func;
  importer::DimSymbols symbols;
  importer::WeightStore weights;
  GraphBuilder graph;
  ModelBuilder b;
  std::vector<std::string> inputNames;
};

} // namespace

Tensor FolderImport::addInput(StringRef name, ArrayRef<DimExpr> dims) {
  BlockArgument argument = body()->addArgument(
      makeTensorType(dims, dtypeToMLIR(DType::I64, context)),
      NameLoc::get(StringAttr::get(context, name)));
  inputNames.push_back(name.str());
  return graph.fromValue(argument);
}

std::vector<Output> FolderImport::build() {
  const Family *family = findFamily(config);
  if (!family)
    return {};
  (*module)->setAttr("plm.family",
                     StringAttr::get(context, family->displayName));
  // sentence-transformers loads the encoder, whatever head was trained.
  Head head = sentence ? Head::Base : findHead(config, *family);
  std::unique_ptr<Encoder> encoder = family->make(b);
  if (config.hasFailed())
    return {};
  DimExpr batch = symbols.declare("batch"), choices(1);
  Dims shape = {batch, symbols.declare("sequence")};
  if (head == Head::MultipleChoice) {
    choices = symbols.declare("choices");
    shape.insert(shape.begin() + 1, choices);
  }
  // DeBERTa may be without token types.
  bool hasTypes = family->hasTypes &&
                  !(family->modelType == "deberta-v2" &&
                    config.integer("type_vocab_size", 0, 0, INT64_MAX) == 0);
  b.setModule("inputs");
  Inputs inputs;
  inputs.ids = addInput("input_ids", shape);
  inputs.mask = addInput("attention_mask", shape);
  if (hasTypes)
    inputs.types = addInput("token_type_ids", shape);
  if (head == Head::MultipleChoice)
    for (Tensor *input : {&inputs.ids, &inputs.mask, &inputs.types})
      if (*input)
        *input = graph.reshape(*input, {batch * choices, shape.back()});

  Tensor hidden = encoder->encode(inputs);
  std::vector<Output> outputs =
      buildHead(b, *encoder, head, hidden, inputs, batch, choices);
  if (sentence)
    outputs.push_back(
        {"sentence_embedding", sentence->build(b, hidden, inputs.mask)});
  return outputs;
}

void FolderImport::finish(ArrayRef<Output> outputs) {
  SmallVector<Value> results;
  for (const Output &output : outputs)
    results.push_back(graph.valueOf(output.tensor));
  OpBuilder ir = OpBuilder::atBlockEnd(body());
  func::ReturnOp::create(ir, UnknownLoc::get(context), results);
  func.setFunctionType(FunctionType::get(context, body()->getArgumentTypes(),
                                         ValueRange(results).getTypes()));
  for (auto [index, name] : llvm::enumerate(inputNames))
    func.setArgAttr(index, "plm.name", ir.getStringAttr(name));
  for (auto [index, output] : llvm::enumerate(outputs))
    func.setResultAttr(index, "plm.name", ir.getStringAttr(output.name));
  std::string producer = "transformers";
  if (const Json *version = config.raw("transformers_version"))
    if (version->is_string())
      producer += " " + printable(version->get<std::string>(), 40);
  (*module)->setAttr("plm.producer", ir.getStringAttr(producer));
  (*module)->setAttr("plm.source", ir.getStringAttr(printable(
                                       llvm::sys::path::filename(folder))));
}

/// What was only built for a shape, and parameters that nobody reads.
void FolderImport::removeDeadCode() {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*body())))
    if (isOpTriviallyDead(&op))
      op.erase();
  llvm::StringSet<> read;
  func.walk([&](plm::GetParameterOp op) { read.insert(op.getParameter()); });
  for (auto parameter :
       llvm::make_early_inc_range(module->getOps<plm::ParameterOp>()))
    if (!read.contains(parameter.getSymName()))
      parameter.erase();
}

llvm::Error FolderImport::verifyModule() {
  std::string problem;
  ScopedDiagnosticHandler capture(context, [&](Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return success();
  });
  if (succeeded(verify(*module)))
    return llvm::Error::success();
  return importer::unsupported(
      printable(folder, 400) +
      ": the imported module is not valid: " + printable(problem, 400));
}

llvm::Expected<OwningOpRef<ModuleOp>> FolderImport::run() {
  std::vector<Output> outputs = build();
  if (llvm::Error error = config.takeFailure()) {
    llvm::consumeError(graph.takeFailure());
    return error;
  }
  if (llvm::Error error = graph.takeFailure())
    return error;
  for (const Output &output : outputs)
    if (!output.tensor)
      return importer::unsupported(printable(folder, 400) + ": output '" +
                                   output.name + "' could not be built");
  finish(outputs);
  removeDeadCode();
  if (llvm::Error error = verifyModule())
    return error;
  return std::move(module);
}

} // namespace huggingface

bool isHuggingFacePath(StringRef path) {
  return llvm::sys::fs::is_directory(path) ||
         llvm::sys::path::filename(path) == "config.json";
}

std::string huggingFaceFolder(StringRef path) {
  if (llvm::sys::fs::is_directory(path))
    return path.size() > 1 ? path.rtrim('/').str() : path.str();
  StringRef parent = llvm::sys::path::parent_path(path);
  return parent.empty() ? "." : parent.str();
}

llvm::Expected<OwningOpRef<ModuleOp>> importHuggingFace(StringRef path,
                                                        MLIRContext *context) {
  using namespace huggingface;
  context->loadDialect<plm::PLMDialect, func::FuncDialect>();
  std::string folder = huggingFaceFolder(path), transformer = folder;
  std::optional<SentenceModules> sentence;
  if (llvm::sys::fs::exists(pathIn(folder, "modules.json"))) {
    auto modules = SentenceModules::open(folder);
    if (!modules)
      return modules.takeError();
    transformer = modules->getTransformerFolder();
    sentence = std::move(*modules);
  }
  std::string configPath = pathIn(transformer, "config.json");
  if (!llvm::sys::fs::exists(configPath))
    return importer::badModel(
        printable(folder, 400) +
        ": there is no config.json in this folder; name the folder of a "
        "Hugging Face model, or an .onnx file");
  auto config = Config::open(configPath);
  if (!config)
    return config.takeError();
  // The family first: its message is the more useful one.
  if (!findFamily(*config))
    return config->takeFailure();
  auto checkpoint = Checkpoint::open(transformer);
  if (!checkpoint)
    return checkpoint.takeError();
  return FolderImport(folder, std::move(*config), std::move(*checkpoint),
                      std::move(sentence), context)
      .run();
}

} // namespace plmc
