//===- Bench.cpp - plmc bench ---------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Bench.h"
#include "Progress.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Report/Table.h"
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <random>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using Clock = std::chrono::steady_clock;

namespace plmc {
namespace {

struct Shape {
  int64_t batch, sequence;
};

struct Measurement {
  Shape shape;
  int threads;
  int64_t runs;
  double median, least; // milliseconds
  double tokensPerSecond() const {
    return shape.batch * shape.sequence / (median / 1000);
  }
};

Expected<Shape> parseShape(StringRef text) {
  Shape shape;
  auto [batch, sequence] = text.split('x');
  if (batch.getAsInteger(10, shape.batch) ||
      sequence.getAsInteger(10, shape.sequence) || shape.batch < 1 ||
      shape.sequence < 1 || shape.batch > (1 << 20) ||
      shape.sequence > (1 << 20))
    return makeError(ExitCode::Usage, "--shapes: '" + text +
                                          "' is no BATCHxLENGTH such as 8x64");
  return shape;
}

/// The symbols of all inputs; the first dimension of an input is the batch, all
/// others are the length.
Expected<std::vector<int64_t>>
inputShape(const TensorSignature &input, Shape shape,
           std::map<std::string, int64_t> &bound) {
  std::vector<int64_t> sizes;
  for (auto [axis, text] : llvm::enumerate(input.dims)) {
    std::optional<DimExpr> dim = DimExpr::parse(text);
    if (!dim)
      return makeError(ExitCode::BadInput, "input '" + input.name +
                                               "' has a malformed dimension '" +
                                               text + "'");
    for (const std::string &symbol : dim->symbols())
      bound.try_emplace(symbol, axis == 0 ? shape.batch : shape.sequence);
    std::optional<int64_t> size = dim->evaluate(bound);
    if (!size || *size < 0)
      return makeError(ExitCode::BadInput, "input '" + input.name +
                                               "': dimension '" + text +
                                               "' has no size");
    sizes.push_back(*size);
  }
  return std::move(sizes);
}

/// ids: random in [0, limit). Masks are all 1, token types all 0, positions
/// count up; told by name, since a library does not say what an input means.
Expected<std::vector<HostTensor>>
makeInputs(const std::vector<TensorSignature> &signatures, Shape shape,
           int64_t limit) {
  std::mt19937_64 random(1);
  std::map<std::string, int64_t> bound;
  std::vector<HostTensor> inputs;
  for (const TensorSignature &signature : signatures) {
    Expected<std::vector<int64_t>> sizes = inputShape(signature, shape, bound);
    if (!sizes)
      return sizes.takeError();
    HostTensor tensor(signature.dtype, *sizes);
    StringRef name = signature.name;
    bool mask = name.contains_insensitive("mask");
    bool type = name.contains_insensitive("type") ||
                name.contains_insensitive("segment");
    bool position = name.contains_insensitive("position");
    int64_t width = sizes->empty() ? 1 : std::max<int64_t>(sizes->back(), 1);
    for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
      if (isFloat(signature.dtype))
        tensor.setDouble(i, mask ? 1 : double(random() % 2001) / 1000 - 1);
      else
        tensor.setInt(i, mask                    ? 1
                         : type                  ? 0
                         : position && limit > 1 ? i % width
                                                 : int64_t(random() % limit));
    inputs.push_back(std::move(tensor));
  }
  return std::move(inputs);
}

Expected<Measurement> measure(LoadedModel &model, Shape shape, int threads,
                              double seconds) {
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      model.createContext(threads);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  // Without knowing the vocabulary: few ids first, then fewer.
  std::vector<HostTensor> inputs;
  std::string refused;
  bool ran = false;
  for (int64_t limit : {100, 2, 1}) {
    Expected<std::vector<HostTensor>> made =
        makeInputs(model.inputs(), shape, limit);
    if (!made)
      return made.takeError();
    inputs = std::move(*made);
    if (Error error = (*context)->runInPlace(inputs)) {
      refused = llvm::toString(std::move(error));
      continue;
    }
    ran = true;
    break;
  }
  if (!ran)
    return makeError(ExitCode::BadInput,
                     Twine(shape.batch) + "x" + Twine(shape.sequence) +
                         ": the library refused: " + refused);
  std::vector<double> times;
  Clock::time_point start = Clock::now();
  do {
    Clock::time_point before = Clock::now();
    if (Error error = (*context)->runInPlace(inputs))
      return withCode(std::move(error), ExitCode::Internal);
    times.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - before)
            .count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() <
               seconds ||
           times.size() < 3);
  std::sort(times.begin(), times.end());
  return Measurement{shape, threads, int64_t(times.size()),
                     times[times.size() / 2], times.front()};
}

void printText(const std::vector<Measurement> &all, llvm::raw_ostream &out) {
  Table table({true, true, true, true, true, true});
  table.addRow({"shape", "threads", "median ms", "min ms", "tokens/s", "runs"});
  for (const Measurement &one : all)
    table.addRow({std::to_string(one.shape.batch) + "x" +
                      std::to_string(one.shape.sequence),
                  std::to_string(one.threads), formatNumber(one.median),
                  formatNumber(one.least),
                  formatCount(int64_t(one.tokensPerSecond())),
                  std::to_string(one.runs)});
  table.print(out);
}

void printJSON(const std::string &library, const std::vector<Measurement> &all,
               llvm::raw_ostream &out) {
  nlohmann::ordered_json json;
  json["library"] = library;
  json["measurements"] = nlohmann::ordered_json::array();
  for (const Measurement &one : all)
    json["measurements"].push_back(
        {{"batch", one.shape.batch},
         {"sequence", one.shape.sequence},
         {"threads", one.threads},
         {"runs", one.runs},
         {"medianMs", one.median},
         {"minMs", one.least},
         {"tokensPerSecond", one.tokensPerSecond()}});
  out << json.dump(2, ' ', false,
                   nlohmann::ordered_json::error_handler_t::replace)
      << "\n";
}

} // namespace

Error bench(const BenchOptions &options, llvm::raw_ostream &out) {
  std::vector<Shape> shapes;
  for (const std::string &text : options.shapes) {
    Expected<Shape> shape = parseShape(text);
    if (!shape)
      return shape.takeError();
    shapes.push_back(*shape);
  }
  for (int threads : options.threads)
    if (threads < 0)
      return makeError(ExitCode::Usage, "--threads: " + Twine(threads) +
                                            " is negative; 0 is all CPUs");
  if (Error error = checkReadable(options.library))
    return error;
  Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(options.library);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  std::vector<Measurement> all;
  {
    Progress progress;
    for (int threads : options.threads)
      for (Shape shape : shapes) {
        progress.show("plmc: " + Twine(shape.batch) + "x" +
                      Twine(shape.sequence) + ", " + Twine(threads) +
                      " threads");
        Expected<Measurement> one =
            measure(**model, shape, threads, options.seconds);
        if (!one)
          return one.takeError();
        all.push_back(*one);
      }
  }
  if (options.json)
    printJSON(options.library, all, out);
  else
    printText(all, out);
  return Error::success();
}

} // namespace plmc
