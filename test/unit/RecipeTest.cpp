//===- RecipeTest.cpp - Recipes, their text and their steps ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Recipe/Recipe.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "plmc/InitAll.h"
#include "plmc/Recipe/Steps.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace plmc;

namespace {

class RecipeTest : public testing::Test {
protected:
  static void SetUpTestSuite() {
    if (!PassInfo::lookup("plm-prune-outputs"))
      registerAllPasses();
  }

  static std::string refusal(StringRef text) {
    llvm::Expected<Recipe> recipe = parseRecipe(text, "r");
    if (!recipe)
      return llvm::toString(recipe.takeError());
    return llvm::toString(completeRecipe(*recipe));
  }
  static Recipe parsed(StringRef text) {
    llvm::Expected<Recipe> recipe = parseRecipe(text, "r");
    EXPECT_TRUE(bool(recipe)) << llvm::toString(recipe.takeError());
    return recipe ? *recipe : Recipe();
  }
  static std::string pipelineOf(const Recipe &recipe) {
    MLIRContext context;
    PassManager pm(&context, "builtin.module");
    for (const RecipeStep &step : recipe.steps)
      EXPECT_EQ(llvm::toString(addStep(pm, step)), "");
    std::string text;
    llvm::raw_string_ostream os(text);
    pm.printAsTextualPipeline(os);
    return text;
  }
};

TEST_F(RecipeTest, EveryFormOfAStep) {
  Recipe recipe = parsed(R"(
version: 1
seed: 7
steps:
  - set-precision
  - set-precision:
  - set-precision: { precision: "int8", min-elements: -1 }
  - prune-outputs:
      outputs:
        - a
        - b c
  - prune-outputs: { outputs: "a,b" }
  - prune-outputs: { outputs: [] }
)");
  ASSERT_EQ(llvm::toString(completeRecipe(recipe)), "");
  EXPECT_EQ(recipe.seed, 7u);
  EXPECT_EQ(pipelineOf(recipe),
            "builtin.module("
            "plm-set-precision{group-size=128 min-elements=4096 precision=f32 "
            "table-bits=0},"
            "plm-set-precision{group-size=128 min-elements=4096 precision=f32 "
            "table-bits=0},"
            "plm-set-precision{group-size=128 min-elements=-1 precision=int8 "
            "table-bits=0},"
            "plm-prune-outputs{outputs={a,{b c}}},"
            "plm-prune-outputs{outputs={a,b}},"
            "plm-prune-outputs{})");
}

/// Printed, read and printed again: nothing is lost, whatever the text.
TEST_F(RecipeTest, PrintedIsReadAsTheSame) {
  Recipe recipe;
  recipe.version = "0.1.0";
  recipe.seed = 18446744073709551615u >> 1;
  recipe.calibration.files = {"a b.npz", "c: d.npz", "-", "'#\"\\", "null"};
  recipe.calibration.tokenizer = "~";
  recipe.calibration.sequences = 5;
  recipe.calibration.maxLength = 6;
  recipe.calibration.sha256 = "0123";
  RecipeStep step{"prune-outputs", {}, {}};
  for (StringRef text : {"",     "a",
                         "1e3",  "{x}",
                         "x, y", "- a",
                         "\t\n", "&x",
                         "*y",   "!z",
                         "%",    "@",
                         "`",    "é",
                         "yes",  "a: b",
                         "a #b", "?",
                         "...",  "---",
                         ".",    "/pooler/Gather:0"})
    step.set({("o" + text).str(), {text.str()}, false, {}, false});
  step.set({"list", {"a", "", "b c"}, true, {}, false});
  recipe.steps = {step};
  for (const std::string &text : {printRecipe(recipe), recipeToJSON(recipe)}) {
    Recipe again = parsed(text);
    EXPECT_EQ(printRecipe(again), printRecipe(recipe)) << text;
    ASSERT_EQ(again.steps.size(), 1u);
    ASSERT_EQ(again.steps[0].options.size(), step.options.size());
    for (auto [a, b] : llvm::zip(again.steps[0].options, step.options)) {
      EXPECT_EQ(a.name, b.name);
      EXPECT_EQ(a.values, b.values);
    }
    EXPECT_EQ(again.calibration.files, recipe.calibration.files);
  }
}

TEST_F(RecipeTest, FilesAreRelativeToTheRecipe) {
  Recipe recipe = parsed("{version: 1, calibration: {file: [a.npz, /b.npz], "
                         "tokenizer: t.json}}");
  recipe.calibration.folder = "x/y";
  EXPECT_EQ(recipe.calibration.paths(),
            (std::vector<std::string>{"x/y/a.npz", "/b.npz"}));
  EXPECT_EQ(recipe.calibration.tokenizerPath(), "x/y/t.json");
  // What the command line names is relative to where plmc runs.
  ASSERT_EQ(llvm::toString(overrideRecipe(recipe, "calibration.file=c.npz")),
            "");
  EXPECT_EQ(recipe.calibration.paths(), (std::vector<std::string>{"c.npz"}));
  EXPECT_EQ(recipe.calibration.tokenizerPath(), "x/y/t.json");
}

TEST_F(RecipeTest, OverridesChangeOneStep) {
  Recipe recipe = parsed("{version: 1, steps: [set-precision: {precision: "
                         "int8}, set-precision, prune-outputs]}");
  auto set = [&](StringRef text) {
    return llvm::toString(overrideRecipe(recipe, text));
  };
  EXPECT_EQ(set("set-precision[2].precision=bf16"), "");
  EXPECT_EQ(set("prune-outputs.outputs=[a, b]"), "");
  EXPECT_EQ(set("seed=12"), "");
  EXPECT_EQ(recipe.seed, 12u);
  EXPECT_EQ(recipe.steps[0].find("precision")->values[0], "int8");
  EXPECT_EQ(recipe.steps[1].find("precision")->values[0], "bf16");
  EXPECT_EQ(recipe.steps[2].find("outputs")->values,
            (std::vector<std::string>{"a", "b"}));
  EXPECT_NE(set("set-precision.precision=bf16").find("say which"),
            std::string::npos);
  EXPECT_NE(set("set-precision[3].precision=f32"), "");
  EXPECT_NE(set("set-precision[0].precision=f32"), "");
  EXPECT_NE(set("set-precision[x].precision=f32"), "");
  EXPECT_NE(set("set-precision[1].precision={a: b}"), "");
  EXPECT_NE(set("set-precision[1].precision=[a"), "");
  EXPECT_NE(set("=").find("not of the form"), std::string::npos);
  EXPECT_NE(set("").find("not of the form"), std::string::npos);
  EXPECT_NE(set("seed"), "");
  EXPECT_NE(set("calibration.=1"), "");
}

TEST_F(RecipeTest, TypesAreThePassesOwn) {
  std::vector<StepOption> options = passOptions("plm-set-precision");
  ASSERT_EQ(options.size(), 4u);
  EXPECT_EQ(options[0].name, "group-size");
  EXPECT_EQ(options[0].typeName(), "integer");
  EXPECT_EQ(options[0].defaultValue, "128");
  EXPECT_EQ(options[2].typeName(), "text");
  EXPECT_EQ(options[2].defaultValue, "f32");
  ASSERT_EQ(passOptions("plm-prune-outputs").size(), 1u);
  EXPECT_TRUE(passOptions("plm-prune-outputs")[0].isList);
  EXPECT_TRUE(passOptions("no-such-pass").empty());

  StepOption flag, narrow, unsignedOne, number;
  flag.type = StepOption::Type::Flag;
  narrow.type = StepOption::Type::Integer;
  narrow.bits = 32;
  unsignedOne.type = StepOption::Type::Unsigned;
  number.type = StepOption::Type::Number;
  EXPECT_TRUE(flag.accepts("true"));
  EXPECT_FALSE(flag.accepts("yes"));
  EXPECT_TRUE(narrow.accepts("-2147483648"));
  EXPECT_FALSE(narrow.accepts("2147483648"));
  EXPECT_FALSE(narrow.accepts("1.5"));
  EXPECT_FALSE(narrow.accepts(""));
  EXPECT_TRUE(unsignedOne.accepts("18446744073709551615"));
  EXPECT_FALSE(unsignedOne.accepts("-1"));
  EXPECT_TRUE(number.accepts("1e-3"));
  EXPECT_FALSE(number.accepts("inf"));
  EXPECT_FALSE(number.accepts("nan"));
  EXPECT_FALSE(number.accepts("x"));
}

TEST_F(RecipeTest, WhatAPassCannotBeTold) {
  for (StringRef value : {"'{'", "\"a\\\"b\"", "'a''b'", "\"a\\nb\""})
    EXPECT_NE(refusal(("{version: 1, steps: [set-precision: {precision: " +
                       value + "}]}")
                          .str())
                  .find("which the options of a pass cannot hold"),
              std::string::npos)
        << value.str();
  EXPECT_NE(refusal("{version: 1, steps: [prune-outputs: {outputs: ['a,b']}]}")
                .find("has a comma"),
            std::string::npos);
}

TEST_F(RecipeTest, TextsWithPunctuation) {
  for (StringRef value :
       {"8:a.*;0:(b|c)[0-9]=1,2", "a b (c)", "", "#x=1,y=2"}) {
    Recipe recipe = parsed("{version: 1, steps: [set-precision]}");
    recipe.steps[0].set({"precision", {value.str()}, false, {}, false});
    ASSERT_EQ(llvm::toString(completeRecipe(recipe)), "");
    MLIRContext context;
    PassManager pm(&context, "builtin.module");
    ASSERT_EQ(llvm::toString(addStep(pm, recipe.steps[0])), "");
    // What is printed can be parsed again, as --pass-pipeline does.
    std::string text = pipelineOf(recipe);
    EXPECT_NE(text.find(value.str()), std::string::npos) << text;
    PassManager again(&context, "builtin.module");
    EXPECT_TRUE(succeeded(parsePassPipeline(
        StringRef(text).drop_front(strlen("builtin.module(")).drop_back(),
        again)))
        << text;
  }
}

TEST_F(RecipeTest, HostileTexts) {
  auto nested = [](unsigned depth, bool closed) {
    return "version: 1\nsteps: " + std::string(depth, '[') +
           (closed ? std::string(depth, ']') : "");
  };
  for (unsigned depth : {17u, 400u, 501u, 30000u, 500000u})
    for (bool closed : {true, false})
      EXPECT_NE(refusal(nested(depth, closed)), "") << depth;
  EXPECT_NE(refusal("version: 1\nsteps: " + std::string(30000, '{')), "");
  EXPECT_NE(refusal(std::string(100000, '-')), "");
  std::string dashes;
  for (int i = 0; i < 100000; ++i)
    dashes += "- ";
  EXPECT_NE(refusal(dashes), "");
  EXPECT_NE(refusal(std::string("version: 1\0", 11)).find("no text"),
            std::string::npos);
  std::string many = "version: 1\nsteps: [";
  for (int i = 0; i < 100000; ++i)
    many += "a,";
  EXPECT_NE(refusal(many + "]").find("more than a recipe can hold"),
            std::string::npos);
  // Every prefix of a good one, and every byte replaced.
  std::string good = printRecipe(parsed(
      "{version: 1, calibration: {file: x}, steps: [set-precision: {precision: "
      "int8}, prune-outputs: {outputs: [a, b]}]}"));
  for (size_t i = 0; i < good.size(); ++i) {
    (void)refusal(StringRef(good).take_front(i));
    for (char c : {'\0', '\xff', '{', '*', '&', '"', '\n', '\t', ':'}) {
      std::string bad = good;
      bad[i] = c;
      (void)refusal(bad);
    }
  }
}

TEST_F(RecipeTest, PresetsAreWhole) {
  EXPECT_EQ(presetNames(),
            (std::vector<std::string>{"fast", "small", "tiny", "extreme"}));
  for (const std::string &name : presetNames())
    for (bool calibrated : {false, true}) {
      llvm::Expected<Recipe> recipe = presetRecipe(name, calibrated);
      ASSERT_TRUE(bool(recipe)) << llvm::toString(recipe.takeError());
      EXPECT_EQ(llvm::toString(completeRecipe(*recipe)), "");
      EXPECT_FALSE(recipe->steps.empty());
      // Where there is no data, no step may ask for some.
      for (const RecipeStep &step : recipe->steps)
        EXPECT_TRUE(calibrated || step.name == "set-precision") << name;
    }
  llvm::Expected<Recipe> unknown = presetRecipe("small.calibrated");
  EXPECT_NE(llvm::toString(unknown.takeError()).find("fast, small"),
            std::string::npos);
}

TEST_F(RecipeTest, ExactStepsLeaveTheModelAsItIs) {
  EXPECT_TRUE(Recipe().isExact());
  EXPECT_TRUE(parsed("{version: 1, steps: [prune-outputs]}").isExact());
  EXPECT_FALSE(
      parsed("{version: 1, steps: [prune-outputs, set-precision]}").isExact());
}

} // namespace
