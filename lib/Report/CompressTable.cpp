//===- CompressTable.cpp - The table at the end of a compression ----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/CompressReport.h"
#include "plmc/Report/Table.h"

namespace plmc {

/// "cosine 0.9812, least 0.9561 (170 sequences of calib.npz#held-out)".
static std::string distanceText(const EvaluationReport &evaluation) {
  const ModelDistance &distance = evaluation.distance;
  std::string text;
  if (std::optional<double> cosine = distance.cosine())
    text = "cosine " + formatMetric(Metric::Cosine, *cosine) + ", least " +
           formatMetric(Metric::Cosine, *distance.minCosine());
  if (std::optional<double> kl = distance.kl())
    text += (text.empty() ? "KL " : ", KL ") + formatMetric(Metric::Kl, *kl) +
            ", top-1 agreement " + formatMetric(Metric::Top1, *distance.top1());
  return text + " (" + formatCount(evaluation.sequences) + " sequences of " +
         evaluation.data + ")";
}

/// "accuracy 0.9102 (before: 0.9174), ... (872 texts of dev.tsv)".
static std::string labelsText(const LabelsReport &labels) {
  std::string text;
  for (auto [metric, value] : labels.after)
    text += (text.empty() ? "" : ", ") + metricInfo(metric).name.str() + " " +
            formatMetric(metric, value) +
            " (before: " + formatMetric(metric, labels.before.at(metric)) + ")";
  return text + "; " + formatCount(labels.texts) +
         (labels.pairs ? " pairs" : " texts") + " of " + labels.data;
}

void printTable(const CompressReport &report, llvm::raw_ostream &os) {
  const ModelSummary &before = report.before, &after = report.after;
  Table sizes({false, true, true});
  sizes.addRow({"", "before", "after"});
  sizes.addRow({"parameters", formatCount(before.parameters),
                formatCount(after.parameters)});
  sizes.addRow({"weight bytes", formatBytes(before.parameterBytes),
                formatBytes(report.componentsAfter.empty()
                                ? after.parameterBytes
                                : totalBytes(report.componentsAfter))});
  sizes.addRow({"operations", formatCount(before.operations),
                formatCount(after.operations)});
  sizes.addRow({"file", formatBytes(report.inputBytes),
                formatBytes(report.outputBytes)});
  sizes.print(os);

  Table facts({false, false});
  std::string recognized =
      std::to_string(after.attentionBlocks) + " attention, " +
      std::to_string(after.norms) + " norm, " + std::to_string(after.linears) +
      " linear, " + std::to_string(after.embeddings) + " embedding";
  if (!report.unrecognized.empty())
    recognized += "; " + std::to_string(report.unrecognized.size()) +
                  " operations left as they are (plmc inspect names them)";
  facts.addRow({"recognized", recognized});
  if (!report.cpu.empty())
    facts.addRow({"cpu", report.cpu});
  std::string written = report.output;
  if (report.weightBytes)
    written += " (code " + formatBytes(report.codeBytes) + ", weights " +
               formatBytes(report.weightBytes) + ")";
  facts.addRow({"written", written});
  // What needs explaining: the forms that are not read as they are.
  std::string packed;
  for (const WeightStorage &one : report.storage)
    if (one.read != "as they are")
      packed += (packed.empty() ? "" : "; ") + one.use + " in " + one.form +
                ", " + formatBytes(one.bytes) + ", " + one.read;
  if (!packed.empty())
    facts.addRow({"packed", packed});
  facts.addRow({"time", formatSeconds(report.seconds)});
  if (report.evaluation && report.evaluation->problem.empty())
    facts.addRow({"distance", distanceText(*report.evaluation)});
  if (report.labels)
    facts.addRow({"labels", labelsText(*report.labels)});
  if (report.verification) {
    const VerificationReport &verified = *report.verification;
    facts.addRow({"verified", std::string(verified.passed ? "ok" : "FAILED") +
                                  ", max error " +
                                  formatNumber(verified.maxError) +
                                  " of the output's scale (allowed " +
                                  formatNumber(verified.tolerance) + ") in " +
                                  std::to_string(verified.cases) + " cases, " +
                                  formatSeconds(report.verifySeconds)});
  }
  facts.print(os);
}

} // namespace plmc
