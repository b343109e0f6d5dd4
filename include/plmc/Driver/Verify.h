//===- Verify.h - plmc verify -----------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_VERIFY_H
#define PLMC_DRIVER_VERIFY_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "plmc/Driver/Error.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Report/CompressReport.h"
#include <functional>

namespace plmc {

struct VerifyOptions {
  unsigned randomCases = 0; // beside the fixed ones
  bool longCases = false;   // 3x128 and 1x512 as well
  int threads = 1;
  double tolerance = 2e-5; // of an output's largest magnitude
  /// What the library was made with; "": what its build record says.
  std::string recipePath;
};

/// One output of one case.
struct VerifyRow {
  int64_t batch, sequence;
  std::string mask; // "none", "right", "left", "holes", "one row empty"
  std::string output;
  double maxError = 0; // absolute
  double scale = 0;    // largest magnitude of the reference
  std::string problem; // "" if it passed
};

struct VerifyResult {
  int64_t cases = 0;
  std::vector<VerifyRow> rows;
  VerificationReport summary;
};

/// What is compared with the reference: inputs in its own order, outputs in
/// the order of `outputs`.
struct Candidate {
  std::vector<TensorSignature> inputs, outputs;
  std::function<llvm::Expected<std::vector<HostTensor>>(
      llvm::ArrayRef<HostTensor>)>
      run;
};

/// Compares the candidate with the interpretation of `reference`, a function
/// as imported: no recogniser has touched it. Inputs and outputs are matched by
/// name; the candidate may have fewer outputs. Compared are the positions that
/// the mask keeps, for outputs that the candidate calls zero at padding (there
/// they must be 0), else all; rows without a kept position must be finite.
llvm::Expected<VerifyResult> verify(mlir::func::FuncOp reference,
                                    const Candidate &candidate,
                                    const VerifyOptions &options);

/// A library as the candidate.
llvm::Expected<Candidate> libraryCandidate(llvm::StringRef path, int threads);
/// Another ONNX file as the candidate, interpreted. Keep `module` alive.
llvm::Expected<Candidate> modelCandidate(mlir::ModuleOp module);

/// A line a case and output, the worst at the end.
void printTable(const VerifyResult &result, llvm::raw_ostream &os);

/// plmc verify LIB MODEL: prints the table; VerificationFailed if a row fails.
llvm::Error verifyCommand(llvm::StringRef library, llvm::StringRef model,
                          const VerifyOptions &options, llvm::raw_ostream &out);

} // namespace plmc

#endif // PLMC_DRIVER_VERIFY_H
