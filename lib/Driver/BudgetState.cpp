//===- BudgetState.cpp - Measurements that survive ------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BudgetState.h"
#include "Output.h"
#include "llvm/Support/MemoryBuffer.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using Json = nlohmann::ordered_json;

namespace plmc {

Json measurementToJson(const Measurement &m) {
  Json json = {{"size", m.fileBytes}};
  for (auto [metric, value] : m.metrics)
    json[metricInfo(metric).name.str()] = value;
  for (auto [run, value] : m.runs) {
    auto [metric, batch, sequence] = run;
    json[metricInfo(metric).name.str()]
        [std::to_string(batch) + "x" + std::to_string(sequence)] = value;
  }
  json["seconds"] = m.seconds;
  return json;
}

/// Values by shape, "1x128"; false where they are something else.
static bool runsFromJson(const Json &json, const MetricInfo &info,
                         Measurement &m) {
  auto values = json.find(info.name.str());
  if (values == json.end())
    return true;
  if (!values->is_object())
    return false;
  for (auto &[shape, value] : values->items()) {
    auto [batch, sequence] = StringRef(shape).split('x');
    int64_t rows, columns;
    if (batch.getAsInteger(10, rows) || sequence.getAsInteger(10, columns) ||
        !value.is_number())
      return false;
    m.runs[{info.metric, rows, columns}] = value.get<double>();
  }
  return true;
}

/// False where a field is missing or has another type.
static bool fromJson(const Json &json, Measurement &m) {
  auto number = [](const Json &object,
                   const std::string &name) -> std::optional<double> {
    auto it = object.find(name);
    // An infinite divergence is null.
    if (it != object.end() && it->is_null())
      return HUGE_VAL;
    return it != object.end() && it->is_number()
               ? std::optional<double>(it->get<double>())
               : std::nullopt;
  };
  if (!json.is_object() || !number(json, "size"))
    return false;
  m.fileBytes = int64_t(*number(json, "size"));
  m.seconds = number(json, "seconds").value_or(0);
  for (const MetricInfo &info : allMetrics())
    if (info.hasShape) {
      if (!runsFromJson(json, info, m))
        return false;
    } else if (info.metric != Metric::Size) {
      if (auto value = number(json, info.name.str()))
        m.metrics[info.metric] = *value;
    }
  return true;
}

Expected<std::unique_ptr<BudgetState>> BudgetState::open(StringRef path,
                                                         std::string subject) {
  auto state = std::make_unique<BudgetState>();
  state->path = path.str();
  state->subject = std::move(subject);
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer) {
    if (buffer.getError() == std::errc::no_such_file_or_directory)
      return std::move(state);
    return makeError(ExitCode::BadInput, "--resume: '" + path + "': " +
                                             buffer.getError().message());
  }
  auto refuse = [&](const llvm::Twine &why) {
    return makeError(ExitCode::BadInput, "--resume: '" + path + "' " + why);
  };
  Json json = Json::parse((*buffer)->getBuffer().str(), nullptr,
                          /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("measurements") ||
      !json["measurements"].is_object() || !json.contains("subject"))
    return refuse("is not what a search has written; name a new file");
  if (json["subject"] != state->subject)
    return refuse("is of another model, calibration data, target or plmc; "
                  "name a new file");
  for (auto &[key, value] : json["measurements"].items())
    if (!fromJson(value, state->known[key]))
      return refuse("has a broken entry '" + key + "'; name a new file");
  return std::move(state);
}

const Measurement *BudgetState::find(const std::string &key) const {
  auto it = known.find(key);
  return it == known.end() ? nullptr : &it->second;
}

Error BudgetState::add(const std::string &key, const Measurement &measurement) {
  known[key] = measurement;
  Json json = {{"subject", subject}, {"measurements", Json::object()}};
  for (auto &[name, one] : known)
    json["measurements"][name] = measurementToJson(one);
  return writeFile(path, [&](llvm::raw_ostream &os) {
    os << json.dump(1, ' ', false, Json::error_handler_t::replace) << "\n";
  });
}

} // namespace plmc
