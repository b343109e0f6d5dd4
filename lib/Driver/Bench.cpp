//===- Bench.cpp - plmc bench ---------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Bench.h"
#include "Progress.h"
#include "ShapeInputs.h"
#include "plmc/Report/Table.h"
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using Clock = std::chrono::steady_clock;

namespace plmc {
namespace {

struct Measurement {
  Shape shape;
  int threads;
  int64_t runs;
  double median, least; // milliseconds
  double tokensPerSecond() const {
    return shape.batch * shape.sequence / (median / 1000);
  }
};

Expected<Measurement> measure(LoadedModel &model, Shape shape, int threads,
                              double seconds) {
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      model.createContext(threads);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  Expected<std::vector<HostTensor>> inputs =
      acceptedInputs(model, **context, shape);
  if (!inputs)
    return inputs.takeError();
  std::vector<double> times;
  Clock::time_point start = Clock::now();
  do {
    Clock::time_point before = Clock::now();
    if (Error error = (*context)->runInPlace(*inputs))
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
    Expected<Shape> shape = parseShape("--shapes", text);
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
