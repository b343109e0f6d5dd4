//===- Formats.cpp - What plmc compress can write -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Compress.h"
#include "llvm/Support/Path.h"

using namespace mlir;

namespace plmc {

static constexpr std::pair<StringLiteral, OutputFormat> formats[] = {
    {"so", OutputFormat::SharedLibrary},
    {"o", OutputFormat::Object},
    {"a", OutputFormat::Archive},
    {"mlir", OutputFormat::MLIR},
    {"onnx", OutputFormat::ONNX}};

StringRef formatName(OutputFormat format) {
  for (auto &[name, value] : formats)
    if (value == format)
      return name;
  return "";
}

llvm::Expected<OutputFormat> chooseFormat(StringRef emit, StringRef path) {
  StringRef wanted =
      emit.empty() ? llvm::sys::path::extension(path).ltrim('.') : emit;
  for (auto &[name, value] : formats)
    if (name == wanted)
      return value;
  if (!emit.empty())
    return makeError(ExitCode::Usage,
                     "--emit=" + emit + ": known are so, o, a, mlir, onnx");
  return makeError(ExitCode::Usage,
                   "-o '" + path +
                       "': the extension says nothing; end it in .so, .o, .a, "
                       ".mlir or .onnx, or give --emit=");
}

} // namespace plmc
