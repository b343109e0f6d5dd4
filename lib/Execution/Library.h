//===- Library.h - The functions of an emitted library ----------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_LIB_EXECUTION_LIBRARY_H
#define PLMC_LIB_EXECUTION_LIBRARY_H

#include "plm/model.h"
#include "plmc/Execution/LoadedModel.h"

namespace plmc {

/// A library that was opened by dlopen, its functions, and what it says about
/// itself. Closed when the last owner goes.
class Library {
public:
  /// Errors, one line each, for a file that is no library, one that plmc did
  /// not emit, another ABI version, another CPU, a malformed description.
  static llvm::Expected<std::shared_ptr<Library>> open(llvm::StringRef path,
                                                       bool describeOnly);
  ~Library();
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;

  const plm_model *model = nullptr;
  std::vector<TensorSignature> inputs, outputs;
  llvm::StringRef description;
  int64_t fileBytes = 0;

  decltype(&plm_abi_version) plmAbiVersion = nullptr;
  decltype(&plm_open) plmOpen = nullptr;
  decltype(&plm_describe) plmDescribe = nullptr;
  decltype(&plm_context_create) plmContextCreate = nullptr;
  decltype(&plm_context_destroy) plmContextDestroy = nullptr;
  decltype(&plm_run) plmRun = nullptr;
  /// Null in libraries that are older than they are.
  decltype(&plm_context_profile) plmContextProfile = nullptr;
  decltype(&plm_run_text) plmRunText = nullptr;
  decltype(&plm_last_error) plmLastError = nullptr;

private:
  explicit Library(void *handle) : handle(handle) {}
  llvm::Error bind(bool describeOnly);
  llvm::Error parseDescription();
  void *handle;
};

} // namespace plmc

#endif // PLMC_LIB_EXECUTION_LIBRARY_H
