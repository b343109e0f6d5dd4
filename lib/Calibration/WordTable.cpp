//===- WordTable.cpp - The largest weight of many encoders ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Calibration/WordTable.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/CalibrationSet.h"
#include "plmc/Interpreter/Interpreter.h"
#include <numeric>

using namespace mlir;
using namespace plmc;

static llvm::Error fail(const Twine &text) {
  return llvm::createStringError(text);
}

/// The value that the largest table of the module's embeddings is.
static llvm::Expected<Value> largestTable(ModuleOp module) {
  Value largest;
  int64_t most = 0;
  module.walk([&](plm::EmbeddingOp op) {
    auto type = cast<RankedTensorType>(op.getTable().getType());
    if (!type.isDynamicDim(0) && type.getDimSize(0) > most) {
      most = type.getDimSize(0);
      largest = op.getTable();
    }
  });
  if (!largest)
    return fail("there is no word table: no plm.embedding reads one");
  if (!largest.getDefiningOp<plm::GetParameterOp>())
    return fail("the word table, of " + Twine(most) +
                " rows, is no parameter but computed or quantised already; "
                "run this pass before others that change it");
  return largest;
}

llvm::Expected<WordTable> WordTable::find(SymbolTable &symbols,
                                          StringRef name) {
  auto module = cast<ModuleOp>(symbols.getOp());
  WordTable table;
  if (name.empty()) {
    auto value = largestTable(module);
    if (!value)
      return value.takeError();
    name = value->getDefiningOp<plm::GetParameterOp>().getParameter();
  }
  name.consume_front("@");
  table.parameter = symbols.lookup<plm::ParameterOp>(name);
  if (!table.parameter)
    return fail("table=" + name + ": there is no such parameter");
  auto type = table.parameter.getTensorType();
  if (type.getRank() != 2 || !type.getElementType().isF32())
    return fail("@" + name + " is no f32 table [rows, width]");

  std::string other;
  module.walk([&](plm::GetParameterOp get) {
    if (get.getParameter() != name)
      return;
    for (OpOperand &use : get->getUses()) {
      auto lookup = dyn_cast<plm::EmbeddingOp>(use.getOwner());
      auto linear = dyn_cast<plm::LinearOp>(use.getOwner());
      if (lookup && use.getOperandNumber() == 1)
        table.lookups.push_back(lookup);
      else if (linear && use.getOperandNumber() == 1 && linear.getTransposed())
        table.decoders.push_back(linear);
      else
        other = use.getOwner()->getName().getStringRef();
    }
  });
  if (!other.empty())
    return fail("@" + name + " is also read by " + other +
                "; a table that is changed may be read by plm.embedding and "
                "transposed by plm.linear");
  if (table.lookups.empty())
    return fail("@" + name + " is no table of a plm.embedding");

  auto tensor = tensorFromAttr(table.parameter.getValue());
  if (!tensor)
    return fail("@" + name +
                " has no value; print the module with "
                "--elide-weights=false: " +
                llvm::toString(tensor.takeError()));
  table.values = Eigen::Map<const Matrix>(tensor->as<float>(), tensor->shape[0],
                                          tensor->shape[1]);
  if (!table.values.allFinite())
    return fail("@" + name + " holds NaN or infinite values");
  return table;
}

plm::ParameterOp WordTable::addParameter(SymbolTable &symbols, StringRef suffix,
                                         RankedTensorType type,
                                         AsmResourceBlob blob) const {
  plm::ParameterOp before = parameter;
  OpBuilder builder(before);
  std::string name = (before.getSymName() + "." + suffix).str();
  auto added = plm::ParameterOp::create(
      builder, before.getLoc(), name,
      DenseResourceElementsAttr::get(type, name, std::move(blob)));
  symbols.insert(added, Block::iterator(before)); // renames on a clash
  return added;
}

void WordTable::erase(SymbolTable &symbols) {
  SmallVector<plm::GetParameterOp> reads;
  symbols.getOp()->walk([&](plm::GetParameterOp get) {
    if (get.getParameter() == parameter.getSymName() && get->use_empty())
      reads.push_back(get);
  });
  for (plm::GetParameterOp get : reads)
    get->erase();
  if (SymbolTable::symbolKnownUseEmpty(parameter, symbols.getOp()))
    symbols.erase(parameter);
}

llvm::Expected<std::vector<double>> plmc::rowWeights(int64_t rows,
                                                     StringRef weighting,
                                                     StringRef calibration,
                                                     double smoothing) {
  if (weighting == "none")
    return std::vector<double>(rows, 1);
  if (weighting != "frequency")
    return fail("weighting=" + weighting + ": known are frequency, none");
  if (calibration.empty())
    return fail(
        "weighting=frequency needs calibration=FILE.npz with input_ids; "
        "or give weighting=none");
  if (!(smoothing > 0))
    return fail("smoothing must be above 0");
  auto set = CalibrationSet::read(calibration);
  if (!set)
    return set.takeError();
  auto weights = set->frequencies(rows);
  if (!weights)
    return fail(calibration + ": " + llvm::toString(weights.takeError()));
  double mean = std::accumulate(weights->begin(), weights->end(), 0.0) / rows;
  for (double &weight : *weights)
    weight = (weight / mean + smoothing) / (1 + smoothing);
  return weights;
}
