//===- ChooseRecipe.h - The recipe of a run ---------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_DRIVER_CHOOSERECIPE_H
#define PLMC_LIB_DRIVER_CHOOSERECIPE_H

#include "plmc/Driver/Compress.h"
#include "plmc/Recipe/Recipe.h"

namespace plmc {

/// What is to be done to the model: --recipe or --preset, --calibration and
/// --tokenizer, --outputs and --precision as a first and a last step, and then
/// --set. Completed: each step is known and its options have their types.
/// Errors are of usage, or of bad input where a file is to blame.
llvm::Expected<Recipe> chooseRecipe(const CompressOptions &options);

/// Hashes the calibration data into `recipe.calibration.sha256`; an error when
/// a file cannot be read, or the recipe says another hash.
llvm::Error hashCalibration(Recipe &recipe);

/// True if a step, or what measures, cuts texts into ids by a tokenizer.
bool readsTexts(const Recipe &recipe);

/// The recipe that a library's build record holds (as recipeToJSON wrote it):
/// files by name only, so that the folder of a build does not show in it.
Recipe withoutFolders(Recipe recipe);

/// Registers plmc's passes, once.
void registerPassesOnce();

} // namespace plmc

#endif // PLMC_LIB_DRIVER_CHOOSERECIPE_H
