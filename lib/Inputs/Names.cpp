//===- Names.cpp - Names of a model's inputs and outputs ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Inputs/Names.h"

using namespace mlir;

namespace plmc {

static std::string nameOr(StringAttr name, unsigned index) {
  return name ? name.str() : std::to_string(index);
}

std::string inputName(func::FuncOp func, unsigned index) {
  return nameOr(func.getArgAttrOfType<StringAttr>(index, "plm.name"), index);
}

std::string outputName(func::FuncOp func, unsigned index) {
  return nameOr(func.getResultAttrOfType<StringAttr>(index, "plm.name"), index);
}

} // namespace plmc
