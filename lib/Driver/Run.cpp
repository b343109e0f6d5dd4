//===- Run.cpp - plmc run -------------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Run.h"
#include "Output.h"

using llvm::Error;
using llvm::Expected;
using llvm::StringRef;

namespace plmc {

/// True if every value of `from` is one of `to`, or if NumPy has no other type
/// for it.
static bool widens(DType from, DType to) {
  auto among = [](DType type, std::initializer_list<DType> list) {
    return llvm::is_contained(list, type);
  };
  switch (to) {
  case DType::I64:
    return among(from, {DType::I32, DType::I8, DType::U8, DType::Bool});
  case DType::I32:
    return among(from, {DType::I8, DType::U8, DType::Bool});
  case DType::F64:
    return among(from, {DType::F32, DType::F16, DType::BF16});
  case DType::F32:
    return among(from, {DType::F16, DType::BF16});
  case DType::BF16:
    return among(from, {DType::F32});
  default:
    return false;
  }
}

static HostTensor convert(const HostTensor &tensor, DType to) {
  HostTensor result(to, tensor.shape);
  for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
    if (isFloat(to))
      result.setDouble(i, tensor.getDouble(i));
    else
      result.setInt(i, tensor.getInt(i));
  return result;
}

template <typename Names> static std::string list(const Names &names) {
  std::string text;
  for (const auto &name : names)
    text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

Expected<std::vector<HostTensor>>
orderInputs(const std::vector<TensorSignature> &signatures,
            NamedTensors tensors) {
  std::vector<std::string> wanted, given;
  for (const TensorSignature &signature : signatures)
    wanted.push_back(signature.name);
  for (const auto &[name, tensor] : tensors)
    given.push_back(name);
  for (const std::string &name : given)
    if (!llvm::is_contained(wanted, name))
      return makeError(ExitCode::BadInput, "the model has no input '" + name +
                                               "'; it takes: " + list(wanted));
  std::vector<HostTensor> ordered;
  for (const TensorSignature &signature : signatures) {
    auto it = tensors.find(signature.name);
    if (it == tensors.end())
      return makeError(ExitCode::BadInput,
                       "input '" + signature.name +
                           "' is missing; given are: " + list(given));
    HostTensor &tensor = it->second;
    if (tensor.dtype == signature.dtype)
      ordered.push_back(std::move(tensor));
    else if (widens(tensor.dtype, signature.dtype))
      ordered.push_back(convert(tensor, signature.dtype));
    else
      return makeError(ExitCode::BadInput,
                       "input '" + signature.name + "' is " +
                           dtypeName(tensor.dtype) + ", the model takes " +
                           dtypeName(signature.dtype) +
                           "; convert the array first");
  }
  return std::move(ordered);
}

Error run(const RunOptions &options) {
  if (Error error = checkReadable(options.library))
    return error;
  bool isText = !options.texts.empty();
  if (isText == !options.inputs.empty())
    return makeError(ExitCode::Usage, "give --inputs, or else --text");
  if (!isText)
    if (Error error = checkReadable(options.inputs))
      return error;
  if (Error error = checkWritable("--outputs", options.outputs,
                                  {options.library, options.inputs}))
    return error;
  Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(options.library);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  std::vector<HostTensor> inputs;
  if (!isText) {
    Expected<NamedTensors> tensors = readNpz(options.inputs);
    if (!tensors)
      return withCode(tensors.takeError(), ExitCode::BadInput);
    Expected<std::vector<HostTensor>> ordered =
        orderInputs((*model)->inputs(), std::move(*tensors));
    if (!ordered)
      return ordered.takeError();
    inputs = std::move(*ordered);
  }
  Expected<std::unique_ptr<LoadedModel::Context>> context =
      (*model)->createContext(options.threads);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  Expected<std::vector<HostTensor>> results =
      isText ? (*context)->runText(options.texts) : (*context)->run(inputs);
  if (!results) // the library checks its inputs
    return withCode(results.takeError(), ExitCode::BadInput);
  NamedTensors outputs;
  for (auto [signature, result] :
       llvm::zip_equal((*model)->outputs(), *results))
    outputs[signature.name] = std::move(result);
  return withCode(writeNpz(resolveOutput(options.outputs), outputs),
                  ExitCode::Internal);
}

} // namespace plmc
