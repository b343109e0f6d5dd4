//===- Inspect.cpp - plmc inspect -----------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Inspect.h"
#include "Import.h"
#include "InspectLibrary.h"
#include "Output.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Analysis/NonFinite.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Report/Table.h"
#include "plmc/Support/HostTensor.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using llvm::Error;
using Json = nlohmann::ordered_json;

namespace plmc {
namespace {

struct Tensor {
  std::string name, type;
  std::vector<std::string> dims;
};

struct Facts {
  std::string path;
  uint64_t fileBytes = 0;
  std::string producer, opset;
  ModelSummary summary;
  std::vector<Tensor> inputs, outputs;
  std::vector<std::string> constraints;
  std::vector<UnrecognizedOp> unrecognized;
  std::string problem; // recognition broke off
  std::vector<NonFiniteParameter> nonFinite;
};

/// How many parts of one kind there are, and how many were recognised.
struct Tally {
  std::string name;
  int64_t recognized, found;
};

std::vector<Tally> talliesOf(const Facts &facts) {
  const ModelSummary &model = facts.summary;
  auto tally = [&](std::string name, int64_t count, UnrecognizedKind kind) {
    return Tally{std::move(name), count,
                 count + countUnrecognized(facts.unrecognized, kind)};
  };
  return {
      tally("attention", model.attentionBlocks, UnrecognizedKind::Attention),
      tally("norm", model.norms, UnrecognizedKind::Norm),
      tally("embedding", model.embeddings, UnrecognizedKind::Embedding),
      tally("linear", model.linears, UnrecognizedKind::Linear),
      tally("activation", model.activations, UnrecognizedKind::Activation),
      tally("pooling", model.pools, UnrecognizedKind::Pooling)};
}

std::string attrText(ModuleOp module, StringRef name) {
  Attribute attr = module->getAttr(name);
  if (!attr)
    return "";
  if (auto text = dyn_cast<StringAttr>(attr))
    return text.str();
  if (auto number = dyn_cast<IntegerAttr>(attr))
    return std::to_string(number.getInt());
  return "";
}

Tensor describe(Type type, std::string name) {
  Tensor tensor;
  tensor.name = std::move(name);
  auto ranked = cast<RankedTensorType>(type);
  std::optional<DType> dtype = dtypeFromMLIR(ranked.getElementType());
  tensor.type = dtype ? dtypeName(*dtype).str() : "?";
  for (const DimExpr &dim : getDims(ranked))
    tensor.dims.push_back(dim.str());
  return tensor;
}

void readSignature(func::FuncOp func, Facts &facts) {
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
    facts.inputs.push_back(describe(type, inputName(func, index)));
  for (auto [index, type] : llvm::enumerate(func.getResultTypes()))
    facts.outputs.push_back(describe(type, outputName(func, index)));
  func.walk([&](plm::ConstraintOp op) {
    facts.constraints.push_back(op.getExpr().str() +
                                (op.getEqual() ? " == 0: " : " >= 0: ") +
                                op.getMessage().str());
  });
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

/// One value if all layers agree, else all of them: "12" or "12, 9, 11".
template <typename Get>
std::string perLayer(const std::vector<LayerSummary> &layers, Get get) {
  std::string text;
  bool same = true;
  for (const LayerSummary &layer : layers) {
    same &= get(layer) == get(layers.front());
    text += (text.empty() ? "" : ", ") + get(layer);
  }
  return same && !layers.empty() ? get(layers.front()) : text;
}

void printTensors(const std::vector<Tensor> &tensors, llvm::raw_ostream &os) {
  Table table({false, false});
  for (const Tensor &tensor : tensors)
    table.addRow({tensor.name, shapeText(tensor.type, tensor.dims)});
  table.print(os, 2);
}

void printText(const Facts &facts, llvm::raw_ostream &os) {
  const ModelSummary &model = facts.summary;
  Table table({false, false});
  table.addRow(
      {"model", facts.path + " (" + formatBytes(facts.fileBytes) + ")"});
  if (!facts.producer.empty() || !facts.opset.empty())
    table.addRow(
        {"made by", facts.producer +
                        (facts.opset.empty() ? "" : ", opset " + facts.opset)});
  table.addRow({"family", model.family});
  std::string layers = std::to_string(model.layers.size());
  if (model.layerGroups && model.layerGroups < int64_t(model.layers.size()))
    layers += " of " + std::to_string(model.layerGroups) +
              (model.layerGroups == 1 ? " shared group" : " shared groups");
  table.addRow({"layers", layers});
  if (!model.layers.empty()) {
    table.addRow({"heads", perLayer(model.layers, [](const LayerSummary &l) {
                    std::string size = std::to_string(l.headSize);
                    if (l.valueHeadSize != l.headSize)
                      size += "/" + std::to_string(l.valueHeadSize);
                    return std::to_string(l.heads) + " of " + size;
                  })});
    table.addRow(
        {"feed-forward", perLayer(model.layers, [](const LayerSummary &l) {
           return l.ffnSize ? std::to_string(l.ffnSize) : "none";
         })});
  }
  table.addRow({"hidden size", std::to_string(model.hiddenSize)});
  if (model.embeddingSize && model.embeddingSize != model.hiddenSize)
    table.addRow({"embedding size", std::to_string(model.embeddingSize)});
  table.addRow({"vocabulary", formatCount(model.vocabularySize)});
  table.addRow({"positions", model.maxPositions
                                 ? std::to_string(model.maxPositions)
                                 : "no table"});
  table.addRow({"parameters", formatCount(model.parameters) + " (" +
                                  formatBytes(model.parameterBytes) + ")"});
  if (!facts.nonFinite.empty())
    table.addRow({"not finite", nonFiniteText(facts.nonFinite)});
  table.addRow({"MACs per token",
                formatCount(model.macsPerToken) + " + " +
                    formatCount(model.attentionMacsPerTokenAndKey) + " a key"});
  table.addRow({"operations", std::to_string(model.operations)});
  std::string recognized;
  for (const Tally &tally : talliesOf(facts))
    recognized += (recognized.empty() ? "" : ", ") + tally.name + " " +
                  std::to_string(tally.recognized) + " of " +
                  std::to_string(tally.found);
  table.addRow({"recognized", recognized});
  table.addRow({"unrecognised", std::to_string(facts.unrecognized.size())});
  table.print(os);
  os << "inputs\n";
  printTensors(facts.inputs, os);
  os << "outputs\n";
  printTensors(facts.outputs, os);
  if (!facts.constraints.empty())
    os << "constraints\n";
  for (const std::string &constraint : facts.constraints)
    os << "  " << constraint << "\n";
  if (!facts.problem.empty())
    os << "recognition broke off: " << facts.problem << "\n";
  if (facts.unrecognized.empty())
    return;
  os << "not recognized, compiled as plain tensor operations\n";
  Table left({false, false, false});
  for (const UnrecognizedOp &op : facts.unrecognized)
    left.addRow({op.node, op.op, op.reason});
  left.print(os, 2);
}

//===----------------------------------------------------------------------===//
// JSON
//===----------------------------------------------------------------------===//

Json tensorsToJSON(const std::vector<Tensor> &tensors) {
  Json list = Json::array();
  for (const Tensor &tensor : tensors)
    list.push_back(
        {{"name", tensor.name}, {"dtype", tensor.type}, {"dims", tensor.dims}});
  return list;
}

void printJSON(const Facts &facts, llvm::raw_ostream &os) {
  Json json = {{"file", facts.path},
               {"fileBytes", facts.fileBytes},
               {"producer", facts.producer},
               {"opset", facts.opset}};
  Json summary = Json::parse(summaryToJSON(facts.summary), nullptr,
                             /*allow_exceptions=*/false);
  if (summary.is_object())
    json.update(summary);
  json["inputs"] = tensorsToJSON(facts.inputs);
  json["outputs"] = tensorsToJSON(facts.outputs);
  json["constraints"] = facts.constraints;
  if (!facts.problem.empty())
    json["problem"] = facts.problem;
  for (const Tally &tally : talliesOf(facts))
    json["recognized"][tally.name] = {{"of", tally.found},
                                      {"recognized", tally.recognized}};
  json["nonFinite"] = Json::array();
  for (const NonFiniteParameter &parameter : facts.nonFinite)
    json["nonFinite"].push_back({{"parameter", parameter.name},
                                 {"nan", parameter.nans},
                                 {"infinite", parameter.infinities}});
  json["unrecognised"] = facts.unrecognized.size();
  json["unrecognized"] = Json::array();
  for (const UnrecognizedOp &op : facts.unrecognized)
    json["unrecognized"].push_back(
        {{"node", op.node}, {"op", op.op}, {"reason", op.reason}});
  os << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

Error inspectModel(StringRef path, bool json, llvm::raw_ostream &out) {
  std::unique_ptr<MLIRContext> context = makeContext();
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      importModel(path, context.get());
  if (!module)
    return module.takeError();
  llvm::Expected<func::FuncOp> func = forwardFunction(**module);
  if (!func)
    return func.takeError();
  Facts facts;
  facts.path = path.str();
  facts.fileBytes = modelBytes(path);
  facts.producer = attrText(**module, "plm.producer");
  facts.opset = attrText(**module, "plm.opset");
  readSignature(*func, facts);
  facts.nonFinite = findNonFinite(**module);
  {
    DiagnosticCollector diagnostics(context.get());
    PassManager pm(context.get(), ModuleOp::getOperationName());
    if (failed(applyPassManagerCLOptions(pm)))
      return makeError(ExitCode::Usage, "the --mlir-* options contradict "
                                        "one another");
    buildRecognitionPipeline(pm);
    if (failed(pm.run(**module)))
      facts.problem = diagnostics.firstError().empty()
                          ? "a pass failed"
                          : diagnostics.firstError();
  }
  facts.summary = summarizeModel(**module);
  facts.unrecognized = findUnrecognized(**module);
  json ? printJSON(facts, out) : printText(facts, out);
  return Error::success();
}

/// ELF files start so, whatever their name.
bool isLibrary(StringRef path) {
  auto file = llvm::MemoryBuffer::getFileSlice(path, 4, 0);
  return file && (*file)->getBuffer() == "\x7f"
                                         "ELF";
}

} // namespace

Error inspect(StringRef path, bool json, llvm::raw_ostream &out) {
  if (Error error = checkModelPath(path))
    return error;
  return isLibrary(path) ? inspectLibrary(path, json, out)
                         : inspectModel(path, json, out);
}

} // namespace plmc
