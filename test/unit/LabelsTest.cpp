//===- LabelsTest.cpp - Labelled texts and scores -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Evaluation/LabelledSet.h"
#include "plmc/Evaluation/MaskedTokens.h"
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

TEST(LabelledSet, TextsAlone) {
  LabelledSet plain = parsed("one two\n\nthree\tfour\r\n");
  EXPECT_EQ(plain.first, (std::vector<std::string>{"one two", "three\tfour"}));
  EXPECT_FALSE(plain.hasLabels());
  EXPECT_EQ(plain.lines, (std::vector<size_t>{1, 3}));
  LabelledSet named = parsed("id\tSentence\nx\tone two\n");
  EXPECT_EQ(named.first, std::vector<std::string>{"one two"});
  EXPECT_FALSE(named.hasLabels());
  EXPECT_EQ(parsed("text\none\n").first, std::vector<std::string>{"one"});
  // A text that is also a name, with its label.
  EXPECT_TRUE(parsed("question\t1\n").hasLabels());
}

TEST(LabelledSet, SaysWhatIsWrong) {
  EXPECT_EQ(refused(""), "x.tsv: there is no text in it");
  EXPECT_EQ(refused("text\tlabel\n"), "x.tsv: there is no text in it");
  EXPECT_EQ(refused("one\ttwo").substr(0, 32),
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

TEST(Scores, PerplexityIsTheMeanBranching) {
  // Told with 1/2, 1/4 and 1/8: as good as a choice among 4.
  Scores scores =
      perplexityScores({std::log(0.5), std::log(0.25), std::log(0.125)});
  EXPECT_NEAR(scores[Metric::Perplexity], 4, 1e-12);
  EXPECT_EQ(perplexityScores({0, 0})[Metric::Perplexity], 1);
  EXPECT_TRUE(std::isinf(perplexityScores({0, -HUGE_VAL})[Metric::Perplexity]));
  EXPECT_TRUE(std::isinf(perplexityScores({0, NAN})[Metric::Perplexity]));
  // Less is better.
  EXPECT_FALSE(metricInfo(Metric::Perplexity).higherIsBetter);
  EXPECT_TRUE(bool(parseBudget("perplexity<9")));
  EXPECT_NE(llvm::toString(parseBudget("perplexity>9").takeError())
                .find("asks for a worse model"),
            std::string::npos);
  EXPECT_NE(llvm::toString(parseBudget("perplexity<1").takeError())
                .find("holds for no model"),
            std::string::npos);
}

//===----------------------------------------------------------------------===//
// Hidden tokens
//===----------------------------------------------------------------------===//

std::unique_ptr<Tokenizer> words(llvm::StringRef mask) {
  return llvm::cantFail(Tokenizer::fromJson(
      R"({"added_tokens": [{"id": 1, "content": "[CLS]", "special": true,
          "single_word": false, "lstrip": false, "rstrip": false,
          "normalized": false}],
          "pre_tokenizer": {"type": "Whitespace"},
          "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {
            "[UNK]": 0, "[CLS]": 1, ")" +
          mask.str() + R"(": 2, "a": 3, "b": 4, "c": 5}}})",
      "words.json"));
}

TEST(MaskedTokens, TheFourthAndEverySeventhBehind) {
  auto tokenizer = words("[MASK]");
  CalibrationSet set;
  // The special and the unknown one do not count.
  set.sequences = {
      {1, 3, 4, 0, 5, 3, 4, 5, 3, 3, 4, 4, 5, 5}, {1, 3, 4, 5}, {3, 3, 4, 5}};
  auto masked = llvm::cantFail(maskTokens(set, *tokenizer));
  ASSERT_EQ(masked.size(), 3u);
  std::vector<int64_t> found;
  for (const MaskedToken &token : masked)
    found.insert(found.end(),
                 {int64_t(token.sequence), token.position, token.id});
  EXPECT_EQ(found, (std::vector<int64_t>{0, 5, 3, 0, 12, 5, 2, 3, 5}));
  EXPECT_EQ(set.sequences[0][5], 2);
  EXPECT_EQ(set.sequences[2], (std::vector<int64_t>{3, 3, 4, 2}));
  EXPECT_EQ(set.sequences[1], (std::vector<int64_t>{1, 3, 4, 5}));
}

TEST(MaskedTokens, SaysWhatIsMissing) {
  CalibrationSet set;
  set.sequences = {{3, 4, 5}};
  EXPECT_EQ(llvm::toString(maskTokens(set, *words("[MASK]")).takeError()),
            "no text has the 4 tokens of which one can be hidden");
  EXPECT_NE(llvm::toString(maskTokens(set, *words("d")).takeError())
                .find("no token that hides others"),
            std::string::npos);
  EXPECT_EQ(words("<mask>")->maskId(), 2);
}

TEST(MaskedTokens, LogProbability) {
  HostTensor logits(DType::F32, {1, 2, 3});
  const float values[] = {0, 0, 0, 500, 501, float(500 + std::log(2))};
  llvm::copy(values, logits.as<float>());
  EXPECT_NEAR(logProbability(logits, 0, 2), -std::log(3), 1e-6);
  EXPECT_NEAR(logProbability(logits, 1, 1), 1 - std::log(3 + std::exp(1)),
              1e-4);
  EXPECT_TRUE(std::isnan(logProbability(logits, 0, 3)));
}

} // namespace
