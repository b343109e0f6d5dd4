//===- Profile.cpp - plmc profile -----------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Profile.h"
#include "Output.h"
#include "Progress.h"
#include "ShapeInputs.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Execution/MachinePeak.h"
#include "plmc/Report/Roofline.h"
#include "plmc/Report/Table.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Path.h"
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

using llvm::ArrayRef;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

namespace plmc {
namespace {

/// A step of the run, as the description lists it, and its median time; or
/// several steps together.
struct Step {
  std::string op, kernel, precision;
  int64_t layer = -1, calls = 1;
  double flops = 0, bytes = 0;
  double seconds = 0;

  double gflops() const { return flops / seconds * 1e-9; }
  double gbytes() const { return bytes / seconds * 1e-9; }
};

Error noSteps() {
  return makeError(ExitCode::BadInput,
                   "the library's description lists no steps: compress the "
                   "model again");
}

/// The steps of the description, for inputs without padding.
Expected<std::vector<Step>>
readSteps(const LoadedModel &model, ArrayRef<HostTensor> inputs, Shape shape) {
  auto description = ordered_json::parse(
      model.description().begin(), model.description().end(), nullptr, false);
  if (!description.is_object() || !description["steps"].is_array() ||
      description["steps"].empty())
    return noSteps();
  std::map<std::string, int64_t> sizes = {
      {"plk__tokens", shape.batch * shape.sequence},
      {"plk__max_rows", shape.sequence}};
  for (auto [signature, tensor] : llvm::zip(model.inputs(), inputs))
    for (auto [text, size] : llvm::zip(signature.dims, tensor.shape))
      if (auto dim = DimExpr::parse(text); dim && dim->symbols().size() == 1)
        sizes.try_emplace(dim->symbols().front(), size);
  std::vector<Step> steps;
  for (const ordered_json &entry : description["steps"]) {
    if (!entry.is_object())
      return noSteps();
    Step step;
    step.op = entry.value("op", "");
    step.kernel = entry.value("kernel", "");
    step.precision = entry.value("precision", "");
    step.layer = entry.value("layer", int64_t(-1));
    auto amount = [&](const char *key) {
      auto expr = DimExpr::parse(entry.value(key, "0"));
      return double(expr ? expr->evaluate(sizes).value_or(0) : 0);
    };
    step.flops = amount("flops");
    step.bytes = amount("bytes");
    steps.push_back(std::move(step));
  }
  return std::move(steps);
}

/// Fills in the times of the steps; returns the runs that they are medians of.
Expected<size_t> measure(LoadedModel::Context &context,
                         ArrayRef<HostTensor> inputs, double seconds,
                         std::vector<Step> &steps) {
  std::vector<uint64_t> ticks(steps.size() + 1, 0);
  if (Error error = context.profile(ticks))
    return withCode(std::move(error), ExitCode::BadInput);
  std::vector<std::vector<uint64_t>> times(steps.size());
  size_t runs = 0;
  // The first run only gives the clocks a common start.
  if (Error error = context.runInPlace(inputs))
    return withCode(std::move(error), ExitCode::Internal);
  uint64_t first = ticks.front();
  auto start = Clock::now();
  auto elapsed = [&] {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  do {
    std::fill(ticks.begin() + 1, ticks.end(), 0);
    if (Error error = context.runInPlace(inputs))
      return withCode(std::move(error), ExitCode::Internal);
    for (size_t i = 0; i < steps.size(); ++i)
      times[i].push_back(ticks[i + 1]);
    ++runs;
  } while (elapsed() < seconds || runs < 3);
  double secondsPerTick = elapsed() / double(ticks.front() - first);
  for (auto [step, all] : llvm::zip(steps, times)) {
    std::nth_element(all.begin(), all.begin() + all.size() / 2, all.end());
    step.seconds = double(all[all.size() / 2]) * secondsPerTick;
  }
  return runs;
}

/// Steps with the same kernel, or of the same layer, together; in the order of
/// the first ones.
template <typename KeyT>
std::vector<Step> group(const std::vector<Step> &steps, KeyT key) {
  std::vector<Step> result;
  std::map<decltype(key(steps[0])), size_t> places;
  for (const Step &step : steps) {
    auto [place, isNew] = places.try_emplace(key(step), result.size());
    if (isNew) {
      result.push_back(step);
      continue;
    }
    Step &sum = result[place->second];
    sum.calls += step.calls;
    sum.flops += step.flops;
    sum.bytes += step.bytes;
    sum.seconds += step.seconds;
    if (sum.precision.empty())
      sum.precision = step.precision;
  }
  return result;
}

struct Report {
  const ProfileOptions &options;
  std::vector<Step> steps;
  MachinePeak peak;
  size_t runs;

  double total() const {
    double sum = 0;
    for (const Step &step : steps)
      sum += step.seconds;
    return sum;
  }
  /// GFLOP/s of all threads in this precision; 0: not known.
  double peakOf(StringRef precision) const {
    double one = precision == "int8"   ? peak.int8
                 : precision == "bf16" ? (peak.bf16 ? peak.bf16 : peak.f32)
                 : precision == "f32"  ? peak.f32
                                       : 0;
    return one * std::max(options.threads, 1);
  }
  /// One name a kernel; ops without one are called by the op.
  static std::string nameOf(const Step &step) {
    return step.kernel.empty() ? step.op : step.kernel;
  }

  void printText(llvm::raw_ostream &out) const;
  void printJSON(llvm::raw_ostream &out) const;
  Error writeRoofline() const;

private:
  void printTable(llvm::raw_ostream &out, StringRef head,
                  const std::vector<Step> &rows,
                  llvm::function_ref<std::string(const Step &)> name) const;
};

std::string percent(double part) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.1f %%", 100 * part);
  return text;
}

std::string fixed(double value) {
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format(value < 100 ? "%.1f" : "%.0f", value);
  return text;
}

void Report::printTable(
    llvm::raw_ostream &out, StringRef head, const std::vector<Step> &rows,
    llvm::function_ref<std::string(const Step &)> name) const {
  Table table({false, true, true, true, true, true, true});
  table.addRow(
      {head.str(), "steps", "us", "share", "GFLOP/s", "of peak", "GB/s"});
  for (const Step &row : rows) {
    bool products = row.flops > 0;
    double best = peakOf(row.precision);
    table.addRow({name(row), std::to_string(row.calls),
                  fixed(row.seconds * 1e6), percent(row.seconds / total()),
                  products ? fixed(row.gflops()) : "",
                  products && best ? percent(row.gflops() / best) : "",
                  fixed(row.gbytes())});
  }
  table.print(out);
}

void Report::printText(llvm::raw_ostream &out) const {
  auto layerName = [](const Step &step) {
    return step.layer < 0 ? std::string("outside")
                          : "layer " + std::to_string(step.layer);
  };
  if (options.steps)
    printTable(out, "step", steps, [&](const Step &step) {
      return layerName(step) + " " + nameOf(step);
    });
  else
    printTable(out, "kernel", group(steps, nameOf), nameOf);
  out << "\n";
  printTable(out, "", group(steps, layerName), layerName);
  Step all;
  for (const Step &step : steps) {
    all.flops += step.flops;
    all.seconds += step.seconds;
  }
  out << "\ntotal " << fixed(all.seconds * 1e6) << " us, "
      << fixed(all.gflops()) << " GFLOP/s; medians of " << runs << " runs at "
      << options.shape << ", " << options.threads
      << " threads\npeak of a core: f32 " << fixed(peak.f32);
  if (peak.bf16)
    out << ", bf16 " << fixed(peak.bf16);
  if (peak.int8)
    out << ", int8 " << fixed(peak.int8);
  out << " GFLOP/s; reads " << fixed(peak.read4MB) << " GB/s from 4 MB, "
      << fixed(peak.read256MB) << " GB/s from 256 MB\n";
}

ordered_json toJSON(const MachinePeak &peak) {
  ordered_json json = {{"width", peak.width}, {"f32_gflops", peak.f32}};
  if (peak.bf16)
    json["bf16_gflops"] = peak.bf16;
  if (peak.int8)
    json["int8_gops"] = peak.int8;
  json["read_256KB_gbs"] = peak.read256KB;
  json["read_4MB_gbs"] = peak.read4MB;
  json["read_256MB_gbs"] = peak.read256MB;
  return json;
}

void print(const ordered_json &json, llvm::raw_ostream &out) {
  out << json.dump(2, ' ', false, ordered_json::error_handler_t::replace)
      << "\n";
}

void Report::printJSON(llvm::raw_ostream &out) const {
  ordered_json json = {
      {"library", options.library}, {"shape", options.shape},
      {"threads", options.threads}, {"runs", runs},
      {"peak", toJSON(peak)},       {"steps", ordered_json::array()}};
  for (const Step &step : steps)
    json["steps"].push_back({{"op", step.op},
                             {"kernel", step.kernel},
                             {"layer", step.layer},
                             {"precision", step.precision},
                             {"flops", step.flops},
                             {"bytes", step.bytes},
                             {"seconds", step.seconds}});
  print(json, out);
}

Error Report::writeRoofline() const {
  Roofline roofline;
  roofline.title = llvm::sys::path::filename(options.library).str() + ", " +
                   options.shape + ", " + std::to_string(options.threads) +
                   " threads";
  std::vector<Step> kernels = group(steps, nameOf);
  for (StringRef precision : {"f32", "bf16", "int8"})
    if (llvm::any_of(kernels,
                     [&](const Step &k) { return k.precision == precision; }))
      roofline.peaks.push_back({precision.str(), peakOf(precision)});
  double threads = std::max(options.threads, 1);
  roofline.bandwidths = {{"L2", peak.read256KB * threads},
                         {"4 MB", peak.read4MB * threads},
                         {"memory", peak.read256MB}};
  for (const Step &kernel : kernels)
    if (kernel.flops > 0)
      roofline.kernels.push_back({nameOf(kernel), kernel.flops / kernel.bytes,
                                  kernel.gflops(), kernel.seconds / total()});
  return writeFile(options.roofline,
                   [&](llvm::raw_ostream &os) { roofline.printSVG(os); });
}

} // namespace

Error profile(const ProfileOptions &options, llvm::raw_ostream &out) {
  Expected<Shape> shape = parseShape("--shape", options.shape);
  if (!shape)
    return shape.takeError();
  if (Error error = checkReadable(options.library))
    return error;
  if (!options.roofline.empty())
    if (Error error =
            checkWritable("--roofline", options.roofline, {options.library}))
      return error;
  Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(options.library);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      (*model)->createContext(options.threads);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  Expected<std::vector<HostTensor>> inputs =
      acceptedInputs(**model, **context, *shape);
  if (!inputs)
    return inputs.takeError();
  Expected<std::vector<Step>> steps = readSteps(**model, *inputs, *shape);
  if (!steps)
    return steps.takeError();
  Progress progress;
  progress.show("plmc: measuring the machine's peak");
  Expected<MachinePeak> peak = measurePeak(0.1);
  if (!peak)
    return withCode(peak.takeError(), ExitCode::Internal);
  progress.show("plmc: " + options.shape);
  Expected<size_t> runs = measure(**context, *inputs, options.seconds, *steps);
  if (!runs)
    return runs.takeError();
  progress.clear();
  Report report{options, std::move(*steps), *peak, *runs};
  if (!options.roofline.empty())
    if (Error error = report.writeRoofline())
      return error;
  if (options.json)
    report.printJSON(out);
  else
    report.printText(out);
  return Error::success();
}

Error peak(double secondsEach, llvm::raw_ostream &out) {
  Expected<MachinePeak> found = measurePeak(secondsEach);
  if (!found)
    return withCode(found.takeError(), ExitCode::Internal);
  print(toJSON(*found), out);
  return Error::success();
}

} // namespace plmc
