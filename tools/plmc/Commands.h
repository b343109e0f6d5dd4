//===- Commands.h - The commands of plmc ------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each adds its subcommand and returns what runs it. The work is in lib/Driver.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TOOLS_PLMC_COMMANDS_H
#define PLMC_TOOLS_PLMC_COMMANDS_H

#include "plmc/Driver/Error.h"
#include <CLI/CLI.hpp>
#include <functional>

namespace plmc::tool {

using Command = std::function<llvm::Error()>;

Command addCompress(CLI::App &app);
Command addInspect(CLI::App &app);
Command addRun(CLI::App &app);
Command addVerify(CLI::App &app);
Command addSteps(CLI::App &app);
Command addBench(CLI::App &app);
Command addProfile(CLI::App &app);
Command addPeak(CLI::App &app);
Command addTokenize(CLI::App &app);

} // namespace plmc::tool

#endif // PLMC_TOOLS_PLMC_COMMANDS_H
