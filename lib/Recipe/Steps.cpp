//===- Steps.cpp - The steps that a recipe can have -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Recipe/Steps.h"
#include "mlir/Pass/PassRegistry.h"
#include <nlohmann/json.hpp>

using namespace mlir;

namespace plmc {

static constexpr bool Exact = true, Lossy = false;

static constexpr StepInfo steps[] = {
#define PLMC_STEP(name, pass, kind) {name, pass, kind},
#include "Steps.def"
#undef PLMC_STEP
};

ArrayRef<StepInfo> allSteps() { return steps; }

const StepInfo *findStep(StringRef name) {
  for (const StepInfo &step : steps)
    if (step.name == name)
      return &step;
  return nullptr;
}

bool StepInfo::isAvailable() const { return PassInfo::lookup(pass); }

std::string stepsToJSON() {
  using Json = nlohmann::ordered_json;
  Json json = Json::array();
  for (const StepInfo &step : allSteps()) {
    const PassInfo *pass = PassInfo::lookup(step.pass);
    Json entry = {{"name", step.name.str()},
                  {"pass", step.pass.str()},
                  {"exact", step.exact},
                  {"available", pass != nullptr}};
    if (pass)
      entry["summary"] = pass->getPassDescription().str();
    entry["options"] = Json::array();
    for (const StepOption &option : passOptions(step.pass))
      entry["options"].push_back({{"name", option.name},
                                  {"type", option.typeName()},
                                  {"default", option.defaultValue},
                                  {"help", option.help}});
    json.push_back(std::move(entry));
  }
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

} // namespace plmc
