//===- Error.cpp - Failures and their exit codes --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Error.h"
#include "mlir/IR/Location.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Support/Text.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

char DriverError::ID = 0;

Error makeError(ExitCode code, const Twine &message) {
  return llvm::make_error<DriverError>(code, message.str());
}

Error withCode(Error error, ExitCode fallback) {
  if (!error)
    return error;
  ExitCode code = fallback;
  std::string message;
  llvm::handleAllErrors(
      std::move(error),
      [&](const DriverError &e) {
        code = e.getCode();
        message += e.message();
      },
      [&](const ImportError &e) {
        code = e.getKind() == ImportError::Kind::BadModel
                   ? ExitCode::BadInput
                   : ExitCode::Unsupported;
        message += static_cast<const llvm::ErrorInfoBase &>(e).message();
      },
      [&](const llvm::ErrorInfoBase &e) {
        if (e.convertToErrorCode() ==
            std::make_error_code(std::errc::not_supported))
          code = ExitCode::Unsupported;
        message += e.message();
      });
  return makeError(code, message);
}

static void printLine(StringRef severity, const Twine &message) {
  std::string text = message.str();
  SmallVector<StringRef> lines;
  StringRef(text).split(lines, '\n', -1, /*KeepEmpty=*/false);
  std::string line = ("plmc: " + severity + ": ").str();
  for (auto [index, part] : llvm::enumerate(lines))
    line += (index ? "; " : "") + cleanText(part.trim());
  llvm::errs() << line << "\n";
}

void printErrorLine(const Twine &message) { printLine("error", message); }
void printWarningLine(const Twine &message) { printLine("warning", message); }

ExitCode reportError(Error error) {
  if (!error)
    return ExitCode::Ok;
  ExitCode code = ExitCode::Internal;
  llvm::handleAllErrors(withCode(std::move(error), code),
                        [&](const DriverError &e) {
                          code = e.getCode();
                          printErrorLine(e.message());
                        });
  return code;
}

//===----------------------------------------------------------------------===//
// MLIR diagnostics
//===----------------------------------------------------------------------===//

/// "node 'encoder/MatMul_3 (MatMul)': " or "file:3:7: ", or "".
static std::string describe(Location location) {
  if (auto name = location->findInstanceOf<NameLoc>())
    return "node '" + name.getName().str() + "': ";
  if (auto file = location->findInstanceOf<FileLineColLoc>())
    return (file.getFilename().getValue() + ":" + Twine(file.getLine()) + ":" +
            Twine(file.getColumn()) + ": ")
        .str();
  return "";
}

DiagnosticCollector::DiagnosticCollector(MLIRContext *context, bool quiet)
    : handler(context, [this, quiet](Diagnostic &diagnostic) {
        std::string line =
            describe(diagnostic.getLocation()) + diagnostic.str();
        if (diagnostic.getSeverity() == DiagnosticSeverity::Error) {
          if (error.empty())
            error = line;
        } else if (diagnostic.getSeverity() == DiagnosticSeverity::Warning &&
                   !quiet) {
          printWarningLine(line);
        }
        return success();
      }) {}

Error checkReadable(StringRef path) {
  auto fail = [&](const Twine &why) {
    return makeError(ExitCode::BadInput, "cannot read '" + path + "': " + why);
  };
  llvm::sys::fs::file_status status;
  if (std::error_code code = llvm::sys::fs::status(path, status))
    return fail(code.message() + "; check the path");
  if (llvm::sys::fs::is_directory(status))
    return fail("it is a directory; name the file in it");
  if (!llvm::sys::fs::is_regular_file(status))
    return fail("it is no regular file");
  if (status.getSize() == 0)
    return fail("it is empty; fetch or export it again");
  llvm::Expected<llvm::sys::fs::file_t> file =
      llvm::sys::fs::openNativeFileForRead(path);
  if (!file)
    return fail(llvm::toString(file.takeError()));
  llvm::sys::fs::closeFile(*file);
  return Error::success();
}

} // namespace plmc
