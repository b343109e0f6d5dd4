//===- ShapeInputs.cpp - Inputs of a given batch and length ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ShapeInputs.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Driver/Error.h"
#include <random>

using namespace plmc;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

Expected<Shape> plmc::parseShape(StringRef option, StringRef text) {
  Shape shape;
  auto [batch, sequence] = text.split('x');
  if (batch.getAsInteger(10, shape.batch) ||
      sequence.getAsInteger(10, shape.sequence) || shape.batch < 1 ||
      shape.sequence < 1 || shape.batch > (1 << 20) ||
      shape.sequence > (1 << 20))
    return makeError(ExitCode::Usage, option + ": '" + text +
                                          "' is no BATCHxLENGTH such as 8x64");
  return shape;
}

namespace {

/// The symbols of all inputs; the first dimension of an input is the batch, all
/// others are the length.
Expected<std::vector<int64_t>>
inputShape(const TensorSignature &input, Shape shape,
           std::map<std::string, int64_t> &bound) {
  std::vector<int64_t> sizes;
  for (auto [axis, text] : llvm::enumerate(input.dims)) {
    std::optional<DimExpr> dim = DimExpr::parse(text);
    if (!dim)
      return makeError(ExitCode::BadInput, "input '" + input.name +
                                               "' has a malformed dimension '" +
                                               text + "'");
    for (const std::string &symbol : dim->symbols())
      bound.try_emplace(symbol, axis == 0 ? shape.batch : shape.sequence);
    std::optional<int64_t> size = dim->evaluate(bound);
    if (!size || *size < 0)
      return makeError(ExitCode::BadInput, "input '" + input.name +
                                               "': dimension '" + text +
                                               "' has no size");
    sizes.push_back(*size);
  }
  return std::move(sizes);
}

/// ids: random in [0, limit). Masks are all 1, token types all 0, positions
/// count up; told by name, since a library does not say what an input means.
Expected<std::vector<HostTensor>>
makeInputs(const std::vector<TensorSignature> &signatures, Shape shape,
           int64_t limit) {
  std::mt19937_64 random(1);
  std::map<std::string, int64_t> bound;
  std::vector<HostTensor> inputs;
  for (const TensorSignature &signature : signatures) {
    Expected<std::vector<int64_t>> sizes = inputShape(signature, shape, bound);
    if (!sizes)
      return sizes.takeError();
    HostTensor tensor(signature.dtype, *sizes);
    StringRef name = signature.name;
    bool mask = name.contains_insensitive("mask");
    bool type = name.contains_insensitive("type") ||
                name.contains_insensitive("segment");
    bool position = name.contains_insensitive("position");
    int64_t width = sizes->empty() ? 1 : std::max<int64_t>(sizes->back(), 1);
    for (int64_t i = 0, count = tensor.numElements(); i < count; ++i)
      if (isFloat(signature.dtype))
        tensor.setDouble(i, mask ? 1 : double(random() % 2001) / 1000 - 1);
      else
        tensor.setInt(i, mask                    ? 1
                         : type                  ? 0
                         : position && limit > 1 ? i % width
                                                 : int64_t(random() % limit));
    inputs.push_back(std::move(tensor));
  }
  return std::move(inputs);
}

} // namespace

Expected<std::vector<HostTensor>>
plmc::acceptedInputs(LoadedModel &model, LoadedModel::Context &context,
                     Shape shape) {
  // Without knowing the vocabulary: few ids first, then fewer.
  std::string refused;
  for (int64_t limit : {100, 2, 1}) {
    Expected<std::vector<HostTensor>> inputs =
        makeInputs(model.inputs(), shape, limit);
    if (!inputs)
      return inputs.takeError();
    Error error = context.runInPlace(*inputs);
    if (!error)
      return inputs;
    refused = llvm::toString(std::move(error));
  }
  return makeError(ExitCode::BadInput, Twine(shape.batch) + "x" +
                                           Twine(shape.sequence) +
                                           ": the library refused: " + refused);
}

llvm::Error plmc::checkShape(const Twine &option, LoadedModel &model,
                             Shape shape) {
  auto context = model.createContext(/*threads=*/1);
  if (!context)
    return withCode(context.takeError(), ExitCode::Internal);
  auto inputs = acceptedInputs(model, **context, shape);
  if (inputs)
    return llvm::Error::success();
  return makeError(ExitCode::Usage,
                   option + ": " + llvm::toString(inputs.takeError()) +
                       "; name a shape that it takes, @BATCHxLENGTH");
}
