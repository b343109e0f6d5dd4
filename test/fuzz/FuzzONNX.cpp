//===- FuzzONNX.cpp - Fuzzer of the ONNX reader ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Imports the bytes as a model; what imports is recognised, summarised and, if
// small, interpreted. Code generation is left out: it takes a second, and works
// on a module that the interpreter has been through.
//
//===----------------------------------------------------------------------===//

#include "FuzzFile.h"
#include "FuzzModule.h"
#include "plmc/Frontend/ONNX/Import.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace plmc;
  fuzz::File file("model.onnx", {reinterpret_cast<const char *>(data), size});
  // A context keeps all that was ever made in it.
  std::unique_ptr<mlir::MLIRContext> context = fuzz::makeContext();
  auto module = importONNX(file.path, context.get());
  if (module)
    fuzz::exercise(**module);
  else
    fuzz::checkMessage(module.takeError());
  return 0;
}
