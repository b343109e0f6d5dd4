//===- ReduceVocabulary.cpp - Fewer rows of word embeddings
//------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Closure.h"
#include "NearestRows.h"
#include "NewVocabulary.h"
#include "PieceChoice.h"
#include "ReplaceRows.h"
#include "TokenCounts.h"
#include "VocabularyUses.h"
#include "WriteVocabulary.h"
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
  Error trim(func::FuncOp func);
  Error renew(func::FuncOp func);
  Error finish(const plmc::Tokenizer &reduced, ArrayRef<int32_t> newIds);
  void countKept(ArrayRef<int32_t> kept);
  /// Writes down which tokenizer the ids are of.
  void record(const plmc::Tokenizer &tokenizer, bool renumbered);
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
  if (method != "alias" && method != "trim" && method != "new")
    return llvm::createStringError("method=" + method.getValue() +
                                   ": known are alias, trim, new");
  if (weighting != "length" && weighting != "frequency" &&
      weighting != "uniform")
    return llvm::createStringError("weighting=" + weighting.getValue() +
                                   ": known are length, frequency, uniform");
  if (closure != "all" && closure != "ascii")
    return llvm::createStringError("closure=" + closure.getValue() +
                                   ": known are all, ascii");
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

void ReduceVocabulary::record(const plmc::Tokenizer &tokenizer,
                              bool renumbered) {
  Builder builder(&getContext());
  NamedAttrList entries;
  entries.set("hash", builder.getStringAttr(tokenizer.vocabularyHash()));
  entries.set("ids", builder.getI64IntegerAttr(tokenizer.size()));
  if (renumbered)
    entries.set("renumbered", builder.getUnitAttr());
  getOperation()->setAttr("plm.vocabulary",
                          entries.getDictionary(&getContext()));
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
    auto special = vocabulary->specialIds();
    if (!special)
      return special.takeError();
    required = std::move(*special);
  }
  auto kept = plmc::choosePieces(counts, required, {size, minCount},
                                 [](int32_t id) { return std::vector{id}; });
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
    record(*vocabulary, /*renumbered=*/false);
  return Error::success();
}

/// Ids become fewer: rows are copied in their order.
Error ReduceVocabulary::trim(func::FuncOp func) {
  if (!vocabulary)
    return llvm::createStringError(
        "method=trim gives pieces other ids: give tokenizer=FILE");
  auto needed = plmc::Closure::of(*vocabulary, closure == "ascii");
  if (!needed)
    return needed.takeError();
  // Rows that only fill up the table have no piece.
  auto kept = plmc::choosePieces(
      ArrayRef(counts).take_front(vocabulary->size()), needed->required,
      {size, minCount}, [&](int32_t id) { return needed->withParts(id); });
  if (!kept)
    return kept.takeError();
  llvm::erase_if(*kept,
                 [&](int32_t id) { return vocabulary->piece(id).empty(); });
  auto reduced = vocabulary->withVocabulary(*kept);
  if (!reduced)
    return reduced.takeError();
  std::vector<plmc::RowMix> rows;
  std::vector<int32_t> newIds(vocabulary->size(), -1);
  for (int32_t id : *kept) {
    newIds[id] = int32_t(rows.size());
    rows.push_back({{id, 1.0}});
  }
  countKept(*kept);
  if (Error error = plmc::replaceRows(uses, func, *symbols, rows))
    return error;
  return finish(**reduced, newIds);
}

/// Other pieces, whose rows are made of old ones.
Error ReduceVocabulary::renew(func::FuncOp func) {
  if (!vocabulary || !size)
    return llvm::createStringError(
        "method=new needs the model's tokenizer and a size: give "
        "tokenizer=FILE size=N");
  auto needed = plmc::Closure::of(*vocabulary, closure == "ascii");
  if (!needed)
    return needed.takeError();
  auto made = plmc::NewVocabulary::train(
      *vocabulary, needed->required,
      std::vector<std::string>(corpus.begin(), corpus.end()), size, counts,
      weighting == "length"      ? plmc::PieceWeight::Length
      : weighting == "frequency" ? plmc::PieceWeight::Frequency
                                 : plmc::PieceWeight::Uniform);
  if (!made)
    return made.takeError();
  if (Error error = plmc::replaceRows(uses, func, *symbols, made->rows))
    return error;
  int64_t total = made->rows.size();
  count("rows copied", total - made->mixed);
  count("rows that are means: a start for distillation, not a trained model",
        made->mixed);
  return finish(*made->tokenizer, made->newIds);
}

/// What everybody who has a text needs from now on.
Error ReduceVocabulary::finish(const plmc::Tokenizer &reduced,
                               ArrayRef<int32_t> newIds) {
  record(reduced, /*renumbered=*/true);
  if (outputTokenizer.empty())
    return Error::success();
  return plmc::writeVocabulary(outputTokenizer, reduced, newIds);
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
  if (method == "alias")
    return alias();
  return method == "trim" ? trim(func) : renew(func);
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
