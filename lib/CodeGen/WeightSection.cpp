//===- WeightSection.cpp - The weights of an emitted library ----*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Weights never pass through LLVM: its assembler would hold 435 MB twice. They
// are packed one by one and written where they belong: for a shared library
// into the gap that the linker has left for them (Link.cpp), for .o and .a into
// an object file that is written by hand.
//
//===----------------------------------------------------------------------===//

#include "WeightSection.h"
#include "PackPanels.h"
#include "plmc/Dialect/PLK/CodePlanes.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace plmc;

static constexpr int64_t alignment = 64;

llvm::Expected<int64_t> WeightSection::add(Operation *op, int64_t bytes) {
  auto [it, inserted] = offsets.try_emplace(op, total);
  if (inserted) {
    entries.push_back({op, total, bytes});
    total += llvm::alignTo(bytes, alignment);
  }
  return it->second;
}

llvm::Expected<int64_t> WeightSection::offsetOf(StringRef symbol) {
  Operation *op = symbols.lookup(symbol);
  if (auto weight = dyn_cast_if_present<plk::WeightOp>(op))
    return add(op, weight.getStoredBytes());
  if (auto parameter = dyn_cast_if_present<plm::ParameterOp>(op)) {
    RankedTensorType type = parameter.getTensorType();
    return add(op, type.getNumElements() *
                       std::max<int64_t>(1, type.getElementTypeBitWidth() / 8));
  }
  return llvm::createStringError("there is no weight @" + symbol);
}

llvm::Expected<int64_t> WeightSection::offsetOf(plm::ConstantOp constant) {
  RankedTensorType type = constant.getType();
  return add(constant,
             type.getNumElements() *
                 std::max<int64_t>(1, type.getElementTypeBitWidth() / 8));
}

int64_t WeightSection::offsetOf(ArrayRef<char> bytes) {
  int64_t offset = total;
  entries.push_back({nullptr, offset, int64_t(bytes.size()), bytes.data()});
  total += llvm::alignTo(bytes.size(), alignment);
  return offset;
}

namespace {
/// The bytes of a parameter: where they lie, unaligned, in the model file; or
/// a copy, if the attribute has another form (a splat).
struct Source {
  ArrayRef<char> bytes;
  HostTensor copy;
};
} // namespace

static llvm::Expected<Source> readSource(plm::ParameterOp parameter) {
  Source source;
  if (std::optional<ArrayRef<char>> bytes = parameter.getBytes()) {
    source.bytes = *bytes;
  } else {
    auto tensor = tensorFromAttr(parameter.getValue());
    if (!tensor)
      return llvm::joinErrors(
          llvm::createStringError(
              "parameter @" + parameter.getSymName() +
              " has no value; if the IR was printed with its weights elided, "
              "print it with --elide-weights=false"),
          tensor.takeError());
    source.copy = std::move(*tensor);
    source.bytes = source.copy.data;
  }
  RankedTensorType type = parameter.getTensorType();
  int64_t expected = type.getNumElements() *
                     std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
  if (int64_t(source.bytes.size()) != expected)
    return llvm::createStringError("parameter @" + parameter.getSymName() +
                                   " has " + Twine(source.bytes.size()) +
                                   " bytes, expected " + Twine(expected));
  return std::move(source);
}

llvm::Error WeightSection::writePanels(raw_ostream &os, plk::WeightOp weight) {
  PanelPacker packer(weight);
  for (auto [source, transposed] :
       llvm::zip(weight.getSources(), weight.getTransposed())) {
    auto parameter = symbols.lookup<plm::ParameterOp>(
        cast<FlatSymbolRefAttr>(source).getValue());
    if (!parameter)
      return llvm::createStringError("there is no parameter for @" +
                                     weight.getSymName());
    auto read = readSource(parameter);
    if (!read)
      return read.takeError();
    packer.add({read->bytes,
                parameter.getTensorType().getDimSize(transposed ? 0 : 1),
                transposed});
  }
  os.write(packer.bytes().data(), packer.bytes().size());
  return llvm::Error::success();
}

/// The rows of a table of `bits`-bit values, which have been checked.
static void writeCodes(raw_ostream &os, ArrayRef<char> values, int64_t width,
                       int64_t bits) {
  std::vector<char> row(plk::codeRowBytes(width, bits));
  int least = -(1 << (bits - 1));
  for (size_t begin = 0; begin < values.size(); begin += width) {
    std::fill(row.begin(), row.end(), 0);
    char *at = row.data();
    for (const plk::CodePlane &plane : plk::codePlanes(bits)) {
      int mask = (1 << plane.bits) - 1;
      for (int64_t i = 0; i < width; ++i) {
        int64_t chunk = i / plane.chunkSize(), place = i % plane.chunkSize();
        int part = ((values[begin + i] - least) >> plane.shift) & mask;
        at[chunk * plk::CodePlane::chunkBytes +
           place % plk::CodePlane::chunkBytes] |=
            static_cast<char>(part << place / plk::CodePlane::chunkBytes *
                                          plane.bits);
      }
      at += plane.bytes(width);
    }
    os.write(row.data(), row.size());
  }
}

