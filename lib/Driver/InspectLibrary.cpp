//===- InspectLibrary.cpp - plmc inspect of a library ---------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InspectLibrary.h"
#include "Output.h"
#include "plmc/Execution/LoadedModel.h"
#include "plmc/Report/Table.h"
#include <nlohmann/json.hpp>

using llvm::Error;
using llvm::StringRef;
using Json = nlohmann::ordered_json;

namespace plmc {

std::string shapeText(StringRef type, const std::vector<std::string> &dims) {
  std::string text = type.str() + " [";
  for (auto [index, dim] : llvm::enumerate(dims))
    text += (index ? ", " : "") + dim;
  return text + "]";
}

namespace {

std::string scalarText(const Json &value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

void printSignatures(const std::vector<TensorSignature> &signatures,
                     llvm::raw_ostream &os) {
  Table table({false, false, false});
  for (const TensorSignature &signature : signatures) {
    table.addRow({signature.name,
                  shapeText(dtypeName(signature.dtype), signature.dims),
                  signature.zeroAtPadding ? "0 at padding" : ""});
  }
  table.print(os, 2);
}

} // namespace

Error inspectLibrary(StringRef path, bool json, llvm::raw_ostream &out) {
  llvm::Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(path, /*describeOnly=*/true);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  StringRef text = (*model)->description();
  Json description = Json::parse(text.begin(), text.end(), nullptr,
                                 /*allow_exceptions=*/false);
  if (json) {
    if (description.is_discarded())
      out << text << "\n";
    else
      out << description.dump(2, ' ', false, Json::error_handler_t::replace)
          << "\n";
    return Error::success();
  }
  out << "library  " << path << " (" << formatBytes(fileBytes(path)) << ")\n";
  out << "inputs\n";
  printSignatures((*model)->inputs(), out);
  out << "outputs\n";
  printSignatures((*model)->outputs(), out);
  if (!description.is_object())
    return Error::success();
  Table rest({false, false});
  for (auto &[key, value] : description.items())
    if (!value.is_structured())
      rest.addRow({key, scalarText(value)});
  if (auto build = description.find("build");
      build != description.end() && build->is_object())
    for (auto &[key, value] : build->items())
      rest.addRow({"build." + key, scalarText(value)});
  rest.print(out);
  return Error::success();
}

} // namespace plmc
