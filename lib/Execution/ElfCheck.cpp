//===- ElfCheck.cpp - Is a library whole? ---------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The loader maps what the program headers say, whether the file is as long or
// not; the first access behind its end is a SIGBUS. A download that broke off
// is such a file.
//
//===----------------------------------------------------------------------===//

#include "ElfCheck.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MemoryBuffer.h"
#include <cstring>

using namespace llvm;
using namespace llvm::ELF;

Error plmc::checkElf(StringRef path, uint64_t fileBytes) {
  auto refuse = [](const Twine &why) {
    return createStringError(why + "; a library made by `plmc compress` is "
                                   "expected");
  };
  auto read = [&](uint64_t offset, void *to, size_t size) {
    auto slice = MemoryBuffer::getFileSlice(path, size, offset);
    if (!slice || (*slice)->getBufferSize() != size)
      return false;
    std::memcpy(to, (*slice)->getBufferStart(), size);
    return true;
  };
  Elf64_Ehdr header;
  if (fileBytes < 4 || !read(0, &header, std::min<uint64_t>(fileBytes, 4)) ||
      std::memcmp(header.e_ident, ElfMagic, 4) != 0)
    return refuse("it is no ELF file");
  if (fileBytes < sizeof(header) || !read(0, &header, sizeof(header)))
    return refuse("it is truncated");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_ident[EI_DATA] != ELFDATA2LSB || header.e_machine != EM_X86_64 ||
      header.e_type != ET_DYN || header.e_phentsize != sizeof(Elf64_Phdr))
    return refuse("it is no shared library for x86-64");
  uint64_t tableBytes = uint64_t(header.e_phnum) * sizeof(Elf64_Phdr);
  if (header.e_phoff > fileBytes || tableBytes > fileBytes - header.e_phoff)
    return refuse("it is truncated");
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    if (!read(header.e_phoff + i * sizeof(segment), &segment, sizeof(segment)))
      return refuse("it is truncated");
    if (segment.p_type == PT_LOAD &&
        (segment.p_offset > fileBytes ||
         segment.p_filesz > fileBytes - segment.p_offset))
      return refuse("it is truncated: it has " + Twine(fileBytes) +
                    " bytes and would need " +
                    Twine(segment.p_offset + segment.p_filesz));
  }
  return Error::success();
}
