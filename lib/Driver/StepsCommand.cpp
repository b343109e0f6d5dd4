//===- StepsCommand.cpp - plmc steps --------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChooseRecipe.h"
#include "mlir/Pass/PassRegistry.h"
#include "plmc/Driver/Steps.h"
#include "plmc/Recipe/Steps.h"
#include "plmc/Report/Table.h"

using namespace mlir;

namespace plmc {

llvm::Error listSteps(bool json, llvm::raw_ostream &out) {
  registerPassesOnce();
  if (json) {
    out << stepsToJSON() << "\n";
    return llvm::Error::success();
  }
  std::string missing;
  for (const StepInfo &step : allSteps()) {
    const PassInfo *pass = PassInfo::lookup(step.pass);
    if (!pass) {
      missing += (missing.empty() ? "" : ", ") + step.name.str();
      continue;
    }
    out << step.name << ": " << pass->getPassDescription() << "\n";
    Table table({false, false, false, false});
    for (const StepOption &option : passOptions(step.pass))
      table.addRow(
          {option.name, option.typeName(), option.defaultValue, option.help});
    table.print(out, 2);
  }
  if (!missing.empty())
    out << "not in this build: " << missing << "\n";
  return llvm::Error::success();
}

} // namespace plmc
