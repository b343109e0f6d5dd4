//===- CompressHTML.cpp - A compression report as a page ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One file that can be mailed, kept beside the library or opened years later:
// no script, no font, nothing from elsewhere. Whatever comes from a model or a
// file goes through escapeXML.
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/CompressReport.h"
#include "plmc/Report/Svg.h"
#include "plmc/Report/Table.h"
#include "llvm/Support/Path.h"
#include <cmath>

using llvm::StringRef;

namespace plmc {

static constexpr const char *style = R"(
body{font:15px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:1.5em}h2{font-size:1.15em;margin-top:2em;border-bottom:1px solid #ccc}
table{border-collapse:collapse;margin:.7em 0}
th,td{padding:.2em .8em;text-align:left;border-bottom:1px solid #e4e4e4;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
code,pre{font:13px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;padding:.8em;overflow-x:auto}
.bad{color:#b00020;font-weight:bold}.note{color:#666}.heat td{text-align:right;font-variant-numeric:tabular-nums}svg{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#262626}th,td{border-color:#333}.bad{color:#ff7a8a}.note{color:#999}}
)";

namespace {

/// Rows of cells; a cell that begins with '>' is a number.
class HtmlTable {
public:
  explicit HtmlTable(std::vector<std::string> head) {
    add(std::move(head), "th");
  }
  void row(std::vector<std::string> cells) { add(std::move(cells), "td"); }
  std::string text() const { return "<table>\n" + rows + "</table>\n"; }

private:
  void add(std::vector<std::string> cells, const char *tag) {
    rows += "<tr>";
    for (StringRef cell : cells) {
      bool number = cell.consume_front(">");
      rows += std::string("<") + tag + (number ? " class=\"n\"" : "") + ">" +
              escapeXML(cell) + "</" + tag + ">";
    }
    rows += "</tr>\n";
  }
  std::string rows;
};

std::string change(double before, double after) {
  if (before <= 0)
    return ">";
  std::string percent = formatNumber(100 * (after / before - 1));
  return ">" + (after >= before ? "+" + percent : percent) + " %";
}

std::string milliseconds(double seconds) {
  return ">" + formatNumber(seconds * 1000) + " ms";
}

class Page {
public:
  explicit Page(const CompressReport &report) : report(report), os(text) {}
  std::string write();

private:
  void heading(StringRef title) { os << "<h2>" << title << "</h2>\n"; }
  void paragraph(StringRef words, StringRef kind = "") {
    os << "<p" << (kind.empty() ? "" : (" class=\"" + kind + "\"").str()) << ">"
       << escapeXML(words) << "</p>\n";
  }
  void sizes();
  void components();
  void storage();
  void conditions();
  void steps();
  void costs();
  void evaluation();
  void labels();
  void runs();
  void provenance();

  const CompressReport &report;
  std::string text;
  llvm::raw_string_ostream os;
};

} // namespace

void Page::sizes() {
  heading("Size and work");
  // What recognition folds is no merit of the recipe's.
  const ModelSummary &before = report.recognized, &after = report.after;
  HtmlTable table({"", ">before", ">after", ">"});
  auto count = [&](const char *name, int64_t a, int64_t b) {
    table.row({name, ">" + formatCount(a), ">" + formatCount(b), change(a, b)});
  };
  auto bytes = [&](const char *name, uint64_t a, uint64_t b) {
    table.row({name, ">" + formatBytes(a), ">" + formatBytes(b), change(a, b)});
  };
  bytes("file", report.inputBytes, report.outputBytes);
  bytes("weights, shared ones once", totalBytes(report.componentsBefore),
        totalBytes(report.componentsAfter));
  count("parameters, shared ones once", before.parameters, after.parameters);
  count("multiply-adds a token, every use", before.macsPerToken,
        after.macsPerToken);
  count("operations", before.operations, after.operations);
  os << table.text();
}

void Page::components() {
  std::vector<std::string> names;
  for (const WeightComponent &component : report.componentsBefore)
    names.push_back(component.name);
  auto bar = [](const char *label,
                const std::vector<WeightComponent> &components) {
    Bar bar{label, formatBytes(totalBytes(components)), {}};
    for (const WeightComponent &component : components)
      bar.parts.push_back(double(component.bytes));
    return bar;
  };
  os << barChart({bar("before", report.componentsBefore),
                  bar("after", report.componentsAfter)},
                 names);
  HtmlTable table({"part", ">before", ">after", ">"});
  for (auto [a, b] : llvm::zip(report.componentsBefore, report.componentsAfter))
    if (a.bytes || b.bytes)
      table.row({a.name, ">" + formatBytes(a.bytes), ">" + formatBytes(b.bytes),
                 change(a.bytes, b.bytes)});
  os << table.text();
}

void Page::storage() {
  if (report.storage.empty())
    return;
  paragraph("As the library holds them. What is packed is unpacked where it is "
            "used, at every use and not at load: it takes no further memory.");
  HtmlTable table({"weights", "form", "read", ">values", ">bytes"});
  for (const WeightStorage &one : report.storage)
    table.row({one.use, one.form, one.read, ">" + formatCount(one.values),
               ">" + formatBytes(one.bytes)});
  os << table.text();
}

void Page::conditions() {
  if (report.conditions.empty())
    return;
  heading("Conditions of --fail-if");
  HtmlTable table({"condition", ">measured", ""});
  for (const ConditionReport &row : report.conditions)
    table.row({row.condition.text,
               ">" + formatMetric(row.condition.metric, row.measured),
               row.holds ? "holds: exit code 6" : "does not hold"});
  os << table.text();
}

void Page::steps() {
  heading("Steps");
  if (report.steps.empty())
    return paragraph("The recipe has no steps.");
  HtmlTable table({"step", "options", ">weights", ">", ">parameters",
                   ">multiply-adds a token", ">time", "what it counted"});
  for (const StepReport &step : report.steps) {
    std::string counters;
    for (const Counter &counter : step.counters)
      counters += (counters.empty() ? "" : ", ") + formatCount(counter.value) +
                  " " + counter.name;
    table.row({step.name, step.options, ">" + formatBytes(step.bytesAfter),
               change(step.bytesBefore, step.bytesAfter),
               ">" + formatCount(step.after.parameters),
               ">" + formatCount(step.after.macsPerToken),
               ">" + formatSeconds(step.seconds), counters});
  }
  os << table.text();
}

/// How far the model is from the original after each step.
void Page::costs() {
  std::vector<Bar> bars;
  bool divergences = false;
  for (const StepReport &step : report.steps) {
    if (!step.distance)
      continue;
    std::optional<double> cosine = step.distance->cosine();
    std::optional<double> kl = step.distance->kl();
    double distance = cosine ? 1 - *cosine : kl.value_or(0);
    divergences |= !cosine;
    std::string note = cosine
                           ? "cosine " + formatMetric(Metric::Cosine, *cosine)
                           : "KL " + formatMetric(Metric::Kl, distance);
    if (std::optional<double> top1 = step.distance->top1())
      note += ", top-1 " + formatMetric(Metric::Top1, *top1);
    bars.push_back({step.name, note, {distance}});
  }
  if (bars.empty())
    return;
  paragraph(divergences ? "Divergence from the original after each step:"
                        : "Distance to the original after each step (1 - mean "
                          "cosine):");
  os << barChart(bars, {"distance"});
}

void Page::evaluation() {
  heading("What it costs");
  if (!report.evaluation)
    return paragraph("Not measured: no token sequences were given "
                     "(--calibration=FILE.npz).",
                     "note");
  const EvaluationReport &evaluation = *report.evaluation;
  if (!evaluation.problem.empty())
    return paragraph("Not measured: " + evaluation.problem, "bad");
  paragraph("On " + formatCount(evaluation.sequences) + " sequences (" +
            formatCount(evaluation.tokens) + " tokens) of " + evaluation.data +
            ", which no step has seen, against the outputs of the original in "
            "f32.");
  costs();
  HtmlTable table({"output", "compared as", ">mean cosine", ">least cosine",
                   ">mean token cosine", ">mean KL", ">most KL",
                   ">same top-1"});
  auto cell = [](bool there, Metric metric, double value) {
    return there ? ">" + formatMetric(metric, value) : std::string(">");
  };
  for (const OutputDistance &output : evaluation.distance.outputs) {
    bool kl = isDistribution(output.kind);
    table.row({output.output, outputMeaningName(output.kind).str(),
               cell(!kl, Metric::Cosine, output.meanCosine),
               cell(!kl, Metric::Cosine, output.minCosine),
               cell(output.kind == OutputMeaning::Tokens, Metric::Cosine,
                    output.meanTokenCosine),
               cell(kl, Metric::Kl, output.meanKL),
               cell(kl, Metric::Kl, output.maxKL),
               cell(kl, Metric::Top1, output.top1)});
  }
  os << table.text();
  if (evaluation.worst.empty())
    return;
  paragraph("The sequences that are farthest off:");
  HtmlTable worst({">row", "output", ">distance", ">tokens", "sequence"});
  for (const EvaluationReport::Example &example : evaluation.worst) {
    std::string ids = example.text;
    for (int64_t id :
         example.text.empty() ? example.ids : std::vector<int64_t>())
      ids += (ids.empty() ? "" : " ") + std::to_string(id);
    if (example.text.empty() && example.tokens > int64_t(example.ids.size()))
      ids += " ...";
    worst.row({">" + std::to_string(example.row), example.output,
               ">" + formatNumber(example.distance),
               ">" + std::to_string(example.tokens), ids});
  }
  os << worst.text();
}

void Page::labels() {
  if (!report.labels)
    return;
  const LabelsReport &labels = *report.labels;
  heading("Labelled texts");
  paragraph("On " + formatCount(labels.texts) +
            (labels.pairs ? " pairs of texts of " : " texts of ") +
            labels.data + ", by the output " + labels.output +
            "; before: the original in f32.");
  HtmlTable table({"", ">before", ">after"});
  for (auto [metric, value] : labels.after)
    table.row({metricInfo(metric).name.str(),
               ">" + formatMetric(metric, labels.before.at(metric)),
               ">" + formatMetric(metric, value)});
  os << table.text();
}

void Page::runs() {
  if (report.runs.empty())
    return;
  heading("Time and memory of a run");
  paragraph("Median, one thread, random ids without padding, on the machine "
            "that compiled (" +
            (report.cpu.empty() ? std::string("native") : report.cpu) +
            "); before: the original, compiled in f32. Memory is the library "
            "as mapped and what a context has allocated after the run.");
  HtmlTable table({"batch x length", ">before", ">after", ">speed-up",
                   ">memory before", ">memory after"});
  auto memory = [](int64_t bytes) {
    return ">" + (bytes ? formatMetric(Metric::Memory, double(bytes)) : "");
  };
  for (const RunReport &row : report.runs)
    table.row({std::to_string(row.batch) + "x" + std::to_string(row.sequence),
               row.before ? milliseconds(row.before) : ">",
               milliseconds(row.after),
               row.before && row.after
                   ? ">" + formatNumber(row.before / row.after) + " x"
                   : ">",
               memory(row.memoryBefore), memory(row.memoryAfter)});
  os << table.text();
}

void Page::provenance() {
  heading("Recipe");
  os << "<pre>";
  llvm::SmallVector<StringRef> lines;
  StringRef(report.recipe).split(lines, '\n');
  for (StringRef line : lines)
    os << escapeXML(line) << "\n";
  os << "</pre>\n";
  HtmlTable table({"", ""});
  auto fact = [&](const char *name, const std::string &value) {
    if (!value.empty())
      table.row({name, value});
  };
  fact("plmc", report.version);
  fact("model", report.input);
  fact("family", report.after.family);
  fact("written", report.output + " (" + report.format + ")");
  fact("CPU", report.cpu);
  fact("seed", std::to_string(report.seed));
  for (const std::string &file : report.calibrationFiles)
    fact("calibration data", file);
  fact("its sha256", report.calibrationHash);
  fact("time", formatSeconds(report.seconds));
  if (report.verification)
    fact("verified",
         std::string(report.verification->passed ? "ok" : "FAILED") +
             ", max error " + formatNumber(report.verification->maxError) +
             " of the output's scale, " +
             std::to_string(report.verification->cases) + " cases");
  if (!report.unrecognized.empty())
    fact("not recognised", std::to_string(report.unrecognized.size()) +
                               " operations (plmc inspect names them)");
  os << table.text();
  heading("Passes");
  os << "<pre>" << escapeXML(report.pipeline) << "</pre>\n";
}

std::string Page::write() {
  auto name = [](StringRef path) {
    return escapeXML(llvm::sys::path::filename(path.rtrim('/')));
  };
  os << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n<title>"
     << "plmc: " << name(report.output) << "</title>\n<style>" << style
     << "</style></head><body>\n<h1>" << name(report.input) << " &rarr; "
     << name(report.output) << "</h1>\n";
  conditions();
  sizes();
  components();
  storage();
  steps();
  evaluation();
  labels();
  if (report.search)
    os << searchToHTML(*report.search);
  runs();
  provenance();
  os << "</body></html>\n";
  return text;
}

std::string reportToHTML(const CompressReport &report) {
  return Page(report).write();
}

} // namespace plmc
