//===- Link.h - Objects to a library ----------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_CODEGEN_LINK_H
#define PLMC_LIB_CODEGEN_LINK_H

#include "WeightSection.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace plmc {

/// Links an object to a shared library with LLD, in process, and writes the
/// weights into it. `undefined` are the symbols that libc will provide;
/// anything else that is missing is an error.
llvm::Error linkSharedLibrary(llvm::StringRef object,
                              llvm::ArrayRef<std::string> undefined,
                              WeightSection &weights, llvm::StringRef soname,
                              llvm::StringRef path);
/// Objects to one relocatable object.
llvm::Error linkRelocatable(llvm::ArrayRef<std::string> objects,
                            llvm::StringRef path);
/// `names` are those of the archive's members.
llvm::Error writeArchive(llvm::ArrayRef<std::string> objects,
                         llvm::ArrayRef<llvm::StringRef> names,
                         llvm::StringRef path);

} // namespace plmc

#endif // PLMC_LIB_CODEGEN_LINK_H
