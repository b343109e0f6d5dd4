//===- CompressReport.h - What a compression run did ------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_REPORT_COMPRESSREPORT_H
#define PLMC_REPORT_COMPRESSREPORT_H

#include "plmc/Analysis/ModelSummary.h"
#include "plmc/Analysis/WeightBreakdown.h"
#include "plmc/CodeGen/WeightStorage.h"
#include "plmc/Evaluation/Condition.h"
#include "plmc/Evaluation/Distance.h"
#include "plmc/Evaluation/Scores.h"
#include "plmc/Report/SearchReport.h"
#include "plmc/Support/Counters.h"
#include "llvm/Support/raw_ostream.h"
#include <optional>
#include <string>
#include <vector>

namespace plmc {

/// The outcome of a comparison with the reference interpreter.
struct VerificationReport {
  int64_t cases = 0;
  double maxError = 0;  // largest |difference| / scale of the output
  double tolerance = 0; // what was allowed
  bool passed = false;
};

/// What one step of the recipe did.
struct StepReport {
  std::string name, options; // options as in the recipe
  ModelSummary before, after;
  int64_t bytesBefore = 0, bytesAfter = 0; // of weights, as stored
  double seconds = 0;
  std::vector<Counter> counters;
  /// To the original, on sequences that no step has seen.
  std::optional<ModelDistance> distance;
};

/// What was measured on held-out sequences.
struct EvaluationReport {
  struct Example {
    size_t row = 0; // of the calibration file
    std::string output, text;
    std::vector<int64_t> ids; // the first of them
    int64_t tokens = 0;
    double distance = 0; // 1 - cosine, or the divergence in nats
  };
  std::string data;    // "calib.npz#held-out"
  std::string problem; // why nothing was measured, or ""
  int64_t sequences = 0, tokens = 0;
  ModelDistance distance;     // of what was written, to the original
  std::vector<Example> worst; // the worst first
};

/// Scores on labelled texts (--eval), of the original in f32 and of what was
/// written.
struct LabelsReport {
  std::string data, output; // the file, the output that was looked at
  size_t texts = 0;
  bool pairs = false; // pairs of texts
  Scores before, after;
};

/// A run with one thread: seconds, and bytes of memory (0: not measured).
struct RunReport {
  int64_t batch = 1, sequence = 1;
  double before = 0, after = 0; // before: the original in f32
  int64_t memoryBefore = 0, memoryAfter = 0;
};

/// A condition of --fail-if and what it met.
struct ConditionReport {
  Condition condition;
  double measured = 0;
  bool holds = false;
};

/// Everything that `plmc compress` says at its end.
struct CompressReport {
  struct PassRun {
    std::string name;
    double seconds = 0;
    bool changed = false;
  };
  struct Unrecognized {
    std::string node, op, reason;
  };

  std::string version;               // of plmc
  std::string input, output, format; // format: "so", "o", "a", "mlir", "onnx"
  std::string pipeline;              // for plmc-opt --pass-pipeline
  std::vector<std::string> outputs;  // --outputs, empty: all
  std::string cpu;                   // what was chosen; "" for mlir and onnx
  uint64_t inputBytes = 0, outputBytes = 0; // with external data
  uint64_t codeBytes = 0, weightBytes = 0;  // of a library; 0 otherwise
  std::vector<WeightStorage> storage;       // of a library
  /// As imported, and after all passes on plm.
  ModelSummary before, after;
  ModelSummary recognized; // before the first step
  std::vector<Unrecognized> unrecognized;
  std::string recipe; // YAML: what was done, with seed and hashes
  std::vector<StepReport> steps;
  uint64_t seed = 0;
  std::vector<std::string> calibrationFiles;
  std::string calibrationHash; // sha256
  /// Where the weights' bytes are, before the first step and after the last.
  std::vector<WeightComponent> componentsBefore, componentsAfter;
  std::optional<EvaluationReport> evaluation; // nullopt: not asked for
  std::optional<LabelsReport> labels;         // the same
  std::optional<SearchReport> search;         // of --budget
  std::vector<RunReport> runs;
  std::vector<ConditionReport> conditions;
  std::vector<PassRun> passes;
  std::vector<Counter> counters;
  double seconds = 0; // wall time, without verification
  double verifySeconds = 0;
  std::optional<VerificationReport> verification;
};

/// The short table for the terminal.
void printTable(const CompressReport &report, llvm::raw_ostream &os);

/// One JSON object; docs/cli.md gives its fields.
std::string reportToJSON(const CompressReport &report);

/// One HTML page that needs nothing else: styles and pictures are in it.
std::string reportToHTML(const CompressReport &report);

} // namespace plmc

#endif // PLMC_REPORT_COMPRESSREPORT_H
