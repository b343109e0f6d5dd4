//===- DumpIR.cpp - One file a pass that changed something ----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DumpIR.h"
#include "Pipeline.h"
#include "plmc/Report/Table.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

constexpr StringLiteral indexName = "index.txt";

int64_t countOperations(Operation *root) {
  int64_t count = 0;
  root->walk([&](Operation *op) { count += op != root; });
  return count;
}

static std::string inside(StringRef directory, StringRef file) {
  SmallString<128> path(directory);
  llvm::sys::path::append(path, file);
  return path.str().str();
}

/// "000-import.mlir": a name that this class gives.
static bool isDumpName(StringRef file) {
  return file.ends_with(".mlir") && file.size() > 4 && file[3] == '-' &&
         llvm::all_of(file.take_front(3),
                      [](char c) { return llvm::isDigit(c); });
}

llvm::Expected<std::unique_ptr<DumpIR>> DumpIR::create(StringRef directory,
                                                       bool elideWeights) {
  auto fail = [&](std::error_code code) {
    return makeError(ExitCode::Usage, "--dump-ir: cannot write to '" +
                                          directory + "': " + code.message());
  };
  if (std::error_code code = llvm::sys::fs::create_directories(directory))
    return fail(code);
  // Dumps of an earlier run would look like this one's: what its index lists
  // goes, and nothing else.
  if (auto old = llvm::MemoryBuffer::getFile(inside(directory, indexName),
                                             /*IsText=*/true)) {
    SmallVector<StringRef> words;
    llvm::SplitString((*old)->getBuffer(), words);
    for (StringRef word : words)
      if (isDumpName(word) && llvm::sys::path::filename(word) == word)
        llvm::sys::fs::remove(inside(directory, word));
  }
  std::unique_ptr<DumpIR> dump(new DumpIR(directory, elideWeights));
  // Now, not after minutes of work.
  dump->write(indexName, [](raw_ostream &) {});
  if (!dump->error.empty())
    return makeError(ExitCode::Usage, "--dump-ir: " + dump->error);
  return dump;
}

void DumpIR::write(StringRef file,
                   llvm::function_ref<void(raw_ostream &)> body) {
  std::string path = inside(directory, file);
  std::error_code code;
  llvm::raw_fd_ostream os(path, code);
  if (!code) {
    body(os);
    os.flush();
    code = os.error();
    os.clear_error();
  }
  if (code && error.empty())
    error = "cannot write '" + path + "': " + code.message();
}

void DumpIR::add(StringRef name, ModuleOp module, bool changed,
                 int64_t operationsBefore, double seconds) {
  std::string number = std::to_string(count++);
  number.insert(0, number.size() < 3 ? 3 - number.size() : 0, '0');
  std::string file = number + "-" + name.str() + ".mlir";
  if (changed)
    write(file, [&](raw_ostream &os) {
      module->print(os, printingFlags(elideWeights));
      os << "\n";
    });
  index.push_back({number, name.str(), changed ? file : "-",
                   std::to_string(operationsBefore) + " -> " +
                       std::to_string(countOperations(module)),
                   formatSeconds(seconds)});
}

Error DumpIR::finish() {
  write(indexName, [&](raw_ostream &os) {
    Table table({false, false, false, true, true});
    table.addRow({"#", "pass", "file", "operations", "time"});
    for (auto &row : index)
      table.addRow(row);
    table.print(os);
  });
  if (error.empty())
    return Error::success();
  return makeError(ExitCode::Internal, "--dump-ir: " + error);
}

} // namespace plmc
