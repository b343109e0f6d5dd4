//===- RuntimeBitcodeTest.cpp - The embedded runtime ----------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/CodeGen/RuntimeBitcode.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include <gtest/gtest.h>
#include <set>

using namespace plmc;

namespace {

using Names = std::set<std::string>;

struct RuntimeBitcode : testing::Test {
  void SetUp() override {
    auto parsed = llvm::parseBitcodeFile(
        llvm::MemoryBufferRef(getRuntimeBitcode(), "runtime"), context);
    ASSERT_TRUE(bool(parsed)) << llvm::toString(parsed.takeError());
    module = std::move(*parsed);
    ASSERT_FALSE(llvm::verifyModule(*module, &llvm::errs()));
  }
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> module;
};

TEST_F(RuntimeBitcode, ExportsTheAbiAlone) {
  Names exported;
  for (llvm::GlobalValue &value : module->global_values())
    if (!value.isDeclaration() && !value.hasLocalLinkage() &&
        !value.hasHiddenVisibility())
      exported.insert(value.getName().str());
  EXPECT_EQ(exported,
            (Names{"plm_abi_version", "plm_context_create",
                   "plm_context_destroy", "plm_context_profile", "plm_describe",
                   "plm_last_error", "plm_open", "plm_run", "plm_run_text"}));
}

TEST_F(RuntimeBitcode, NeedsLibcAlone) {
  Names needed;
  for (llvm::GlobalValue &value : module->global_values())
    if (value.isDeclaration() && !value.getName().starts_with("llvm."))
      needed.insert(value.getName().str());
  EXPECT_EQ(needed, (Names{"aligned_alloc", "free", "getenv", "getpid",
                           "memcpy", "memset", "plm_generated",
                           "pthread_create", "pthread_join", "pthread_sigmask",
                           "sched_getaffinity", "syscall", "vsnprintf"}));
}

TEST_F(RuntimeBitcode, IsForTheBaseline) {
  EXPECT_EQ(module->getTargetTriple().str(), "x86_64-unknown-linux-gnu");
  for (llvm::Function &function : *module)
    if (!function.isDeclaration())
      EXPECT_EQ(function.getFnAttribute("target-cpu").getValueAsString(),
                "x86-64")
          << function.getName().str();
}

} // namespace
