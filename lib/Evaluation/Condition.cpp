//===- Condition.cpp - Parses conditions ----------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Condition.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include <cmath>
#include <limits>

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

namespace plmc {

using Unit = MetricInfo::Unit;
using Relation = Condition::Relation;

static constexpr double unlimited = std::numeric_limits<double>::infinity();

static constexpr MetricInfo resource(Metric metric, StringRef name, Unit unit,
                                     bool hasShape = false) {
  return {metric, name, unit, false, false, false, 0, unlimited, hasShape};
}
static constexpr MetricInfo label(Metric metric, StringRef name, double least) {
  return {metric, name, Unit::Share, true, false, true, least, 1};
}

static constexpr MetricInfo metrics[] = {
    resource(Metric::Size, "size", Unit::Bytes),
    resource(Metric::Parameters, "parameters", Unit::Count),
    resource(Metric::Macs, "macs", Unit::Count),
    resource(Metric::Latency, "latency", Unit::Seconds, /*hasShape=*/true),
    resource(Metric::Memory, "memory", Unit::Bytes, /*hasShape=*/true),
    {Metric::Cosine, "cosine", Unit::Share, true, true, false, -1, 1},
    {Metric::MinCosine, "min-cosine", Unit::Share, true, true, false, -1, 1},
    {Metric::Kl, "kl", Unit::Number, false, true, false, 0, unlimited},
    {Metric::Top1, "top1", Unit::Share, true, true, false, 0, 1},
    label(Metric::Accuracy, "accuracy", 0),
    label(Metric::F1, "f1", 0),
    label(Metric::Matthews, "matthews", -1),
    label(Metric::Spearman, "spearman", -1),
    label(Metric::Pearson, "pearson", -1),
    {Metric::Perplexity, "perplexity", Unit::Number, false, false, true, 1,
     unlimited},
};

llvm::ArrayRef<MetricInfo> allMetrics() { return metrics; }

const MetricInfo &metricInfo(Metric metric) { return metrics[size_t(metric)]; }

bool Condition::holds(double measured) const {
  switch (relation) {
  case Relation::Less:
    return measured < value;
  case Relation::LessEqual:
    return measured <= value;
  case Relation::Greater:
    return measured > value;
  case Relation::GreaterEqual:
    return measured >= value;
  }
  return false;
}

std::string Condition::shapeText() const {
  return batch ? "@" + std::to_string(batch) + "x" + std::to_string(sequence)
               : "";
}

namespace {

struct Scale {
  StringRef name;
  double factor;
};
constexpr Scale byteScales[] = {
    {"B", 1},    {"kB", 1e3},   {"MB", 1e6},          {"GB", 1e9},
    {"KB", 1e3}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1 << 30}};
constexpr Scale countScales[] = {{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
constexpr Scale secondScales[] = {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
constexpr Scale shareScales[] = {{"", 1}, {"%", 0.01}};
constexpr Scale numberScales[] = {{"", 1}};

llvm::ArrayRef<Scale> scalesOf(Unit unit) {
  switch (unit) {
  case Unit::Bytes:
    return byteScales;
  case Unit::Count:
    return countScales;
  case Unit::Seconds:
    return secondScales;
  case Unit::Share:
    return shareScales;
  case Unit::Number:
    return numberScales;
  }
  return numberScales;
}

class ConditionParser {
public:
  ConditionParser(StringRef option, StringRef part)
      : option(option), part(part.trim()) {}
  Expected<Condition> parse();

private:
  Error fail(const Twine &message) const {
    return llvm::createStringError(
        std::make_error_code(std::errc::invalid_argument),
        option + ": '" + part + "': " + message);
  }
  Error parseValue(StringRef text, const MetricInfo &info, double &value) const;
  Error parseShape(StringRef text, Condition &condition) const;

  StringRef option, part;
};

} // namespace

Error ConditionParser::parseValue(StringRef text, const MetricInfo &info,
                                  double &value) const {
  size_t digits = text.find_first_not_of("+-.0123456789eE");
  // "5e" is no number, "5e-3" is.
  StringRef number = text.take_front(digits), unit = text.substr(number.size());
  if (number.empty() || number.getAsDouble(value) || !std::isfinite(value))
    return fail("'" + text + "' is no number" +
                (info.unit == Unit::Bytes     ? " of bytes, such as 7MB"
                 : info.unit == Unit::Seconds ? " of seconds, such as 5ms"
                                              : ""));
  unit = unit.trim();
  std::string known;
  for (const Scale &scale : scalesOf(info.unit)) {
    if (scale.name == unit) {
      value *= scale.factor;
      if (value < info.least || value > info.most)
        return fail((info.name + " lies between " +
                     formatMetric(info.metric, info.least) + " and " +
                     formatMetric(info.metric, info.most))
                        .str());
      return Error::success();
    }
    if (!scale.name.empty())
      known += (known.empty() ? "" : ", ") + scale.name.str();
  }
  if (unit.empty())
    return fail("the unit is missing: " + known);
  return fail("'" + unit + "' is no unit of " + info.name +
              (known.empty() ? "" : "; known are " + known));
}

Error ConditionParser::parseShape(StringRef text, Condition &condition) const {
  auto [batch, sequence] = text.trim().split('x');
  constexpr int64_t most = 1 << 20;
  if (batch.getAsInteger(10, condition.batch) ||
      sequence.getAsInteger(10, condition.sequence) || condition.batch < 1 ||
      condition.sequence < 1 || condition.sequence > most ||
      condition.batch > most / condition.sequence)
    return fail("'" + text + "' is no BATCHxLENGTH such as 1x32");
  return Error::success();
}

Expected<Condition> ConditionParser::parse() {
  size_t at = part.find_first_of("<>=!");
  StringRef name = part.take_front(at).trim();
  const MetricInfo *info = nullptr;
  std::vector<std::string> names;
  for (const MetricInfo &known : metrics) {
    names.push_back(known.name.str());
    if (known.name == name)
      info = &known;
  }
  if (name.empty() && at == StringRef::npos)
    return fail("a condition is missing between commas or at an end");
  if (!info) {
    std::string hint = nearestName(name, names);
    return fail(
        "there is no metric '" + name + "'" +
        (hint.empty() ? "; known are " + llvm::join(names, ", ") : hint));
  }
  StringRef rest = part.substr(at == StringRef::npos ? part.size() : at);
  Condition condition;
  condition.metric = info->metric;
  condition.text = part.str();
  if (rest.consume_front("<="))
    condition.relation = Relation::LessEqual;
  else if (rest.consume_front(">="))
    condition.relation = Relation::GreaterEqual;
  else if (rest.consume_front("<"))
    condition.relation = Relation::Less;
  else if (rest.consume_front(">"))
    condition.relation = Relation::Greater;
  else
    return fail("compare with <, <=, > or >=, as in " + name +
                (info->higherIsBetter ? ">=0.98" : "<7"));
  auto [value, shape] = rest.split('@');
  if (Error error = parseValue(value.trim(), *info, condition.value))
    return std::move(error);
  if (rest.contains('@') && !info->hasShape)
    return fail("only latency and memory have a shape (@BATCHxLENGTH)");
  if (info->hasShape) {
    if (!rest.contains('@'))
      shape = "1x128";
    if (Error error = parseShape(shape, condition))
      return std::move(error);
  }
  return condition;
}

Expected<std::vector<Condition>> parseConditions(StringRef option,
                                                 StringRef text) {
  llvm::SmallVector<StringRef> parts;
  text.split(parts, ',');
  if (parts.size() > 64)
    return llvm::createStringError(
        std::make_error_code(std::errc::invalid_argument),
        option + ": more than 64 conditions");
  std::vector<Condition> conditions;
  for (StringRef part : parts) {
    Expected<Condition> condition = ConditionParser(option, part).parse();
    if (!condition)
      return condition.takeError();
    conditions.push_back(std::move(*condition));
  }
  return std::move(conditions);
}

std::string formatMetric(Metric metric, double value) {
  auto print = [&](const char *format, double number) {
    std::string text;
    llvm::raw_string_ostream(text) << llvm::format(format, number);
    return text;
  };
  if (!std::isfinite(value))
    return value > 0 ? "infinity" : "no number";
  switch (metricInfo(metric).unit) {
  case Unit::Bytes:
    return value < 1e5 ? print("%.0f B", value) : print("%.3g MB", value / 1e6);
  case Unit::Count:
    return value < 1e5 ? print("%.0f", value) : print("%.3gM", value / 1e6);
  case Unit::Seconds:
    return print("%.3g ms", value * 1e3);
  case Unit::Share:
    return print("%.5g", value);
  case Unit::Number:
    return print("%.4g", value);
  }
  return "";
}

} // namespace plmc
