//===- Recipe.h - What to do to a model, in order ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A recipe is a list of steps, each a pass on the plm dialect with its options,
// and what they share: a seed and calibration data. Its text is YAML
// (docs/recipes.md); --preset, --set and the options of `plmc compress` come to
// the same structure, so that everything after this knows one form only.
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_RECIPE_RECIPE_H
#define PLMC_RECIPE_RECIPE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>
#include <vector>

namespace mlir {
class OpPassManager;
}

namespace plmc {

/// Where something was said: "recipe.yaml:7", or "--set quantize.bits=4".
struct RecipeOrigin {
  std::string text;
  bool commandLine = false; // the user's slip is then one of usage
};

struct RecipeOption {
  std::string name; // of the pass's option
  /// The value as the pass's option takes it; several for a list.
  std::vector<std::string> values;
  bool isList = false; // written as a list
  RecipeOrigin origin;
  bool inherited = false; // from the recipe's own seed or calibration
};

struct RecipeStep {
  std::string name;
  std::vector<RecipeOption> options; // names are unique
  RecipeOrigin origin;

  const RecipeOption *find(llvm::StringRef option) const;
  /// Replaces or adds.
  void set(RecipeOption option);
};

/// Where token sequences come from. `files` as written; relative ones are
/// relative to `folder`.
struct RecipeCalibration {
  std::vector<std::string> files; // empty: none given
  std::string tokenizer;          // tokenizer.json for files of text, or ""
  int64_t sequences = 0;          // for passes; 0: four of five
  int64_t maxLength = 0;          // tokens, longer ones are cut; 0: as they are
  std::string sha256;             // of the files' bytes in order; "": any
  std::string folder;
  RecipeOrigin origin;

  /// The paths to open.
  std::vector<std::string> paths() const;
  std::string tokenizerPath() const;
  /// What CalibrationSet::read takes for what passes may look at, or for what
  /// is kept for measuring; "" without files.
  std::string part(bool heldOut) const;
};

struct Recipe {
  std::string title;   // "recipe.yaml", "preset 'small'", ""
  std::string version; // of the plmc that wrote it, or ""
  uint64_t seed = 0;
  RecipeCalibration calibration;
  std::vector<RecipeStep> steps;

  /// True if no step changes what the model computes.
  bool isExact() const;
};

/// An error of the form "ORIGIN: MESSAGE". Its code is invalid_argument where
/// the command line is to blame.
llvm::Error recipeError(const RecipeOrigin &origin, const llvm::Twine &message);

/// Reads a file; errors name it and the line. Steps are not yet checked.
llvm::Expected<Recipe> readRecipe(llvm::StringRef path);
/// The same of a text; `title` stands for the path in errors.
llvm::Expected<Recipe> parseRecipe(llvm::StringRef text, llvm::StringRef title);

/// The recipe of --preset=NAME; an error lists the names. With calibration data
/// most presets go further than without.
llvm::Expected<Recipe> presetRecipe(llvm::StringRef name,
                                    bool calibrated = false);
std::vector<std::string> presetNames();
/// Its YAML; "" if there is none.
llvm::StringRef presetText(llvm::StringRef name);

/// --set: "seed=1", "calibration.file=a.npz", "quantize.bits=4", or
/// "quantize[2].bits=4" where there are several steps of the name. The value is
/// YAML.
llvm::Error overrideRecipe(Recipe &recipe, llvm::StringRef assignment);

/// Gives each step whose pass has an option `seed`, `calibration` or
/// `tokenizer` the recipe's, unless it has its own. Then checks that each step
/// is known and in this build, and that its options are its pass's, of their
/// type. All passes must be registered.
llvm::Error completeRecipe(Recipe &recipe);

/// Adds the pass of a step that completeRecipe has seen.
llvm::Error addStep(mlir::OpPassManager &pm, const RecipeStep &step);

/// The recipe as YAML, which parseRecipe reads back as the same. What
/// completeRecipe added is left out, as it would be added again.
std::string printRecipe(const Recipe &recipe);
/// The same as JSON, which is YAML too.
std::string recipeToJSON(const Recipe &recipe);
/// "{ bits: 4, group-size: 32 }", or "".
std::string printOptions(const RecipeStep &step);

} // namespace plmc

#endif // PLMC_RECIPE_RECIPE_H
