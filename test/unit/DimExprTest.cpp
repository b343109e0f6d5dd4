//===- DimExprTest.cpp ------------------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Dialect/PLM/DimExpr.h"
#include <gtest/gtest.h>

using plmc::DimExpr;

static DimExpr parse(llvm::StringRef text) {
  auto expr = DimExpr::parse(text);
  EXPECT_TRUE(expr) << text.str();
  return expr ? *expr : DimExpr(-1);
}

TEST(DimExpr, CanonicalForm) {
  EXPECT_EQ(parse("sequence*batch").str(), "batch*sequence");
  EXPECT_EQ(parse("2*b*s + b*s*3"), parse("5*s*b"));
  EXPECT_EQ(parse("512 - s").str(), "512 - s");
  EXPECT_EQ(parse("s - s").str(), "0");
  EXPECT_EQ(parse("-s + 3").str(), "3 - s");
}

TEST(DimExpr, Malformed) {
  for (const char *text :
       {"", "a+", "*a", "a b", "9223372036854775808", "a//b"})
    EXPECT_FALSE(DimExpr::parse(text)) << text;
}

TEST(DimExpr, DivideExactly) {
  EXPECT_EQ(parse("12*b*s").divideExactly(parse("b*s")), parse("12"));
  EXPECT_EQ((parse("s") + DimExpr(1)) * parse("b"), parse("b*s + b"));
  EXPECT_EQ(parse("b*s + b").divideExactly(parse("s + 1")), parse("b"));
  EXPECT_EQ(parse("b*s + b").divideExactly(parse("b")), parse("s + 1"));
  EXPECT_FALSE(parse("b*s").divideExactly(parse("s + 1")));
  EXPECT_FALSE(parse("7*b").divideExactly(DimExpr(2)));
  EXPECT_FALSE(parse("b").divideExactly(DimExpr(0)));
  EXPECT_FALSE(DimExpr(INT64_MIN).divideExactly(DimExpr(-1)));
}

TEST(DimExpr, OverflowIsFlagged) {
  DimExpr big(INT64_MAX);
  EXPECT_TRUE((big + DimExpr(1)).hasOverflow());
  EXPECT_TRUE((big * DimExpr(2)).hasOverflow());
  EXPECT_FALSE((big * DimExpr(2)).constant());
  EXPECT_FALSE(parse("s*s").evaluate({{"s", INT64_MAX}}));
  EXPECT_EQ(parse("512 - s").evaluate({{"s", 12}}), 500);
  EXPECT_FALSE(parse("s").evaluate({}));
}
