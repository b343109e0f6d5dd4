//===- Diagnostics.h - One line an error ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every refusal is one line that names the file, the node and the remedy. What
// comes from a file is printed through printable(), so that no name can break
// the line or drive the terminal.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_FRONTEND_ONNX_DIAGNOSTICS_H
#define PLMC_FRONTEND_ONNX_DIAGNOSTICS_H

#include "plmc/Frontend/ONNX/Import.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/Twine.h"
#include <string>

namespace plmc::importer {

using plmc::cleanText;
/// cleanText, cut to a length that fits a line.
std::string printable(llvm::StringRef text, size_t limit = 120);
/// Only [A-Za-z0-9_], not starting with a digit, not empty: a dimension name.
std::string identifier(llvm::StringRef text);
/// Only [A-Za-z0-9_.$], not starting with a digit or '.': prints unquoted as a
/// symbol.
std::string symbolName(llvm::StringRef text);

/// The file is damaged or contradicts itself.
llvm::Error badModel(const llvm::Twine &message);
/// The file is fine, but asks for something that is not there yet.
llvm::Error unsupported(const llvm::Twine &message);

} // namespace plmc::importer

#endif // PLMC_FRONTEND_ONNX_DIAGNOSTICS_H
