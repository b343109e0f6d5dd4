//===- VerifyWritten.cpp - plmc compress --verify -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyWritten.h"
#include "Import.h"

using namespace mlir;

namespace plmc {

llvm::Expected<VerifyResult> verifyWritten(OwningOpRef<ModuleOp> reference,
                                           const std::string &written,
                                           const CompressOptions &options,
                                           OutputFormat format,
                                           MLIRContext *context) {
  VerifyOptions verifyOptions;
  verifyOptions.randomCases = *options.verifyCases;
  if (!reference) {
    llvm::Expected<OwningOpRef<ModuleOp>> imported =
        importModel(options.input, context);
    if (!imported)
      return imported.takeError();
    reference = std::move(*imported);
  }
  llvm::Expected<func::FuncOp> func = forwardFunction(*reference);
  if (!func)
    return func.takeError();
  OwningOpRef<ModuleOp> again;
  if (format == OutputFormat::ONNX) {
    llvm::Expected<OwningOpRef<ModuleOp>> imported =
        importModel(written, context);
    if (!imported)
      return imported.takeError();
    again = std::move(*imported);
  }
  llvm::Expected<Candidate> candidate =
      again ? modelCandidate(*again)
            : libraryCandidate(written, verifyOptions.threads);
  if (!candidate) {
    // Name the file that the user asked for.
    std::string message = llvm::toString(candidate.takeError());
    if (size_t at = message.find(written); at != std::string::npos)
      message.replace(at, written.size(), options.output);
    return makeError(ExitCode::BadInput, "--verify: " + message);
  }
  return verify(*func, *candidate, verifyOptions);
}

} // namespace plmc
