//===- LoadedModel.h - Call an emitted library ------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_EXECUTION_LOADEDMODEL_H
#define PLMC_EXECUTION_LOADEDMODEL_H

#include "plmc/Support/HostTensor.h"
#include "llvm/Support/Error.h"
#include <memory>
#include <string>
#include <vector>

namespace plmc {

/// One input or output as the library describes it. A dimension is either
/// fixed ("384") or an expression over symbols ("batch").
struct TensorSignature {
  std::string name;
  DType dtype;
  std::vector<std::string> dims;
  /// Outputs: token-level, so positions that the mask marks as padding are 0.
  bool zeroAtPadding = false;
};

/// A library opened through its C ABI (include/plm/model.h).
class LoadedModel {
public:
  /// With `describeOnly` the library may be for another CPU than this one; it
  /// then gives its signature and description, and no contexts.
  static llvm::Expected<std::unique_ptr<LoadedModel>>
  open(llvm::StringRef path, bool describeOnly = false);
  ~LoadedModel();

  const std::vector<TensorSignature> &inputs() const;
  const std::vector<TensorSignature> &outputs() const;
  int64_t fileBytes() const;
  /// The JSON of plm_describe.
  llvm::StringRef description() const;

  class Context {
  public:
    ~Context();
    /// Inputs in the model's order. The library's own message on failure.
    llvm::Expected<std::vector<HostTensor>>
    run(llvm::ArrayRef<HostTensor> inputs);
    /// The same without copying the outputs out, for timing.
    llvm::Error runInPlace(llvm::ArrayRef<HostTensor> inputs);
    /// One sequence a text (plm_run_text).
    llvm::Expected<std::vector<HostTensor>>
    runText(llvm::ArrayRef<std::string> texts);
    /// From now on, runs add up what each of the model's steps takes:
    /// plm_context_profile.
    llvm::Error profile(llvm::MutableArrayRef<uint64_t> ticks);

  private:
    friend class LoadedModel;
    struct Impl;
    std::unique_ptr<Impl> impl;
    explicit Context(std::unique_ptr<Impl> impl);
  };
  /// threads = 0: one per available CPU.
  llvm::Expected<std::unique_ptr<Context>> createContext(int threads);

private:
  struct Impl;
  std::unique_ptr<Impl> impl;
  explicit LoadedModel(std::unique_ptr<Impl> impl);
};

} // namespace plmc

#endif // PLMC_EXECUTION_LOADEDMODEL_H
