//===- MappedFiles.cpp - Files whose pages can be given back --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/MappedFiles.h"
#include "llvm/ADT/SmallPtrSet.h"
#include "llvm/Support/Process.h"
#include <malloc.h>
#include <mutex>
#include <sys/mman.h>

using llvm::MemoryBuffer;

namespace {

struct Mapped {
  std::mutex mutex;
  llvm::SmallPtrSet<const MemoryBuffer *, 8> files;
};

/// Never destroyed: a file may live as long as the process.
Mapped &mapped() {
  static Mapped *all = new Mapped;
  return *all;
}

} // namespace

std::shared_ptr<MemoryBuffer>
plmc::shareFile(std::unique_ptr<MemoryBuffer> file) {
  if (file->getBufferKind() != MemoryBuffer::MemoryBuffer_MMap)
    return file;
  {
    std::lock_guard<std::mutex> lock(mapped().mutex);
    mapped().files.insert(file.get());
  }
  return std::shared_ptr<MemoryBuffer>(
      file.release(), [](const MemoryBuffer *file) {
        {
          std::lock_guard<std::mutex> lock(mapped().mutex);
          mapped().files.erase(file);
        }
        delete file;
      });
}

void plmc::releaseMemory() {
  {
    std::lock_guard<std::mutex> lock(mapped().mutex);
    uintptr_t page = llvm::sys::Process::getPageSizeEstimate();
    for (const MemoryBuffer *file : mapped().files) {
      // The mapping begins on a page; it is not written, so nothing is lost.
      uintptr_t begin = uintptr_t(file->getBufferStart()) & ~(page - 1);
      madvise(reinterpret_cast<void *>(begin),
              uintptr_t(file->getBufferEnd()) - begin, MADV_DONTNEED);
    }
  }
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
