//===- LoadedModelTest.cpp - Calling emitted libraries --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Execution/LoadedModel.h"
#include "llvm/Support/FileSystem.h"
#include <fstream>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>

using namespace plmc;

namespace {

const std::string libraries = PLMC_TEST_LIBRARIES;

HostTensor ints(std::vector<int64_t> values, llvm::ArrayRef<int64_t> shape) {
  HostTensor tensor(DType::I64, shape);
  std::copy(values.begin(), values.end(), tensor.as<int64_t>());
  return tensor;
}

std::string openError(const std::string &path) {
  auto model = LoadedModel::open(path);
  return model ? "no error" : llvm::toString(model.takeError());
}

TEST(LoadedModel, Signature) {
  auto model = LoadedModel::open(libraries + "/fake.so");
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  ASSERT_EQ((*model)->inputs().size(), 2u);
  EXPECT_EQ((*model)->inputs()[0].name, "input_ids");
  EXPECT_EQ((*model)->inputs()[1].dtype, DType::I64);
  EXPECT_EQ((*model)->inputs()[0].dims,
            (std::vector<std::string>{"batch", "sequence"}));
  ASSERT_EQ((*model)->outputs().size(), 2u);
  EXPECT_TRUE((*model)->outputs()[0].zeroAtPadding);
  EXPECT_FALSE((*model)->outputs()[1].zeroAtPadding);
  EXPECT_EQ((*model)->outputs()[1].dims[1], "4");
  EXPECT_TRUE((*model)->description().contains("\"abi\":1"));
}

TEST(LoadedModel, RunsAndReportsTheLibrarysErrors) {
  auto model = LoadedModel::open(libraries + "/fake.so");
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  for (int threads : {0, 1, 2}) {
    auto context = (*model)->createContext(threads);
    ASSERT_TRUE(bool(context)) << llvm::toString(context.takeError());
    HostTensor ids = ints({1, 2, 3, 4, 5, 6}, {2, 3});
    HostTensor mask = ints({1, 1, 0, 0, 1, 1}, {2, 3});
    auto outputs = (*context)->run({ids, mask});
    ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
    ASSERT_EQ(outputs->size(), 2u);
    EXPECT_EQ((*outputs)[0].shape, (llvm::SmallVector<int64_t, 4>{2, 3, 4}));
    EXPECT_EQ((*outputs)[0].getDouble(5), 21);
    EXPECT_EQ((*outputs)[0].getDouble(8), 0);
    EXPECT_EQ((*outputs)[1].getDouble(4), 110);
    EXPECT_FALSE(bool((*context)->runInPlace({ids, mask})));

    EXPECT_EQ(llvm::toString((*context)->runInPlace({ids})),
              "the model has 2 inputs, not 1");
    HostTensor other(DType::F32, {2, 3});
    EXPECT_EQ(llvm::toString((*context)->runInPlace({other, mask})),
              "input 'input_ids' has dtype f32 (1); it must be i64");
    HostTensor empty(DType::I64, {0, 3});
    EXPECT_EQ(llvm::toString((*context)->runInPlace({empty, empty})),
              "input 'input_ids': dimension 0 (batch) is 0; it must be at "
              "least 1");
    HostTensor deep(DType::I64, {1, 1, 1, 1, 1, 1, 1, 1, 1});
    EXPECT_EQ(llvm::toString((*context)->runInPlace({deep, mask})),
              "input 0 has rank 9; at most 8 is possible");
    HostTensor lies = ids;
    lies.shape = {2, 4};
    EXPECT_EQ(llvm::toString((*context)->runInPlace({lies, mask})),
              "input 0 holds 48 bytes; its shape needs 64");
  }
  auto context = (*model)->createContext(-3);
  ASSERT_FALSE(bool(context));
  EXPECT_EQ(llvm::toString(context.takeError()),
            "threads is -3; it must be in 0 to 1024");
}

TEST(LoadedModel, ContextKeepsTheLibraryOpen) {
  std::unique_ptr<LoadedModel::Context> context;
  {
    auto model = LoadedModel::open(libraries + "/fake.so");
    ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
    context = std::move(*(*model)->createContext(2));
  }
  HostTensor one = ints({1}, {1, 1});
  EXPECT_FALSE(bool(context->runInPlace({one, one})));
}

TEST(LoadedModel, ContextsRunAtOnce) {
  auto model = LoadedModel::open(libraries + "/fake.so");
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&, t] {
      auto context = (*model)->createContext(1 + t % 2);
      HostTensor ids = ints({t + 1, t + 1}, {1, 2});
      HostTensor mask = ints({1, 1}, {1, 2});
      for (int i = 0; i < 50; ++i) {
        auto outputs = (*context)->run({ids, mask});
        if (!outputs || (*outputs)[1].getDouble(0) != 20 * (t + 1))
          ++wrong;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

TEST(LoadedModel, NameWithoutASlashIsAFileHere) {
  llvm::SmallString<128> before;
  ASSERT_FALSE(llvm::sys::fs::current_path(before));
  ASSERT_EQ(chdir(libraries.c_str()), 0);
  EXPECT_EQ(openError("fake.so"), "no error");
  ASSERT_EQ(chdir(before.c_str()), 0);
}

TEST(LoadedModel, FilesThatAreNoModels) {
  EXPECT_EQ(openError("/nonexistent.so"),
            "cannot load '/nonexistent.so': No such file or directory");
  EXPECT_EQ(openError(""), "cannot load '': No such file or directory");
  EXPECT_EQ(openError(libraries),
            "cannot load '" + libraries + "': it is no file");
  std::string path = std::string(PLMC_TEST_TMP) + "/not-a-library.so";
  std::ofstream(path).flush();
  EXPECT_EQ(openError(path), "cannot load '" + path + "': it is empty");
  std::ofstream(path) << "hello";
  std::string text = openError(path);
  EXPECT_EQ(text.rfind("cannot load '" + path + "': ", 0), 0u) << text;
  EXPECT_NE(text.find("made by `plmc compress` is expected"),
            std::string::npos);
  EXPECT_EQ(text.find('\n'), std::string::npos);
  // A library that plmc did not make.
  EXPECT_NE(openError(libraries + "/unrelated.so")
                .find("it has no function plm_abi_version"),
            std::string::npos);
  EXPECT_NE(openError(libraries + "/other-abi.so")
                .find("it has version 2 of the plm ABI, this plmc reads "
                      "version 1"),
            std::string::npos);
}

} // namespace
