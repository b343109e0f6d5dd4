//===- ProductQuantization.cpp - Product-quantized word tables ------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Passes/ProductQuantization.h"
#include "KMeans.h"
#include "NearestEntry.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/WordTable.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"
#include <atomic>
#include <thread>

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_PRODUCTQUANTIZATION
#define GEN_PASS_DEF_PRODUCTQUANTIZATION
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::WordTable;

/// What the table becomes.
struct Codes {
  std::vector<uint8_t> codes; // [V, parts]
  std::vector<float> books;   // [parts, entries, size]
  std::vector<int8_t> books8; // the same in 8 bits, if they are
  std::vector<float> scales;  // [parts]
};

struct ProductQuantization
    : plmc::impl::ProductQuantizationBase<ProductQuantization> {
  using ProductQuantizationBase::ProductQuantizationBase;

  void runOnOperation() override {
    if (llvm::Error error = run()) {
      getOperation().emitError() << llvm::toString(std::move(error));
      signalPassFailure();
    }
  }

private:
  llvm::Error run();
  llvm::Error check(const WordTable &table) const;
  Codes quantize(const plmc::Matrix &values, llvm::ArrayRef<double> weights);
  void quantizePart(const plmc::Matrix &values, llvm::ArrayRef<double> weights,
                    int64_t part, Codes &result);
};

/// Calls work(i) for i in [0, count) on all cores. What is done does not depend
/// on how many there are.
template <typename WorkT> void parallelFor(int64_t count, WorkT work) {
  std::atomic<int64_t> next{0};
  auto loop = [&] {
    for (int64_t i; (i = next++) < count;)
      work(i);
  };
  std::vector<std::thread> threads;
  int64_t cores = std::max(1u, std::thread::hardware_concurrency());
  for (int64_t i = 1; i < std::min(cores, count); ++i)
    threads.emplace_back(loop);
  loop();
  for (std::thread &thread : threads)
    thread.join();
}

template <typename T> AsmResourceBlob blobOf(const std::vector<T> &values) {
  return plmc::copiedBlob(ArrayRef<T>(values));
}

} // namespace

void ProductQuantization::quantizePart(const plmc::Matrix &values,
                                       llvm::ArrayRef<double> weights,
                                       int64_t part, Codes &result) {
  int64_t rows = values.rows(), parts = values.cols() / subVector;
  std::vector<float> points(rows * subVector);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t d = 0; d < subVector; ++d)
      points[row * subVector + d] = values(row, part * subVector + d);
  // Golden ratio: places do not share a sequence.
  std::vector<float> book =
      plmc::kMeans(points, subVector, weights, codes, iterations,
                   seed + uint64_t(part) * 0x9e3779b97f4a7c15u);
  if (codebookBits == 8) {
    float most = 0;
    for (float value : book)
      most = std::max(most, std::fabs(value));
    float scale = most / 127;
    result.scales[part] = scale;
    for (auto [i, value] : llvm::enumerate(book)) {
      auto code = int8_t(scale > 0 ? std::nearbyint(value / scale) : 0);
      result.books8[part * book.size() + i] = code;
      value = code * scale;
    }
  }
  llvm::copy(book, result.books.begin() + part * book.size());
  // To the entries as they are stored.
  std::vector<uint8_t> nearest(rows);
  plmc::NearestEntry(book, subVector).find(points, nearest.data());
  for (int64_t row = 0; row < rows; ++row)
    result.codes[row * parts + part] = nearest[row];
}

Codes ProductQuantization::quantize(const plmc::Matrix &values,
                                    llvm::ArrayRef<double> weights) {
  int64_t parts = values.cols() / subVector;
  int64_t entries = std::min<int64_t>(codes, values.rows());
  Codes result;
  result.codes.resize(values.rows() * parts);
  result.books.resize(parts * entries * subVector);
  if (codebookBits == 8) {
    result.books8.resize(result.books.size());
    result.scales.resize(parts);
  }
  parallelFor(parts, [&](int64_t part) {
    quantizePart(values, weights, part, result);
  });
  return result;
}

