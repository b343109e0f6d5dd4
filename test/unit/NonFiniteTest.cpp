//===- NonFiniteTest.cpp - NaN and infinite weights -----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Analysis/NonFinite.h"
#include "ONNXTesting.h"
#include "plmc/Support/Text.h"
#include <cmath>

using namespace plmc;

namespace {

class NonFinite : public ONNXTesting {
protected:
  /// x + w for a w of the given values, a kilobyte of ones after them.
  std::vector<NonFiniteParameter> find(std::vector<float> values,
                                       float rest = 1) {
    values.resize(values.size() + 3000, rest);
    ModelBuilder m;
    m.input("x", onnx::TensorProto::FLOAT, {"1"});
    m.floats("some.weight", {int64_t(values.size())}, values);
    m.node("Add", {"x", "w"}, {"y"}).set_input(1, "some.weight");
    m.output("y");
    EXPECT_TRUE(import(m));
    return findNonFinite(*module);
  }
};

TEST_F(NonFinite, CountsEachKind) {
  EXPECT_TRUE(find({1, -0.0f, 3.4e38f, 1e-45f}).empty());
  auto found = find({NAN, 2, INFINITY, -INFINITY, -NAN});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].name, "some.weight");
  EXPECT_EQ(found[0].nans, 2);
  EXPECT_EQ(found[0].infinities, 2);
  EXPECT_EQ(
      nonFiniteText(found).rfind("parameter 'some.weight' holds 2 NaN and "
                                 "2 infinite values; ",
                                 0),
      0u);
}

TEST_F(NonFinite, AnAdditiveMaskIsNone) {
  EXPECT_TRUE(find({-INFINITY, 0, -0.0f, -INFINITY}, 0).empty());
  EXPECT_EQ(find({INFINITY, 0}, 0).size(), 1u);
  EXPECT_EQ(find({-INFINITY, NAN}, 0).size(), 1u);
  EXPECT_EQ(find({-INFINITY, 1}, 0).size(), 1u);
}

TEST(Text, IsCleaned) {
  EXPECT_EQ(cleanText("plain %s \xC3\xA4 \xE4\xB8\xAD"),
            "plain %s \xC3\xA4 \xE4\xB8\xAD");
  EXPECT_EQ(cleanText("a\nb\x1b[0m\x7f"), "a?b?[0m?");
  EXPECT_EQ(cleanText("\xff\xC3(\xE4\xB8"), "??(??");
  EXPECT_EQ(cleanText("\xC2\x9B\xE2\x80\xA8\xE2\x80\xAE"), "????????");
  EXPECT_EQ(cleanText("\xED\xA0\x80"), "???"); // a surrogate
}

} // namespace
