//===- ConditionTest.cpp - --fail-if and --budget -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/Condition.h"
#include <gtest/gtest.h>

using namespace plmc;

namespace {

std::string refused(llvm::StringRef text, bool budget = false) {
  auto conditions = budget ? parseBudget(text) : parseConditions("--x", text);
  return conditions ? "" : llvm::toString(conditions.takeError());
}

TEST(ConditionTest, UnitsAndShapes) {
  auto conditions = parseConditions(
      "--x", "size<7MB, cosine>=0.98,latency < 5 ms @ 1x32,top1>98%, kl<=1e-3,"
             "latency<2s,size<=4KiB,parameters<22.7M,macs<10M,min-cosine>-.5");
  ASSERT_TRUE(bool(conditions)) << llvm::toString(conditions.takeError());
  const std::vector<Condition> &c = *conditions;
  EXPECT_EQ(c[0].metric, Metric::Size);
  EXPECT_EQ(c[0].relation, Condition::Relation::Less);
  EXPECT_DOUBLE_EQ(c[0].value, 7e6);
  EXPECT_EQ(c[1].relation, Condition::Relation::GreaterEqual);
  EXPECT_DOUBLE_EQ(c[2].value, 0.005);
  EXPECT_EQ(c[2].batch, 1);
  EXPECT_EQ(c[2].sequence, 32);
  EXPECT_EQ(c[2].text, "latency < 5 ms @ 1x32");
  EXPECT_DOUBLE_EQ(c[3].value, 0.98);
  EXPECT_EQ(c[4].relation, Condition::Relation::LessEqual);
  EXPECT_DOUBLE_EQ(c[4].value, 1e-3);
  EXPECT_EQ(c[5].sequence, 128);
  EXPECT_DOUBLE_EQ(c[6].value, 4096);
  EXPECT_DOUBLE_EQ(c[7].value, 22.7e6);
  EXPECT_DOUBLE_EQ(c[9].value, -0.5);
}

TEST(ConditionTest, Holds) {
  auto one = [](llvm::StringRef text) {
    return llvm::cantFail(parseConditions("--x", text)).front();
  };
  EXPECT_TRUE(one("cosine<0.99").holds(0.98));
  EXPECT_FALSE(one("cosine<0.99").holds(0.99));
  EXPECT_TRUE(one("cosine<=0.99").holds(0.99));
  EXPECT_FALSE(one("kl>1").holds(1));
  EXPECT_TRUE(one("kl>=1").holds(1));
  // What could not be computed fulfils nothing that asks for a good value.
  EXPECT_FALSE(one("cosine>=0.5").holds(NAN));
}

TEST(ConditionTest, Refusals) {
  struct {
    const char *text, *message;
  } cases[] = {
      {"", "a condition is missing"},
      {"size<7MB,", "a condition is missing"},
      {"cosin<0.9", "did you mean 'cosine'?"},
      {"weight<1", "known are size, parameters"},
      {"cosine", "compare with <"},
      {"cosine=0.9", "compare with <"},
      {"cosine==0.9", "compare with <"},
      {"cosine!=0.9", "compare with <"},
      {"cosine<>0.9", "'>0.9' is no number"},
      {"cosine<", "'' is no number"},
      {"cosine<x", "'x' is no number"},
      {"cosine<1.5", "cosine lies between -1 and 1"},
      {"cosine<1e999", "no number"},
      {"top1<-1", "top1 lies between 0 and 1"},
      {"size<7", "the unit is missing: B, kB, MB"},
      {"size<7 parsecs", "'parsecs' is no unit of size"},
      {"size<-7MB", "size lies between"},
      {"size<MB", "'MB' is no number of bytes"},
      {"latency<5", "the unit is missing: us, ms, s"},
      {"latency<5MB", "'MB' is no unit of latency"},
      {"memory<5ms@1x8", "'ms' is no unit of memory"},
      {"latency<5ms@", "'' is no BATCHxLENGTH"},
      {"latency<5ms@32", "is no BATCHxLENGTH"},
      {"latency<5ms@0x1", "is no BATCHxLENGTH"},
      {"latency<5ms@1x9999999", "is no BATCHxLENGTH"},
      {"latency<5ms@1000000x128", "is no BATCHxLENGTH"},
      {"size<5MB@1x32", "only latency and memory have a shape"},
      {"kl<5%", "'%' is no unit of kl"},
  };
  for (auto &one : cases) {
    std::string message = refused(one.text);
    EXPECT_NE(message.find(one.message), std::string::npos)
        << one.text << ": " << message;
    EXPECT_NE(message.find("--x: '"), std::string::npos);
  }
  std::string many;
  for (int i = 0; i < 1000; ++i)
    many += "size<1MB,";
  EXPECT_NE(refused(many).find("more than 64"), std::string::npos);
}

TEST(ConditionTest, ABudgetThatCanBeMet) {
  EXPECT_EQ(refused("size<7MB, cosine>=0.98, latency<5ms@1x32", true), "");
  EXPECT_EQ(refused("latency<5ms@1x32,latency<20ms@8x32", true), "");
  EXPECT_EQ(refused("cosine>=1,top1>=100%,kl<=0", true), "");
}

TEST(ConditionTest, ABudgetThatContradictsItself) {
  struct {
    const char *text, *message;
  } cases[] = {
      {"cosine<0.9", "asks for a worse model; cosine is better when it is "
                     "higher: write >="},
      {"size>1MB", "size is better when it is lower"},
      {"cosine>1", "holds for no model; the best is 1"},
      {"size<0B", "holds for no model"},
      {"latency<0ms", "holds for no model"},
      {"kl<0", "holds for no model"},
      {"size<7MB,cosine>=0.9,size<6MB", "'size<7MB' and 'size<6MB' bound the "
                                        "same"},
      {"memory<5MB@1x32,memory<4MB@1x64", "a larger batch less memory"},
      {"latency<5ms@1x32,latency<4ms@1x64",
       "'latency<5ms@1x32' says nothing beside 'latency<4ms@1x64'"},
      {"latency<5ms@8x128,latency<6ms", "'latency<6ms' says nothing beside "
                                        "'latency<5ms@8x128'"},
  };
  for (auto &one : cases) {
    std::string message = refused(one.text, true);
    EXPECT_NE(message.find(one.message), std::string::npos)
        << one.text << ": " << message;
  }
}

} // namespace
