//===- SearchReportTest.cpp - A search as part of a page ------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Report/SearchReport.h"
#include "plmc/Search/Plan.h"
#include "llvm/ADT/StringRef.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace plmc;

namespace {

size_t countOf(llvm::StringRef text, llvm::StringRef part) {
  return text.count(part);
}

SearchReport exampleSearch() {
  SearchReport search;
  search.conditions = {"size<7MB"};
  search.sizeLimit = 7000000;
  search.lossName = "noise";
  search.met = true;
  search.points = {{24000000, 0.002, "tables in 8 bits", false, true, false},
                   {6900000, 0.12, "rank 192 <& more>", true, true, true},
                   {7100000, 0.2, "worse", true, false, false}};
  for (int64_t layer : {0, 1})
    for (const char *role : {"attention input", "feed-forward up"})
      search.sensitivities.push_back(
          {layer, role, {"w" + std::to_string(layer)}, 0.01 * (layer + 1), 3});
  return search;
}

TEST(SearchReportTest, EveryModelIsADotAndTheTakenOneHasARing) {
  std::string page = searchToHTML(exampleSearch());
  EXPECT_EQ(countOf(page, "<circle"), 4u);
  EXPECT_EQ(countOf(page, "<polyline"), 1u);
  EXPECT_NE(page.find("size allowed"), std::string::npos);
  EXPECT_NE(page.find("rank 192 &lt;&amp; more&gt;"), std::string::npos);
  EXPECT_NE(page.find("size&lt;7MB: met"), std::string::npos);
}

TEST(SearchReportTest, TheDearestCellIsTheReddest) {
  std::string page = searchToHTML(exampleSearch());
  EXPECT_EQ(countOf(page, "rgba(238,102,119,0.90)"), 2u); // layer 1
  EXPECT_EQ(countOf(page, "rgba(238,102,119,0.05)"), 2u); // layer 0
  EXPECT_EQ(countOf(page, "<tr>"), 3u);
}

TEST(SearchReportTest, NothingThatIsNoNumberIsDrawn) {
  SearchReport search = exampleSearch();
  search.met = false;
  for (SearchReport::Point &point : search.points)
    point.loss = HUGE_VAL;
  search.points[0].loss = 0;
  search.sensitivities[0].loss = std::nullopt;
  search.sensitivities[1].loss = NAN;
  std::string page = searchToHTML(search);
  EXPECT_EQ(page.find("<svg"), std::string::npos);
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_NE(page.find("not measured"), std::string::npos);
  EXPECT_NE(page.find("not met"), std::string::npos);
  EXPECT_NE(searchToHTML({}).find("not met"), std::string::npos);
}

/// Weights that the plan does not name have the bits of those it does: any
/// others would need code of their own.
TEST(SearchPlanTest, WeightsWithoutANameGetBitsThatAreThereAnyway) {
  Inventory inventory;
  inventory.groups = {{{"a"}, 100000}, {{"b"}, 100000}};
  Plan plan = basePlan(inventory);
  plan.calibrated = true;
  plan.bits = {3, 2};
  Recipe recipe = planRecipe(Recipe(), inventory, plan);
  std::string text = printRecipe(recipe);
  EXPECT_NE(text.find("bits: 3"), std::string::npos) << text;
  EXPECT_NE(text.find("2:^(b)"), std::string::npos) << text;
  EXPECT_EQ(text.find("3:^("), std::string::npos) << text;
}

} // namespace
