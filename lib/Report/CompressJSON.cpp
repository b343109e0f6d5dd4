//===- CompressJSON.cpp - A compression report as JSON --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/CompressReport.h"
#include <cmath>
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

/// Null for what is no number.
static Json numberOrNull(double value) {
  return std::isfinite(value) ? Json(value) : Json();
}

static Json distanceJSON(const ModelDistance &distance) {
  Json outputs = Json::array();
  for (const OutputDistance &output : distance.outputs) {
    Json entry = {{"output", output.output},
                  {"comparedAs", outputMeaningName(output.kind).str()}};
    if (isDistribution(output.kind)) {
      entry["meanKL"] = numberOrNull(output.meanKL);
      entry["maxKL"] = numberOrNull(output.maxKL);
      entry["top1"] = output.top1;
    } else {
      entry["meanCosine"] = output.meanCosine;
      entry["minCosine"] = output.minCosine;
    }
    if (output.kind == OutputMeaning::Tokens) {
      entry["meanTokenCosine"] = output.meanTokenCosine;
      entry["minTokenCosine"] = output.minTokenCosine;
    }
    outputs.push_back(std::move(entry));
  }
  return outputs;
}

static Json evaluationJSON(const EvaluationReport &evaluation) {
  Json json = {{"data", evaluation.data}};
  if (!evaluation.problem.empty()) {
    json["problem"] = evaluation.problem;
    return json;
  }
  json["sequences"] = evaluation.sequences;
  json["tokens"] = evaluation.tokens;
  json["outputs"] = distanceJSON(evaluation.distance);
  json["worst"] = Json::array();
  for (const EvaluationReport::Example &example : evaluation.worst) {
    Json entry = {{"row", example.row},
                  {"output", example.output},
                  {"distance", numberOrNull(example.distance)},
                  {"tokens", example.tokens},
                  {"ids", example.ids}};
    if (!example.text.empty())
      entry["text"] = example.text;
    json["worst"].push_back(std::move(entry));
  }
  return json;
}

static Json labelsJSON(const LabelsReport &labels) {
  auto scores = [](const Scores &of) {
    Json json = Json::object();
    for (auto [metric, value] : of)
      json[metricInfo(metric).name.str()] = value;
    return json;
  };
  return {{"data", labels.data},
          {"output", labels.output},
          {labels.pairs ? "pairs" : "texts", labels.texts},
          {"before", scores(labels.before)},
          {"after", scores(labels.after)}};
}

static Json componentsJSON(const std::vector<WeightComponent> &components) {
  Json json = Json::object();
  for (const WeightComponent &component : components)
    json[component.name] = {{"parameters", component.parameters},
                            {"bytes", component.bytes}};
  return json;
}

static Json searchJSON(const SearchReport &search) {
  Json json = {{"budget", search.conditions},       {"met", search.met},
               {"interrupted", search.interrupted}, {"seconds", search.seconds},
               {"loss", search.lossName},           {"points", Json::array()},
               {"sensitivities", Json::array()}};
  for (const SearchReport::Point &point : search.points)
    json["points"].push_back({{"size", point.bytes},
                              {"loss", numberOrNull(point.loss)},
                              {"plan", point.plan},
                              {"calibrated", point.calibrated},
                              {"onFront", point.onFront},
                              {"chosen", point.chosen}});
  for (const SearchReport::Sensitivity &one : search.sensitivities)
    json["sensitivities"].push_back(
        {{"layer", one.layer},
         {"role", one.role},
         {"weights", one.weights},
         {"loss", one.loss ? numberOrNull(*one.loss) : Json()},
         {"bits", one.bits}});
  return json;
}

static Json stepJSON(const StepReport &step) {
  auto sizesOf = [](const ModelSummary &summary, int64_t bytes) -> Json {
    return {{"parameters", summary.parameters},
            {"storedBytes", bytes},
            {"operations", summary.operations},
            {"macsPerToken", summary.macsPerToken}};
  };
  Json entry = {{"name", step.name},
                {"options", step.options},
                {"seconds", step.seconds},
                {"before", sizesOf(step.before, step.bytesBefore)},
                {"after", sizesOf(step.after, step.bytesAfter)}};
  for (const Counter &counter : step.counters)
    entry["counters"][counter.name] = counter.value;
  if (step.distance)
    entry["distance"] = distanceJSON(*step.distance);
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
  json["seed"] = report.seed;
  if (!report.calibrationFiles.empty())
    json["calibration"] = {{"files", report.calibrationFiles},
                           {"sha256", report.calibrationHash}};
  if (report.evaluation)
    json["evaluation"] = evaluationJSON(*report.evaluation);
  if (report.labels)
    json["labels"] = labelsJSON(*report.labels);
  if (report.search)
    json["search"] = searchJSON(*report.search);
  for (const RunReport &row : report.runs) {
    Json entry = {{"batch", row.batch}, {"sequence", row.sequence}};
    if (row.before)
      entry["beforeSeconds"] = row.before;
    entry["afterSeconds"] = row.after;
    if (row.memoryBefore)
      entry["beforeMemory"] = row.memoryBefore;
    entry["afterMemory"] = row.memoryAfter;
    json["latency"].push_back(std::move(entry));
  }
  for (const ConditionReport &row : report.conditions)
    json["failIf"].push_back({{"condition", row.condition.text},
                              {"measured", numberOrNull(row.measured)},
                              {"holds", row.holds}});
  json["components"] = {{"before", componentsJSON(report.componentsBefore)},
                        {"after", componentsJSON(report.componentsAfter)}};
  json["before"] = sizes(report.before, report.inputBytes);
  json["after"] = sizes(report.after, report.outputBytes);
  json["codeBytes"] = report.codeBytes;
  json["weightBytes"] = report.weightBytes;
  for (const WeightStorage &one : report.storage)
    json["storage"].push_back({{"use", one.use},
                               {"form", one.form},
                               {"read", one.read},
                               {"values", one.values},
                               {"bytes", one.bytes}});
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