llvm::Error ProductQuantization::check(const WordTable &table) const {
  auto fail = [](const Twine &text) { return llvm::createStringError(text); };
  int64_t width = table.values.cols();
  if (subVector < 1 || width % subVector)
    return fail("sub-vector=" + Twine(subVector) +
                " does not divide the width of " + table.symbol() + ", " +
                Twine(width));
  if (codes < 2 || codes > 256)
    return fail("codes=" + Twine(codes) + " is not in [2, 256]");
  if (codebookBits != 8 && codebookBits != 32)
    return fail("codebook-bits=" + Twine(codebookBits) + ": known are 8, 32");
  if (iterations < 1)
    return fail("iterations must be at least 1");
  if (!table.decoders.empty())
    return fail(table.symbol() + " is also the weight of a plm.linear (a tied "
                                 "decoder), which cannot read codes; drop that "
                                 "output by plm-prune-outputs");
  return llvm::Error::success();
}

llvm::Error ProductQuantization::run() {
  SymbolTable symbols(getOperation());
  auto table = WordTable::find(symbols, this->table);
  if (!table)
    return table.takeError();
  if (llvm::Error error = check(*table))
    return error;
  int64_t rows = table->values.rows(), width = table->values.cols();
  auto weights = plmc::rowWeights(rows, weighting, calibration, smoothing);
  if (!weights)
    return weights.takeError();
  Codes result = quantize(table->values, *weights);

  Builder types(&getContext());
  int64_t parts = width / subVector;
  int64_t entries = std::min<int64_t>(codes, rows);
  Type byte = types.getIntegerType(8);
  bool narrow = codebookBits == 8;
  ParameterOp codes = table->addParameter(
      symbols, "codes",
      RankedTensorType::get({rows, parts}, types.getIntegerType(8, false)),
      blobOf(result.codes));
  SmallVector<int64_t> shape{parts, entries, subVector};
  auto bookType = RankedTensorType::get(shape, types.getF32Type());
  ParameterOp books = table->addParameter(
      symbols, "codebooks",
      narrow ? RankedTensorType::get(shape, byte) : bookType,
      narrow ? blobOf(result.books8) : blobOf(result.books));
  ParameterOp scales;
  if (narrow)
    scales =
        table->addParameter(symbols, "codebooks.scale",
                            RankedTensorType::get({parts}, types.getF32Type()),
                            blobOf(result.scales));

  for (EmbeddingOp lookup : table->lookups) {
    OpBuilder builder(lookup);
    Location loc = lookup.getLoc();
    auto read = [&](ParameterOp parameter) -> Value {
      return GetParameterOp::create(builder, loc, parameter.getTensorType(),
                                    FlatSymbolRefAttr::get(parameter));
    };
    Value book = read(books);
    if (narrow)
      book = DequantizeOp::create(builder, loc, bookType, book, read(scales),
                                  /*zero_point=*/Value(), /*axis=*/0,
                                  /*block_size=*/0, /*bits=*/8);
    lookup.getTableMutable().assign(CodebookLookupOp::create(
        builder, loc, lookup.getTable().getType(), read(codes), book));
  }
  int64_t before = table->bytes();
  table->erase(symbols);
  int64_t after = result.codes.size() + result.scales.size() * 4 +
                  (narrow ? result.books8.size() : result.books.size() * 4);
  auto count = [&](StringRef name, int64_t value) {
    plmc::addCounter(getOperation(), getArgument(), name, value);
  };
  count("rows in codes", rows);
  count("bytes saved", before - after);
  return llvm::Error::success();
}

std::unique_ptr<Pass> plmc::createProductQuantizationPass(
    const ProductQuantizationSettings &settings) {
  ProductQuantizationOptions options;
  options.subVector = settings.subVector;
  options.codebookBits = settings.codebookBits;
  options.weighting = settings.weighting;
  options.calibration = settings.calibration;
  options.seed = settings.seed;
  return std::make_unique<ProductQuantization>(options);
}

void plmc::registerProductQuantizationPasses() {
  registerPass([] { return createProductQuantizationPass(); });
}
