//===- CompressJSON.cpp - A compression report as JSON --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/CompressReport.h"
#include <nlohmann/json.hpp>

namespace plmc {

using Json = nlohmann::ordered_json;

static Json sizes(const ModelSummary &summary, uint64_t fileBytes) {
  return {{"parameters", summary.parameters},
          {"parameterBytes", summary.parameterBytes},
          {"operations", summary.operations},
          {"macsPerToken", summary.macsPerToken},
          {"fileBytes", fileBytes}};
}

static Json stepJSON(const StepReport &step) {
  auto sizesOf = [](const ModelSummary &summary) -> Json {
    return {{"parameters", summary.parameters},
            {"parameterBytes", summary.parameterBytes},
            {"operations", summary.operations},
            {"macsPerToken", summary.macsPerToken}};
  };
  Json entry = {{"name", step.name},
                {"options", step.options},
                {"seconds", step.seconds},
                {"before", sizesOf(step.before)},
                {"after", sizesOf(step.after)}};
  for (const Counter &counter : step.counters)
    entry["counters"][counter.name] = counter.value;
  return entry;
}

std::string reportToJSON(const CompressReport &report) {
  Json json;
  json["plmc"] = report.version;
  json["input"] = report.input;
  json["output"] = report.output;
  json["format"] = report.format;
  json["outputs"] = report.outputs;
  json["pipeline"] = report.pipeline;
  json["cpu"] = report.cpu;
  json["recipe"] = report.recipe;
  json["steps"] = Json::array();
  for (const StepReport &step : report.steps)
    json["steps"].push_back(stepJSON(step));
  json["before"] = sizes(report.before, report.inputBytes);
  json["after"] = sizes(report.after, report.outputBytes);
  json["codeBytes"] = report.codeBytes;
  json["weightBytes"] = report.weightBytes;
  json["model"] = Json::parse(summaryToJSON(report.after), nullptr,
                              /*allow_exceptions=*/false);
  json["unrecognized"] = Json::array();
  for (const auto &op : report.unrecognized)
    json["unrecognized"].push_back(
        {{"node", op.node}, {"op", op.op}, {"reason", op.reason}});
  json["passes"] = Json::array();
  for (const auto &pass : report.passes) {
    Json entry = {{"name", pass.name},
                  {"seconds", pass.seconds},
                  {"changed", pass.changed}};
    for (const Counter &counter : report.counters)
      if (counter.pass == pass.name)
        entry["counters"][counter.name] = counter.value;
    json["passes"].push_back(std::move(entry));
  }
  json["seconds"] = report.seconds;
  if (report.verification)
    json["verification"] = {{"passed", report.verification->passed},
                            {"cases", report.verification->cases},
                            {"maxError", report.verification->maxError},
                            {"tolerance", report.verification->tolerance},
                            {"seconds", report.verifySeconds}};
  // Names come from the model and need not be UTF-8.
  return json.dump(2, ' ', /*ensure_ascii=*/false,
                   Json::error_handler_t::replace);
}

} // namespace plmc
