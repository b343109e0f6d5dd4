//===- EmbeddingFactorization.cpp - Factorised word tables ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Let D hold what each row of the table W counts. The best approximation of
// rank E of D^(1/2) W is D^(1/2) W U U^T, with U [H, E] the first eigenvectors
// of W^T D W (Eckart and Young, 1936). So W U is the table, U^T the product,
// and D is needed for U alone: a matrix H x H, however many tokens there are.
// Columns that count differently, G, are multiplied to W before, and U^T by
// their inverse.
//
//===----------------------------------------------------------------------===//

#include "plmc/Passes/EmbeddingFactorization.h"
#include "ColumnWeights.h"
#include "mlir/IR/AsmState.h"
#include "plmc/Calibration/WordTable.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/Counters.h"

using namespace mlir;
using namespace plmc::plm;

namespace plmc {
#define GEN_PASS_DECL_EMBEDDINGFACTORIZATION
#define GEN_PASS_DEF_EMBEDDINGFACTORIZATION
#include "Passes.h.inc"
} // namespace plmc

namespace {

using plmc::DimExpr;
using plmc::Matrix;
using plmc::WordTable;

struct EmbeddingFactorization
    : plmc::impl::EmbeddingFactorizationBase<EmbeddingFactorization> {
  using EmbeddingFactorizationBase::EmbeddingFactorizationBase;

  void runOnOperation() override {
    if (llvm::Error error = run()) {
      getOperation().emitError() << llvm::toString(std::move(error));
      signalPassFailure();
    }
  }

private:
  llvm::Error run();
  llvm::Expected<int64_t> rankForKeep(const WordTable &table) const;
  llvm::Expected<int64_t> chooseRank(const WordTable &table,
                                     const Eigen::VectorXd &squares) const;
};

/// W^T D W. In blocks of rows: sums of some hundred in f32, of blocks in f64.
Eigen::MatrixXd weightedGram(const Matrix &values,
                             llvm::ArrayRef<double> weights) {
  constexpr int64_t blockRows = 512;
  int64_t width = values.cols();
  Eigen::MatrixXd sum = Eigen::MatrixXd::Zero(width, width);
  for (int64_t row = 0; row < values.rows(); row += blockRows) {
    Matrix block =
        values.middleRows(row, std::min(blockRows, values.rows() - row));
    for (int64_t i = 0; i < block.rows(); ++i)
      block.row(i) *= float(std::sqrt(weights[row + i]));
    Matrix product = block.transpose() * block;
    sum += product.cast<double>();
  }
  return sum;
}

/// The type of `value` with another last dimension.
RankedTensorType withWidth(Value value, int64_t width) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<DimExpr> dims = plmc::getDims(type);
  dims.back() = DimExpr(width);
  return plmc::makeTensorType(dims, type.getElementType());
}

Value read(OpBuilder &builder, Location loc, ParameterOp parameter) {
  return GetParameterOp::create(builder, loc, parameter.getTensorType(),
                                FlatSymbolRefAttr::get(parameter));
}

/// An order of columns in which neighbouring fours have like products of
/// squares, as product quantization wants them: a code has as many bits
/// whatever the variance of what it stands for (Ge et al., *Optimized Product
/// Quantization*, 2013). `squares` descend.
std::vector<int64_t> balancedOrder(const Eigen::VectorXd &squares) {
  constexpr size_t size = 4;
  int64_t groups = llvm::divideCeil(squares.size(), size);
  std::vector<std::vector<int64_t>> members(groups);
  std::vector<double> logs(groups, 0);
  double least = std::max(squares[squares.size() - 1], squares[0] * 1e-12);
  for (int64_t i = 0; i < squares.size(); ++i) {
    int64_t best = -1;
    for (int64_t group = 0; group < groups; ++group)
      if (members[group].size() < size &&
          (best < 0 || logs[group] < logs[best]))
        best = group;
    members[best].push_back(i);
    logs[best] += std::log(std::max(squares[i] / least, 1.0)) + 1e-9;
  }
  std::vector<int64_t> order;
  for (const std::vector<int64_t> &group : members)
    llvm::append_range(order, group);
  return order;
}

} // namespace

/// E (V + H) parameters, in eights where there are so many.
llvm::Expected<int64_t>
EmbeddingFactorization::rankForKeep(const WordTable &table) const {
  int64_t rows = table.values.rows(), width = table.values.cols();
  auto most = int64_t(keep * double(rows * width) / double(rows + width));
  if (most < 1)
    return llvm::createStringError("keep leaves " + table.symbol() + " [" +
                                   Twine(rows) + ", " + Twine(width) +
                                   "] less than one column");
  most = std::min(most, width);
  return most < 8 ? most : most / 8 * 8;
}

llvm::Expected<int64_t>
EmbeddingFactorization::chooseRank(const WordTable &table,
                                   const Eigen::VectorXd &squares) const {
  int64_t rows = table.values.rows(), width = table.values.cols();
  int64_t chosen = rank;
  if (chosen == 0 && keep > 0) {
    auto found = rankForKeep(table);
    if (!found)
      return found.takeError();
    chosen = *found;
  }
  if (chosen == 0) {
    double wanted = squares.sum() * energy, kept = 0;
    while (chosen < width && kept < wanted)
      kept += squares[chosen++];
    // Vectors and words of dot products are not left half empty.
    chosen = std::min(width, int64_t(llvm::alignTo(chosen, 8)));
  }
  if (!allowGrowth && chosen * (rows + width) >= rows * width)
    return llvm::createStringError(
        "rank " + Twine(chosen) + " would not make " + table.symbol() + " [" +
        Twine(rows) + ", " + Twine(width) + "] smaller; at most " +
        Twine((rows * width - 1) / (rows + width)) +
        " do, or give allow-growth=true");
  return chosen;
}

