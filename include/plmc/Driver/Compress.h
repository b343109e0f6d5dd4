//===- Compress.h - plmc compress -------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_COMPRESS_H
#define PLMC_DRIVER_COMPRESS_H

#include "plmc/CodeGen/Compile.h"
#include "plmc/Driver/Error.h"
#include "plmc/Evaluation/Condition.h"
#include "plmc/Report/CompressReport.h"
#include <optional>
#include <string>
#include <vector>

namespace plmc {

enum class OutputFormat { SharedLibrary, Object, Archive, MLIR, ONNX };

/// The format for --emit, or else for the output's extension. UsageError with
/// the known ones.
llvm::Expected<OutputFormat> chooseFormat(llvm::StringRef emit,
                                          llvm::StringRef outputPath);
/// "so", "o", "a", "mlir", "onnx".
llvm::StringRef formatName(OutputFormat format);

struct CompressOptions {
  std::string input;
  std::string output;
  std::string emit; // "": by the output's extension
  std::string target = "x86";
  std::string cpu = "native";
  std::vector<std::string> outputs; // to keep; empty: all
  bool computePadding = false;
  std::string precision = "f32"; // f32, bf16, int8, int4, int3, int2
  int64_t groupSize = 128;       // below int8; 0: whole columns
  int64_t tableBits = 0;         // of embeddings: 8 to 2; 0: as the weights
  std::string recipePath;        // a YAML file (docs/recipes.md), or
  std::string preset;            // the name of one in plmc, or neither
  std::vector<std::string> overrides;   // --set, in order
  std::vector<std::string> calibration; // files, instead of the recipe's
  /// A file or folder: goes into the library, and reads calibration texts.
  std::string tokenizer;
  std::string evalPath;      // labelled texts to score by, .tsv, or ""
  std::string printRecipe;   // where to write what was done: a file, "-", or ""
  std::string dumpDirectory; // --dump-ir
  bool printPipeline = false;
  std::vector<std::string> reportPaths;   // .html, or else JSON
  std::vector<std::string> latencyShapes; // to be timed for the report
  std::vector<Condition> failIf;          // --fail-if
  std::vector<Condition> budget; // --budget; empty: the recipe is given
  double budgetSeconds = 600;    // that the search may take
  std::string resumePath;        // what it has measured, or ""
  std::string paretoPath;        // what is best at each size, or ""
  /// Random cases beside the fixed ones; nullopt: no verification.
  std::optional<unsigned> verifyCases;
  bool elideWeights = true; // in .mlir output, dumps and reproducers
};

/// Import, recognition, passes, code generation, and what was asked for around
/// them. The table goes to `out`, progress to a terminal's stderr. Nothing is
/// left at the output's path on failure (but a reproducer beside it when a
/// pass failed).
llvm::Error compress(const CompressOptions &options, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_COMPRESS_H