llvm::Error WeightSection::write(raw_ostream &os, const Entry &entry) {
  if (entry.data) {
    os.write(entry.data, entry.bytes);
    return llvm::Error::success();
  }
  if (auto weight = dyn_cast<plk::WeightOp>(entry.op)) {
    if (weight.getPanel())
      return writePanels(os, weight);
    for (Attribute source : weight.getSources()) {
      auto parameter = symbols.lookup<plm::ParameterOp>(
          cast<FlatSymbolRefAttr>(source).getValue());
      if (!parameter)
        return llvm::createStringError("there is no parameter for @" +
                                       weight.getSymName());
      auto read = readSource(parameter);
      if (!read)
        return read.takeError();
      if (weight.getBits() <= 4)
        writeCodes(os, read->bytes, weight.getShape().back(), weight.getBits());
      else
        os.write(read->bytes.data(), read->bytes.size());
    }
    return llvm::Error::success();
  }
  if (auto parameter = dyn_cast<plm::ParameterOp>(entry.op)) {
    auto read = readSource(parameter);
    if (!read)
      return read.takeError();
    os.write(read->bytes.data(), read->bytes.size());
    return llvm::Error::success();
  }
  auto tensor = tensorFromAttr(cast<plm::ConstantOp>(entry.op).getValue());
  if (!tensor)
    return tensor.takeError();
  os.write(tensor->data.data(), tensor->data.size());
  return llvm::Error::success();
}

llvm::Error WeightSection::writeContents(llvm::raw_pwrite_stream &os) {
  int64_t written = 0;
  for (const Entry &entry : entries) {
    os.write_zeros(entry.offset - written);
    uint64_t before = os.tell();
    if (llvm::Error failure = write(os, entry))
      return failure;
    if (int64_t(os.tell() - before) != entry.bytes)
      return llvm::createStringError("internal: a weight has another size "
                                     "than planned");
    written = entry.offset + entry.bytes;
  }
  os.write_zeros(size() - written);
  return llvm::Error::success();
}

llvm::Error WeightSection::writeObject(StringRef path) {
  using namespace llvm::ELF;
  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::OF_None);
  if (error)
    return llvm::createStringError(error, "cannot write " + path + ": " +
                                              error.message());
  constexpr int64_t page = 4096;
  os.write_zeros(page); // the header comes last, when offsets are known
  if (llvm::Error failure = writeContents(os))
    return failure;
  int64_t sectionSize = size();

  const StringRef names("\0.plm.weights\0.symtab\0.strtab\0.note.GNU-stack\0",
                        46);
  const StringRef strings("\0plm_weights\0", 13);
  auto nameOffset = [&](StringRef name) {
    return static_cast<Elf64_Word>(names.find(name));
  };
  Elf64_Sym symtab[2] = {};
  symtab[1].st_name = 1;
  symtab[1].setBindingAndType(STB_GLOBAL, STT_OBJECT);
  symtab[1].st_other = STV_HIDDEN;
  symtab[1].st_shndx = 1;
  symtab[1].st_size = sectionSize;

  uint64_t symtabAt = os.tell();
  os.write(reinterpret_cast<const char *>(symtab), sizeof(symtab));
  uint64_t stringsAt = os.tell();
  os << strings;
  uint64_t namesAt = os.tell();
  os << names;
  os.write_zeros(llvm::offsetToAlignment(os.tell(), llvm::Align(8)));
  uint64_t headersAt = os.tell();

  Elf64_Shdr headers[6] = {};
  headers[1].sh_name = nameOffset(".plm.weights");
  headers[1].sh_type = SHT_PROGBITS;
  headers[1].sh_flags = SHF_ALLOC;
  // The user's linker then keeps it from between code and data, whose 32-bit
  // distances it would overflow.
  if (sectionSize > (int64_t(1) << 30))
    headers[1].sh_flags |= SHF_X86_64_LARGE;
  headers[1].sh_offset = page;
  headers[1].sh_size = sectionSize;
  headers[1].sh_addralign = page;
  headers[2].sh_name = nameOffset(".symtab");
  headers[2].sh_type = SHT_SYMTAB;
  headers[2].sh_offset = symtabAt;
  headers[2].sh_size = sizeof(symtab);
  headers[2].sh_link = 3;
  headers[2].sh_info = 1; // first global symbol
  headers[2].sh_entsize = sizeof(Elf64_Sym);
  headers[2].sh_addralign = 8;
  headers[3].sh_name = nameOffset(".strtab");
  headers[3].sh_type = SHT_STRTAB;
  headers[3].sh_offset = stringsAt;
  headers[3].sh_size = strings.size();
  headers[3].sh_addralign = 1;
  headers[4].sh_name = nameOffset(".strtab"); // section names
  headers[4].sh_type = SHT_STRTAB;
  headers[4].sh_offset = namesAt;
  headers[4].sh_size = names.size();
  headers[4].sh_addralign = 1;
  headers[5].sh_name = nameOffset(".note.GNU-stack");
  headers[5].sh_type = SHT_PROGBITS;
  headers[5].sh_offset = namesAt;
  headers[5].sh_addralign = 1;
  os.write(reinterpret_cast<const char *>(headers), sizeof(headers));

  Elf64_Ehdr header = {};
  std::memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_shoff = headersAt;
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = 6;
  header.e_shstrndx = 4;
  os.seek(0);
  os.write(reinterpret_cast<const char *>(&header), sizeof(header));
  os.close();
  if (os.has_error()) {
    std::error_code failure = os.error();
    os.clear_error();
    return llvm::createStringError(failure, "cannot write " + path + ": " +
                                                failure.message());
  }
  return llvm::Error::success();
}
