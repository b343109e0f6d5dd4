//===- MemoryTest.cpp - What keeps calibration in little memory -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/BuiltinDialect.h"
#include "plmc/Calibration/RowSource.h"
#include "plmc/Support/CopiedBlob.h"
#include "plmc/Support/HostTensor.h"
#include "plmc/Support/MappedFiles.h"
#include "plmc/Support/WeightReclaimer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"
#include <fcntl.h>
#include <sys/mman.h>

using namespace plmc;

// A vector of tensors that grows must not copy them.
static_assert(std::is_nothrow_move_constructible_v<HostTensor> &&
              std::is_nothrow_move_assignable_v<HostTensor>);

TEST(Memory, RowsOfASource) {
  for (int64_t count : {0, 1, 3, 6, 1024, 1025, 2051}) {
    Matrix matrix = Matrix::Random(count, 8);
    RowSource source = RowSource::of(matrix);
    EXPECT_EQ(source.rows, count);
    EXPECT_EQ(source.cols, 8);
    Vector want = Vector::Zero(8);
    if (count)
      want = matrix.cast<double>().colwise().mean().cast<float>();
    EXPECT_LT((source.mean() - want).norm(), 1e-5) << count;

    Matrix other = Matrix::Random(count, 8);
    RowSource changed =
        std::move(source).then([&](Matrix &block, int64_t first) {
          block -= other.middleRows(first, block.rows());
        });
    int64_t first = count / 3, rows = count - first;
    EXPECT_EQ(changed.read(first, rows),
              Matrix((matrix - other).middleRows(first, rows)));
  }
}

/// Pages of [begin, end) that are in memory of this process.
static size_t residentPages(llvm::StringRef bytes) {
  size_t page = llvm::sys::Process::getPageSizeEstimate(), resident = 0;
  int file = open("/proc/self/pagemap", O_RDONLY);
  for (uintptr_t at = uintptr_t(bytes.begin()); at < uintptr_t(bytes.end());
       at += page) {
    uint64_t entry = 0;
    if (pread(file, &entry, 8, at / page * 8) == 8)
      resident += entry >> 63;
  }
  close(file);
  return resident;
}

TEST(Memory, PagesOfAFileAreGivenBackAndComeAgain) {
  llvm::SmallString<128> path;
  int descriptor;
  ASSERT_FALSE(llvm::sys::fs::createTemporaryFile("plmc-mapped", "bin",
                                                  descriptor, path));
  std::string text;
  for (int i = 0; i < 100000; ++i)
    text += std::to_string(i);
  llvm::raw_fd_ostream(descriptor, /*shouldClose=*/true) << text;
  {
    auto read = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
    ASSERT_TRUE(bool(read));
    auto file = shareFile(std::move(*read));
    EXPECT_EQ(file->getBuffer(), text);
    EXPECT_GT(residentPages(file->getBuffer()), 0u);
    releaseMemory();
    EXPECT_EQ(residentPages(file->getBuffer()), 0u);
    EXPECT_EQ(file->getBuffer(), text);
  }
  releaseMemory(); // knows that it is gone
  // What is not mapped is not touched.
  auto copy = shareFile(llvm::MemoryBuffer::getMemBufferCopy(text));
  releaseMemory();
  EXPECT_EQ(copy->getBuffer(), text);
  llvm::sys::fs::remove(path);
}

TEST(Memory, WeightsOfDiscardedModules) {
  mlir::MLIRContext context;
  context.loadDialect<mlir::BuiltinDialect>();
  auto type =
      mlir::RankedTensorType::get({4}, mlir::Float32Type::get(&context));
  auto weight = [&] {
    return mlir::DenseResourceElementsAttr::get(
        type, "w", copiedBlob(llvm::ArrayRef<float>({1, 2, 3, 4})));
  };
  auto moduleOf = [&](mlir::DenseResourceElementsAttr values) {
    mlir::OwningOpRef<mlir::ModuleOp> module =
        mlir::ModuleOp::create(mlir::UnknownLoc::get(&context));
    (*module)->setAttr("test.weights", mlir::ArrayAttr::get(&context, values));
    return module;
  };
  auto bytes = [](mlir::DenseResourceElementsAttr values) {
    return values.getRawHandle().getBlob()->getData().size();
  };
  auto before = weight();
  WeightReclaimer reclaimer(&context);
  auto kept = weight(), discarded = weight();
  auto module = moduleOf(kept);
  moduleOf(discarded);
  reclaimer.freeAllBut(*module);
  EXPECT_EQ(bytes(before), 16u);
  EXPECT_EQ(bytes(kept), 16u);
  EXPECT_EQ(bytes(discarded), 0u);
  reclaimer.freeAllBut({});
  EXPECT_EQ(bytes(before), 16u);
  EXPECT_EQ(bytes(kept), 0u);
}
