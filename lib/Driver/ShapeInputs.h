//===- ShapeInputs.h - Inputs of a given batch and length -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_SHAPEINPUTS_H
#define PLMC_LIB_DRIVER_SHAPEINPUTS_H

#include "plmc/Execution/LoadedModel.h"

namespace plmc {

struct Shape {
  int64_t batch, sequence;
};

/// "8x64"; an error names `option`.
llvm::Expected<Shape> parseShape(llvm::StringRef option, llvm::StringRef text);

/// Random ids without padding that the library has run on once.
llvm::Expected<std::vector<HostTensor>>
acceptedInputs(LoadedModel &model, LoadedModel::Context &context, Shape shape);

/// A usage error that names `option` where the library refuses the shape.
llvm::Error checkShape(const llvm::Twine &option, LoadedModel &model,
                       Shape shape);

} // namespace plmc

#endif // PLMC_LIB_DRIVER_SHAPEINPUTS_H
