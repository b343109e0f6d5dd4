//===- Link.cpp - Objects to a library --------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The user's machine needs no compiler, no linker and no libc headers: LLD is
// part of plmc, and libc.so.6 is stood in for by an interface stub that has
// just the names we use. The library then says DT_NEEDED libc.so.6, and a name
// that libc lacks is an error here and not when the library is loaded.
//
// The linker lays out .plm.weights, a read-only section of the right size that
// a linker script fills with nothing; the weights are then written into that
// gap of the file. As an input object they would be mapped twice more, and
// linking would take three times the model's memory. The section comes first:
// code and what it refers to by 32-bit distances (.rodata, .got, unwind tables)
// stay together behind it, however many gigabytes it has. The weights
// themselves are only reached through a pointer (ModelTables.cpp).
//
//===----------------------------------------------------------------------===//

#include "Link.h"
#include "lld/Common/Driver.h"
#include "plmc/Support/DelaySignals.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/InterfaceStub/ELFObjHandler.h"
#include "llvm/InterfaceStub/IFSStub.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <set>

LLD_HAS_DRIVER(elf)

using namespace plmc;

static llvm::Error runLLD(llvm::ArrayRef<std::string> arguments) {
  static bool usable = true;
  if (!usable)
    return llvm::createStringError("internal: the linker cannot run again");
  std::vector<const char *> argv{"ld.lld"};
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string output;
  llvm::raw_string_ostream stream(output);
  DelaySignals delay;
  lld::Result result =
      lld::lldMain(argv, stream, stream, {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode == 0)
    return llvm::Error::success();
  llvm::StringRef first = llvm::StringRef(output).split('\n').first;
  return llvm::createStringError("linking failed: " + first);
}

/// lld and the writer of stubs map what they write: a disk that gets full would
/// end the process with SIGBUS. (--no-mmap-output-file of lld 22 maps, too.)
static llvm::Error checkSpace(llvm::StringRef path,
                              llvm::ArrayRef<std::string> objects,
                              uint64_t more = 0) {
  llvm::StringRef folder = llvm::sys::path::parent_path(path);
  auto space = llvm::sys::fs::disk_space(folder.empty() ? "." : folder);
  if (!space)
    return llvm::Error::success();      // writing will tell
  uint64_t needed = more + (128 << 10); // tables, padding, other files
  for (const std::string &object : objects) {
    uint64_t bytes = 0;
    if (!llvm::sys::fs::file_size(object, bytes))
      needed += bytes;
  }
  if (space->available >= needed)
    return llvm::Error::success();
  std::error_code code = std::make_error_code(std::errc::no_space_on_device);
  return llvm::createStringError(code, "cannot write " + path + ": " +
                                           code.message());
}

/// What the emitted code may take from libc: names that every glibc since 2.34
/// (and the dynamic loader with it) has.
static bool isLibcSymbol(llvm::StringRef name) {
  static const llvm::StringRef names[] = {
      "memcpy",         "memset",           "memmove",     "malloc",
      "free",           "calloc",           "realloc",     "aligned_alloc",
      "posix_memalign", "syscall",          "sched_yield", "sched_getaffinity",
      "vsnprintf",      "snprintf",         "strlen",      "memcmp",
      "strcmp",         "sysconf",          "getpid",      "getenv",
      "__tls_get_addr", "__errno_location", "abort"};
  return llvm::is_contained(names, name) || name.starts_with("pthread_");
}

/// Where the file holds .plm.weights.
static llvm::Expected<uint64_t> weightsOffset(llvm::StringRef path) {
  auto file = llvm::object::ObjectFile::createObjectFile(path);
  if (!file)
    return file.takeError();
  auto *elf =
      llvm::dyn_cast<llvm::object::ELF64LEObjectFile>(file->getBinary());
  if (elf)
    for (const auto &section : elf->sections()) {
      auto name = section.getName();
      if (!name)
        llvm::consumeError(name.takeError());
      else if (*name == ".plm.weights")
        return elf->getSection(section.getRawDataRefImpl())->sh_offset;
    }
  return llvm::createStringError("internal: the library has no weights");
}

static llvm::Error writeFile(llvm::StringRef path, llvm::StringRef text) {
  std::error_code ec;
  llvm::raw_fd_ostream os(path, ec, llvm::sys::fs::OF_None);
  if (!ec) {
    os << text;
    os.close();
    ec = os.error();
    os.clear_error();
  }
  if (ec)
    return llvm::createStringError(ec, "cannot write " + path + ": " +
                                           ec.message());
  return llvm::Error::success();
}

static llvm::Error writeWeights(WeightSection &weights, llvm::StringRef path) {
  auto offset = weightsOffset(path);
  if (!offset)
    return offset.takeError();
  int fd;
  std::error_code ec = llvm::sys::fs::openFileForReadWrite(
      path, fd, llvm::sys::fs::CD_OpenExisting, llvm::sys::fs::OF_None);
  if (!ec) {
    llvm::raw_fd_ostream os(fd, /*shouldClose=*/true);
    os.seek(*offset);
    if (llvm::Error error = weights.writeContents(os)) {
      os.clear_error();
      return error;
    }
    os.close();
    ec = os.error();
    os.clear_error();
  }
  if (ec)
    return llvm::createStringError(ec, "cannot write " + path + ": " +
                                           ec.message());
  return llvm::Error::success();
}

llvm::Error plmc::linkSharedLibrary(llvm::StringRef object,
                                    llvm::ArrayRef<std::string> undefined,
                                    WeightSection &weights,
                                    llvm::StringRef soname,
                                    llvm::StringRef path) {
  if (llvm::Error error = checkSpace(path, object.str(), weights.size()))
    return error;
  llvm::ifs::IFSStub stub;
  stub.SoName = "libc.so.6";
  stub.Target.ArchString = "x86_64";
  stub.Target.Arch = static_cast<llvm::ifs::IFSArch>(llvm::ELF::EM_X86_64);
  stub.Target.BitWidth = llvm::ifs::IFSBitWidthType::IFS64;
  stub.Target.Endianness = llvm::ifs::IFSEndiannessType::Little;
  // What instruction selection may call without a declaration in the module.
  std::set<std::string> names(undefined.begin(), undefined.end());
  names.insert({"__tls_get_addr", "memcpy", "memmove", "memset"});
  for (const std::string &name : names) {
    if (!isLibcSymbol(name))
      return llvm::createStringError(
          "internal: generated code calls '" + name +
          "', which libc does not have; please report this model");
    llvm::ifs::IFSSymbol symbol(name);
    symbol.Type = llvm::ifs::IFSSymbolType::Func;
    stub.Symbols.push_back(symbol);
  }
  TemporaryFile stubFile(path + ".libc.so"), scriptFile(path + ".ld");
  {
    DelaySignals delay;
    if (llvm::Error error = llvm::ifs::writeBinaryStub(stubFile.path, stub))
      return error;
  }
  std::string script = llvm::formatv(
      "SECTIONS {{ .plm.weights (TYPE=SHT_PROGBITS) : ALIGN(4096) {{ "
      "HIDDEN(plm_weights = .); . += {0}; } } INSERT BEFORE .dynsym;\n",
      weights.size());
  if (llvm::Error error = writeFile(scriptFile.path, script))
    return error;
  // No build id: it would be a hash of the gap.
  std::vector<std::string> arguments{"-shared",
                                     "-Bsymbolic",
                                     "--hash-style=gnu",
                                     "-z",
                                     "defs",
                                     "-z",
                                     "relro",
                                     "-z",
                                     "now",
                                     "-z",
                                     "noexecstack",
                                     "--no-as-needed",
                                     "-T",
                                     scriptFile.path,
                                     "-soname",
                                     soname.str(),
                                     "-o",
                                     path.str(),
                                     object.str(),
                                     stubFile.path};
  if (llvm::Error error = runLLD(arguments))
    return error;
  return writeWeights(weights, path);
}

llvm::Error plmc::linkRelocatable(llvm::ArrayRef<std::string> objects,
                                  llvm::StringRef path) {
  if (llvm::Error error = checkSpace(path, objects))
    return error;
  std::vector<std::string> arguments{"-r", "-o", path.str()};
  arguments.insert(arguments.end(), objects.begin(), objects.end());
  return runLLD(arguments);
}

llvm::Error plmc::writeArchive(llvm::ArrayRef<std::string> objects,
                               llvm::ArrayRef<llvm::StringRef> names,
                               llvm::StringRef path) {
  std::vector<llvm::NewArchiveMember> members;
  for (auto [object, name] : llvm::zip_equal(objects, names)) {
    auto member =
        llvm::NewArchiveMember::getFile(object, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    member->MemberName = name;
    members.push_back(std::move(*member));
  }
  // Not llvm::writeArchive, whose own temporary file outlives a signal.
  std::error_code ec;
  llvm::raw_fd_ostream os(path, ec, llvm::sys::fs::OF_None);
  if (!ec) {
    llvm::Error error = llvm::writeArchiveToStream(
        os, members, llvm::SymtabWritingMode::NormalSymtab,
        llvm::object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
    os.close();
    ec = os.error();
    os.clear_error(); // or the destructor would end the process
    if (error)
      return error;
  }
  if (ec)
    return llvm::createStringError(ec, "cannot write " + path + ": " +
                                           ec.message());
  return llvm::Error::success();
}
