//===- Run.h - plmc run -----------------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_DRIVER_RUN_H
#define PLMC_DRIVER_RUN_H

#include "plmc/Driver/Error.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Support/Npz.h"

namespace plmc {

struct RunOptions {
  std::string library, inputs, outputs; // .so, .npz, .npz
  std::vector<std::string> texts;       // instead of inputs
  int threads = 0;                      // 0: one per CPU
};

/// Arrays by name, in the model's order. Errors name what is missing or not
/// wanted. Integers and floats are widened where no value can change.
llvm::Expected<std::vector<HostTensor>>
orderInputs(const std::vector<TensorSignature> &signatures,
            NamedTensors tensors);

/// plmc run LIB --inputs IN.npz --outputs OUT.npz.
llvm::Error run(const RunOptions &options);

} // namespace plmc

#endif // PLMC_DRIVER_RUN_H
