//===- Bench.cpp - plmc bench ---------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Bench.h"
#include "Latency.h"
#include "Progress.h"
#include "plmc/Report/Table.h"
#include <nlohmann/json.hpp>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {
namespace {

void printText(const std::vector<Latency> &all, llvm::raw_ostream &out) {
  Table table({true, true, true, true, true, true});
  table.addRow({"shape", "threads", "median ms", "min ms", "tokens/s", "runs"});
  for (const Latency &one : all)
    table.addRow({std::to_string(one.shape.batch) + "x" +
                      std::to_string(one.shape.sequence),
                  std::to_string(one.threads), formatNumber(one.median),
                  formatNumber(one.least),
                  formatCount(int64_t(one.tokensPerSecond())),
                  std::to_string(one.runs)});
  table.print(out);
}

void printJSON(const std::string &library, const std::vector<Latency> &all,
               llvm::raw_ostream &out) {
  nlohmann::ordered_json json;
  json["library"] = library;
  json["measurements"] = nlohmann::ordered_json::array();
  for (const Latency &one : all)
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
  std::vector<Latency> all;
  {
    Progress progress;
    for (int threads : options.threads)
      for (Shape shape : shapes) {
        progress.show("plmc: " + Twine(shape.batch) + "x" +
                      Twine(shape.sequence) + ", " + Twine(threads) +
                      " threads");
        Expected<Latency> one =
            measureLatency(**model, shape, threads, options.seconds);
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
