//===- Error.h - Failures and their exit codes ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_ERROR_H
#define PLMC_DRIVER_ERROR_H

#include "mlir/IR/Diagnostics.h"
#include "plmc/Driver/ExitCodes.h"
#include "llvm/Support/Error.h"
#include <string>

namespace plmc {

/// A failure that knows its exit code.
class DriverError : public llvm::ErrorInfo<DriverError> {
public:
  static char ID;
  DriverError(ExitCode code, std::string text)
      : code(code), text(std::move(text)) {}
  void log(llvm::raw_ostream &os) const override { os << text; }
  std::error_code convertToErrorCode() const override {
    return llvm::inconvertibleErrorCode();
  }
  ExitCode getCode() const { return code; }

private:
  ExitCode code;
  std::string text;
};

llvm::Error makeError(ExitCode code, const llvm::Twine &message);
/// Keeps the code of errors that have one (DriverError, ImportError,
/// std::errc::not_supported), else gives `fallback`.
llvm::Error withCode(llvm::Error error, ExitCode fallback);

/// Consumes the error: one line "plmc: error: ..." on stderr, and the code.
/// Success prints nothing and gives Ok.
ExitCode reportError(llvm::Error error);
void printErrorLine(const llvm::Twine &message);
/// One line "plmc: warning: ..." on stderr.
void printWarningLine(const llvm::Twine &message);

/// Collects MLIR's diagnostics of a context while it lives: the first error as
/// one line with the node it is about. Warnings go to stderr, one line each.
class DiagnosticCollector {
public:
  /// quiet: drop warnings too.
  explicit DiagnosticCollector(mlir::MLIRContext *context, bool quiet = false);
  /// "" if there was none.
  const std::string &firstError() const { return error; }

private:
  std::string error;
  mlir::ScopedDiagnosticHandler handler;
};

/// "reading 'x': No such file or directory" and the like, as BadInput; success
/// for a regular file that is not empty.
llvm::Error checkReadable(llvm::StringRef path);

} // namespace plmc

#endif // PLMC_DRIVER_ERROR_H
