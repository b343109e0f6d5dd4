//===- Memory.cpp - What running a library takes --------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A context allocates by malloc, what a run needs at its first run, and keeps
// it. So the allocator is asked before and after. The resident set would tell
// less: it has the allocator's slack in it, and of the library only the pages
// that were read since the file was last in memory.
//
//===----------------------------------------------------------------------===//

#include "Memory.h"
#include "plmc/Driver/Error.h"
#include <malloc.h>

using llvm::Error;
using llvm::Expected;

namespace plmc {

static int64_t bytesAllocated() {
  struct mallinfo2 info = mallinfo2();
  return int64_t(info.uordblks + info.hblkhd);
}

Expected<int64_t> measureMemory(LoadedModel &model, Shape shape) {
  std::vector<HostTensor> inputs;
  auto createContext = [&] { return model.createContext(/*threads=*/1); };
  {
    auto context = createContext();
    if (!context)
      return withCode(context.takeError(), ExitCode::Internal);
    auto accepted = acceptedInputs(model, **context, shape);
    if (!accepted)
      return accepted.takeError();
    inputs = std::move(*accepted);
  }
  int64_t before = bytesAllocated();
  auto context = createContext();
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  if (Error error = (*context)->runInPlace(inputs))
    return withCode(std::move(error), ExitCode::Internal);
  return model.fileBytes() + std::max<int64_t>(bytesAllocated() - before, 0);
}

} // namespace plmc
