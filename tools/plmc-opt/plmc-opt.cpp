//===- plmc-opt.cpp - Run passes on plm and plk modules ---------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "plmc/InitAll.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  plmc::registerAllDialects(registry);
  plmc::registerAllPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "plmc's optimizer: passes over plm and plk modules\n",
      registry));
}
