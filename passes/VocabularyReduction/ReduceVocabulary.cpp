//===- ReduceVocabulary.cpp - Fewer rows of word embeddings
//------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NearestRows.h"
#include "PieceChoice.h"
#include "TokenCounts.h"
#include "VocabularyUses.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/LinearParameters.h"
#include "plmc/Passes/VocabularyReduction.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"
#include <numeric>

using namespace mlir;
using llvm::Error;

namespace plmc {
#define GEN_PASS_DECL_REDUCEVOCABULARY
#define GEN_PASS_DEF_REDUCEVOCABULARY
#include "Passes.h.inc"
} // namespace plmc

namespace {

struct ReduceVocabulary : plmc::impl::ReduceVocabularyBase<ReduceVocabulary> {
  using ReduceVocabularyBase::ReduceVocabularyBase;

  void runOnOperation() override;

private:
  Error checkOptions();
  Error openTokenizer();
  Error run(func::FuncOp func);
  Error alias();
  void countKept(ArrayRef<int32_t> kept);
  /// Writes down which tokenizer the ids are of.
  void record(const plmc::Tokenizer &tokenizer);
  void count(StringRef name, int64_t value) {
    plmc::addCounter(getOperation(), getArgument(), name, value);
  }

  std::shared_ptr<plmc::Tokenizer> vocabulary; // or null
  std::optional<SymbolTable> symbols;
  plmc::VocabularyUses uses;
  std::vector<double> counts; // of the table's rows
};

} // namespace

Error ReduceVocabulary::checkOptions() {
  if (method != "alias")
    return llvm::createStringError("method=" + method.getValue() +
                                   ": known is alias");
  if (distance != "euclidean" && distance != "cosine")
    return llvm::createStringError("distance=" + distance.getValue() +
                                   ": known are euclidean, cosine");
  if (size < 0 || minCount < 0)
    return llvm::createStringError("size and min-count are 0 or more");
  return Error::success();
}

Error ReduceVocabulary::openTokenizer() {
  vocabulary.reset();
  if (tokenizer.empty())
    return Error::success();
  auto opened = plmc::Tokenizer::open(tokenizer);
  if (!opened)
    return opened.takeError();
  vocabulary = std::move(*opened);
  int64_t ids = vocabulary->size();
  // Tables are filled up to a round number of rows, hardly ever further.
  constexpr int64_t padding = 512;
  if (ids > uses.rows || ids + padding < uses.rows)
    return llvm::createStringError("the tokenizer has " + llvm::Twine(ids) +
                                   " pieces, the table of word embeddings " +
                                   llvm::Twine(uses.rows) +
                                   " rows: it is another model's");
  auto known = getOperation()->getAttrOfType<DictionaryAttr>("plm.vocabulary");
  auto hash = known ? known.getAs<StringAttr>("hash") : StringAttr();
  if (hash && hash.getValue() != vocabulary->vocabularyHash())
    return llvm::createStringError(
        "the tokenizer's vocabulary is " + vocabulary->vocabularyHash() +
        ", the model's " + hash.getValue() +
        ": give the tokenizer that was written when it was reduced");
  return Error::success();
}

void ReduceVocabulary::record(const plmc::Tokenizer &tokenizer) {
  Builder builder(&getContext());
  getOperation()->setAttr(
      "plm.vocabulary",
      builder.getDictionaryAttr(
          {builder.getNamedAttr(
               "hash", builder.getStringAttr(tokenizer.vocabularyHash())),
           builder.getNamedAttr("ids",
                                builder.getI64IntegerAttr(tokenizer.size()))}));
}

void ReduceVocabulary::countKept(ArrayRef<int32_t> kept) {
  double all = std::accumulate(counts.begin(), counts.end(), 0.0), own = 0;
  for (int32_t id : kept)
    own += counts[id];
  count("rows kept", kept.size());
  count("rows dropped", uses.rows - int64_t(kept.size()));
  count("ppm of the counted tokens that keep their row",
        int64_t(own / all * 1e6));
}

