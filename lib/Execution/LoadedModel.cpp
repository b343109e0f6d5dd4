//===- LoadedModel.cpp - Call an emitted library ----------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Execution/LoadedModel.h"
#include "Library.h"
#include <cstring>

using namespace plmc;
using llvm::createStringError;

// A context must outlive nothing that it calls: it holds the library too, so
// that the two may be destroyed in any order.
struct LoadedModel::Impl {
  std::shared_ptr<Library> library;
};

struct LoadedModel::Context::Impl {
  std::shared_ptr<Library> library;
  plm_context *context = nullptr;
  std::vector<plm_tensor> inputs, outputs;

  ~Impl() { library->plmContextDestroy(context); }
  llvm::Error run(llvm::ArrayRef<HostTensor> given);
};

LoadedModel::LoadedModel(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
LoadedModel::~LoadedModel() = default;

llvm::Expected<std::unique_ptr<LoadedModel>>
LoadedModel::open(llvm::StringRef path, bool describeOnly) {
  auto library = Library::open(path, describeOnly);
  if (!library)
    return library.takeError();
  auto impl = std::make_unique<Impl>();
  impl->library = std::move(*library);
  return std::unique_ptr<LoadedModel>(new LoadedModel(std::move(impl)));
}

const std::vector<TensorSignature> &LoadedModel::inputs() const {
  return impl->library->inputs;
}

const std::vector<TensorSignature> &LoadedModel::outputs() const {
  return impl->library->outputs;
}

int64_t LoadedModel::fileBytes() const { return impl->library->fileBytes; }

llvm::StringRef LoadedModel::description() const {
  return impl->library->description;
}

llvm::Expected<std::unique_ptr<LoadedModel::Context>>
LoadedModel::createContext(int threads) {
  auto created = std::make_unique<Context::Impl>();
  created->library = impl->library;
  const Library &library = *impl->library;
  if (library.plmContextCreate(library.model, threads, &created->context) !=
      PLM_OK)
    return createStringError(library.plmLastError(nullptr));
  return std::unique_ptr<Context>(new Context(std::move(created)));
}

LoadedModel::Context::Context(std::unique_ptr<Impl> impl)
    : impl(std::move(impl)) {}
LoadedModel::Context::~Context() = default;

llvm::Error LoadedModel::Context::Impl::run(llvm::ArrayRef<HostTensor> given) {
  inputs.assign(given.size(), plm_tensor{});
  for (size_t i = 0; i < given.size(); ++i) {
    const HostTensor &tensor = given[i];
    if (tensor.rank() > PLM_MAX_RANK)
      return createStringError("input " + llvm::Twine(i) + " has rank " +
                               llvm::Twine(tensor.rank()) + "; at most " +
                               llvm::Twine(PLM_MAX_RANK) + " is possible");
    // The library reads as many bytes as the shape says.
    uint64_t bytes = dtypeSize(tensor.dtype);
    for (int64_t dim : tensor.shape)
      bytes =
          llvm::SaturatingMultiply(bytes, uint64_t(std::max<int64_t>(dim, 0)));
    if (bytes != tensor.data.size())
      return createStringError("input " + llvm::Twine(i) + " holds " +
                               llvm::Twine(tensor.data.size()) +
                               " bytes; its shape needs " + llvm::Twine(bytes));
    plm_tensor &input = inputs[i];
    // An empty vector has no data; the library says better what is wrong.
    static char none[8];
    input.data =
        tensor.data.empty() ? none : const_cast<char *>(tensor.data.data());
    input.dtype = int32_t(tensor.dtype);
    input.rank = int32_t(tensor.rank());
    std::copy(tensor.shape.begin(), tensor.shape.end(), input.shape);
  }
  outputs.assign(library->outputs.size(), plm_tensor{});
  if (library->plmRun(context, inputs.data(), inputs.size(), outputs.data(),
                      outputs.size()) != PLM_OK)
    return createStringError(library->plmLastError(context));
  return llvm::Error::success();
}

llvm::Error
LoadedModel::Context::runInPlace(llvm::ArrayRef<HostTensor> inputs) {
  return impl->run(inputs);
}

llvm::Error
LoadedModel::Context::profile(llvm::MutableArrayRef<uint64_t> ticks) {
  const Library &library = *impl->library;
  if (!library.plmContextProfile)
    return createStringError("the library was made before there were profiles: "
                             "compress the model again");
  if (library.plmContextProfile(impl->context, ticks.data(), ticks.size()) !=
      PLM_OK)
    return createStringError(library.plmLastError(impl->context));
  return llvm::Error::success();
}

static std::vector<HostTensor>
copyOutputs(const std::vector<plm_tensor> &outputs) {
  std::vector<HostTensor> results;
  for (const plm_tensor &output : outputs) {
    HostTensor &result = results.emplace_back(
        DType(output.dtype), llvm::ArrayRef(output.shape, output.rank));
    if (!result.data.empty())
      std::memcpy(result.data.data(), output.data, result.data.size());
  }
  return results;
}

llvm::Expected<std::vector<HostTensor>>
LoadedModel::Context::run(llvm::ArrayRef<HostTensor> inputs) {
  if (llvm::Error error = impl->run(inputs))
    return std::move(error);
  return copyOutputs(impl->outputs);
}

llvm::Expected<std::vector<HostTensor>>
LoadedModel::Context::runText(llvm::ArrayRef<std::string> texts) {
  const Library &library = *impl->library;
  if (!library.plmRunText)
    return createStringError("the library was made before there were "
                             "tokenizers: compress the model again");
  std::vector<const char *> pointers;
  std::vector<size_t> lengths;
  for (const std::string &text : texts) {
    pointers.push_back(text.data());
    lengths.push_back(text.size());
  }
  plm_texts given = {pointers.data(), lengths.data(),  nullptr,
                     nullptr,         pointers.size(), 0};
  impl->outputs.assign(library.outputs.size(), plm_tensor{});
  if (library.plmRunText(impl->context, &given, impl->outputs.data(),
                         impl->outputs.size()) != PLM_OK)
    return createStringError(library.plmLastError(impl->context));
  return copyOutputs(impl->outputs);
}
