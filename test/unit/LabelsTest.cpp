//===- LabelsTest.cpp - Labelled texts and scores -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/LabelledSet.h"
#include "plmc/Evaluation/Scores.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace plmc;

namespace {

LabelledSet parsed(llvm::StringRef text) {
  auto set = LabelledSet::parse(text, "x.tsv");
  if (!set) {
    ADD_FAILURE() << llvm::toString(set.takeError());
    return {};
  }
  return *set;
}

std::string refused(llvm::StringRef text) {
  auto set = LabelledSet::parse(text, "x.tsv");
  return set ? "" : llvm::toString(set.takeError());
}

TEST(LabelledSet, NamesTellTheColumns) {
  LabelledSet set = parsed("\xef\xbb\xbfidx\tLabel\tsentence\r\n"
                           "7\t1\tgood one\r\n\n8\t0\tbad\r\n");
  EXPECT_EQ(set.first, (std::vector<std::string>{"good one", "bad"}));
  EXPECT_FALSE(set.hasPairs());
  EXPECT_EQ(set.labels, (std::vector<double>{1, 0}));
  EXPECT_EQ(set.lines, (std::vector<size_t>{2, 4}));
  EXPECT_TRUE(set.hasClasses());
  set = parsed("score\tsentence1\tsentence2\n2.5\ta\tb\n");
  EXPECT_EQ(set.first.front() + set.second.front(), "ab");
  EXPECT_FALSE(set.hasClasses());
}

TEST(LabelledSet, PlacesTellTheColumns) {
  EXPECT_EQ(parsed("a\t1\n2\t0\n").first.back(), "2");
  EXPECT_EQ(parsed("1\ta b\n").first.back(), "a b");
  EXPECT_EQ(parsed("a\tb\t0.5").second.front(), "b");
  LabelledSet sts = parsed("main\tfile\t2012\t0000\t4.75\tone\ttwo\textra\n");
  EXPECT_EQ(sts.first.front() + sts.second.front(), "onetwo");
  EXPECT_EQ(sts.labels.front(), 4.75);
}

TEST(LabelledSet, SaysWhatIsWrong) {
  EXPECT_EQ(refused(""), "x.tsv: there is no labelled text in it");
  EXPECT_EQ(refused("text\tlabel\n"), "x.tsv: there is no labelled text in it");
  EXPECT_EQ(refused("one two").substr(0, 32),
            "x.tsv:1: which cells are the tex");
  EXPECT_EQ(refused("text\tlabel\na\n"),
            "x.tsv:2: there are 1 cells, divided by tabs; at least 2 are "
            "needed");
  EXPECT_EQ(refused("text\tlabel\na\tpos\x1b\n").substr(0, 23),
            "x.tsv:2: the label 'pos");
  EXPECT_NE(refused("text\tlabel\na\tnan\n"), "");
}

TEST(Scores, OfTwoClasses) {
  // 3 true positives, 1 false, 2 missed, 4 true negatives.
  Scores scores = classificationScores({1, 1, 1, 0, 1, 1, 0, 0, 0, 0},
                                       {1, 1, 1, 1, 0, 0, 0, 0, 0, 0}, 2);
  EXPECT_DOUBLE_EQ(scores[Metric::Accuracy], 0.7);
  EXPECT_DOUBLE_EQ(scores[Metric::F1], 6.0 / 9);
  EXPECT_DOUBLE_EQ(scores[Metric::Matthews],
                   (3 * 4 - 1 * 2) / std::sqrt(4.0 * 5 * 5 * 6));
}

TEST(Scores, OfSeveralClasses) {
  Scores scores = classificationScores({0, 1, 2, 2}, {0, 2, 2, 1}, 5);
  EXPECT_DOUBLE_EQ(scores[Metric::Accuracy], 0.5);
  // F1 of 0 is 1, of 1 is 0, of 2 is 1/2; 3 and 4 do not occur.
  EXPECT_DOUBLE_EQ(scores[Metric::F1], 0.5);
  EXPECT_DOUBLE_EQ(scores[Metric::Matthews], (2 * 4 - 6) / std::sqrt(100.0));
  EXPECT_EQ(classificationScores({0, 0}, {0, 0}, 2)[Metric::Matthews], 0);
}

TEST(Scores, Correlations) {
  Scores scores = correlationScores({1, 2, 3, 4}, {1, 4, 9, 16});
  EXPECT_DOUBLE_EQ(scores[Metric::Spearman], 1);
  EXPECT_NEAR(scores[Metric::Pearson], 0.98437, 1e-5);
  // Ranks 0.5 0.5 2 3 against 0 1 2.5 2.5.
  EXPECT_NEAR(correlationScores({1, 1, 2, 3}, {0, 1, 2, 2})[Metric::Spearman],
              4 / 4.5, 1e-9);
  EXPECT_EQ(correlationScores({1, 2}, {3, 3})[Metric::Pearson], 0);
  EXPECT_EQ(correlationScores({1, 2}, {3, NAN})[Metric::Spearman], 0);
}

} // namespace