/// Ids read a small table through a map of all of them.
Error ReduceVocabulary::alias() {
  if (uses.tied)
    return plmc::errorAt(
        uses.decoders.front(),
        "reads the table of word embeddings as well, all rows of it: "
        "method=alias would make the model larger; keep other outputs "
        "(prune-outputs), or use method=trim");
  std::vector<int32_t> required;
  if (vocabulary) {
    auto special = plmc::specialIds(*vocabulary);
    if (!special)
      return special.takeError();
    required = std::move(*special);
  }
  auto kept = plmc::choosePieces(counts, required, {size, minCount});
  if (!kept)
    return kept.takeError();
  auto table = uses.values();
  if (!table)
    return table.takeError();
  if (int64_t(kept->size()) == uses.rows)
    return Error::success();
  countKept(*kept);
  auto gemm = plmc::Gemm::create(&getContext());
  if (!gemm)
    return gemm.takeError();
  auto map =
      plmc::nearestRows(**gemm, *table, *kept,
                        distance == "cosine" ? plmc::RowDistance::Cosine
                                             : plmc::RowDistance::Euclidean);
  if (!map)
    return map.takeError();
  plmc::Matrix small(kept->size(), uses.width);
  for (auto [place, id] : llvm::enumerate(*kept))
    small.row(place) = table->row(id);

  plmc::plm::EmbeddingOp first = uses.embeddings.front();
  std::string name = uses.table.getSymName().str();
  Type tableType = first.getTable().getType();
  OpBuilder builder(first);
  auto blob = [](auto values) {
    return plmc::copiedBlob(ArrayRef(values.data(), values.size()));
  };
  Value rows = plmc::addParameter(
      builder, *symbols, name,
      RankedTensorType::get({small.rows(), small.cols()}, builder.getF32Type()),
      blob(ArrayRef<float>(small.data(), small.size())));
  Value indices = plmc::addParameter(
      builder, *symbols, name + ".map",
      RankedTensorType::get({uses.rows}, builder.getI32Type()),
      blob(ArrayRef<int32_t>(*map)));
  Value aliased =
      plmc::plm::GatherOp::create(builder, first.getLoc(), tableType,
                                  builder.getI64IntegerAttr(0), rows, indices);
  for (plmc::plm::EmbeddingOp op : uses.embeddings)
    op.getTableMutable().assign(aliased);
  if (vocabulary)
    record(*vocabulary);
  return Error::success();
}

Error ReduceVocabulary::run(func::FuncOp func) {
  if (Error error = checkOptions())
    return error;
  if (!size && !minCount)
    minCount = 1;
  symbols.emplace(getOperation());
  auto found = plmc::VocabularyUses::find(func, *symbols);
  if (!found)
    return found.takeError();
  uses = std::move(*found);
  if (Error error = openTokenizer())
    return error;
  auto counted = plmc::countTokens(
      vocabulary.get(), std::vector<std::string>(corpus.begin(), corpus.end()),
      calibration, uses.rows);
  if (!counted)
    return counted.takeError();
  counts = std::move(*counted);
  return alias();
}

void ReduceVocabulary::runOnOperation() {
  auto func = getOperation().lookupSymbol<func::FuncOp>("forward");
  if (!func || func.isExternal()) {
    getOperation().emitError("there is no function @forward");
    return signalPassFailure();
  }
  if (Error error = run(func)) {
    getOperation().emitError() << llvm::toString(std::move(error));
    return signalPassFailure();
  }
  symbols.reset();
  plmc::eraseUnusedParameters(getOperation());
}

std::unique_ptr<Pass> plmc::createReduceVocabularyPass() {
  return std::make_unique<ReduceVocabulary>();
}

void plmc::registerVocabularyPasses() {
  registerPass([] { return createReduceVocabularyPass(); });
}