llvm::Error EmbeddingFactorization::run() {
  SymbolTable symbols(getOperation());
  auto table = WordTable::find(symbols, this->table);
  if (!table)
    return table.takeError();
  int64_t rows = table->values.rows(), width = table->values.cols();
  if (rank < 0 || rank > width)
    return llvm::createStringError("rank=" + Twine(rank) + " is not in [1, " +
                                   Twine(width) + "], the width of " +
                                   table->symbol());
  if (rank == 0 && !(energy > 0 && energy <= 1))
    return llvm::createStringError("energy must be above 0 and at most 1");
  if (!(keep >= 0 && keep <= 1))
    return llvm::createStringError("keep must be above 0 and at most 1");
  bool byActivation = weighting == "activation";
  if (!byActivation && weighting != "frequency" && weighting != "none")
    return llvm::createStringError("weighting=" + weighting.getValue() +
                                   ": known are frequency, activation, none");
  Eigen::RowVectorXf columns = Eigen::RowVectorXf::Ones(width);
  if (byActivation) {
    auto found = plmc::columnWeights(*table);
    if (!found)
      return found.takeError();
    columns = std::move(*found);
    table->values.array().rowwise() *= columns.array();
  }
  auto weights =
      plmc::rowWeights(rows, byActivation ? "frequency" : weighting.getValue(),
                       calibration, smoothing);
  if (!weights)
    return weights.takeError();

  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      weightedGram(table->values, *weights));
  // Ascending; the first is to be the largest.
  Eigen::VectorXd squares = solver.eigenvalues().reverse().cwiseMax(0);
  auto chosen = chooseRank(*table, squares);
  if (!chosen)
    return chosen.takeError();
  int64_t inner = *chosen;
  Matrix up(inner, width);
  for (auto [row, place] : llvm::enumerate(balancedOrder(squares.head(inner))))
    up.row(row) =
        solver.eigenvectors().col(width - 1 - place).transpose().cast<float>();
  // Of two opposite eigenvectors the one whose largest element is positive.
  for (int64_t i = 0; i < inner; ++i) {
    Eigen::Index largest;
    up.row(i).cwiseAbs().maxCoeff(&largest);
    if (up(i, largest) < 0)
      up.row(i) *= -1;
  }
  Matrix small = table->values * up.transpose();
  up.array().rowwise() /= columns.array();

  auto add = [&](StringRef suffix, const Matrix &matrix) {
    return table->addParameter(
        symbols, suffix,
        RankedTensorType::get({matrix.rows(), matrix.cols()},
                              Builder(&getContext()).getF32Type()),
        plmc::copiedBlob(ArrayRef(matrix.data(), matrix.size())));
  };
  ParameterOp smallTable = add("small", small), upWeight = add("up", up);
  for (EmbeddingOp lookup : table->lookups) {
    OpBuilder builder(lookup);
    Location loc = lookup.getLoc();
    Value narrow =
        EmbeddingOp::create(builder, loc, withWidth(lookup.getResult(), inner),
                            lookup.getIds(), read(builder, loc, smallTable));
    Value wide = LinearOp::create(builder, loc, lookup.getType(), narrow,
                                  read(builder, loc, upWeight), Value(), false);
    lookup.replaceAllUsesWith(wide);
    lookup.erase();
  }
  for (LinearOp decoder : table->decoders) {
    OpBuilder builder(decoder);
    Location loc = decoder.getLoc();
    auto narrow = LinearOp::create(
        builder, loc, withWidth(decoder.getInput(), inner), decoder.getInput(),
        read(builder, loc, upWeight), Value(), true);
    narrow.setPrecisionAttr(decoder.getPrecisionAttr());
    decoder.getInputMutable().assign(narrow.getResult());
    decoder.getWeightMutable().assign(read(builder, loc, smallTable));
  }
  table->erase(symbols);
  auto count = [&](StringRef name, int64_t value) {
    plmc::addCounter(getOperation(), getArgument(), name, value);
  };
  count("columns kept", inner);
  count("energy lost, in millionths",
        std::llround(1e6 * squares.tail(width - inner).sum() /
                     std::max(squares.sum(), 1e-300)));
  count("bytes saved", (rows * width - inner * (rows + width)) * 4);
  return llvm::Error::success();
}

std::unique_ptr<Pass> plmc::createEmbeddingFactorizationPass(
    const EmbeddingFactorizationSettings &settings) {
  EmbeddingFactorizationOptions options;
  options.rank = settings.rank;
  options.energy = settings.energy;
  options.weighting = settings.weighting;
  options.calibration = settings.calibration;
  return std::make_unique<EmbeddingFactorization>(options);
}

void plmc::registerEmbeddingFactorizationPasses() {
  registerPass([] { return createEmbeddingFactorizationPass(); });
}
