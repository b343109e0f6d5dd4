//===- CompressChecks.cpp - What plmc compress refuses --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompressChecks.h"
#include "Import.h"
#include "Pipeline.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using llvm::Error;

namespace plmc {

Error checkCompressOptions(const CompressOptions &options,
                           OutputFormat &format) {
  bool onlyPrints = (options.printPipeline || !options.printRecipe.empty()) &&
                    options.output.empty();
  if (!onlyPrints)
    if (Error error = checkWritable("-o", options.output, {options.input}))
      return error;
  if (!options.output.empty() || !options.emit.empty()) {
    llvm::Expected<OutputFormat> chosen =
        chooseFormat(options.emit, options.output);
    if (!chosen)
      return chosen.takeError();
    format = *chosen;
  }
  if (options.target != "x86")
    return makeError(ExitCode::Usage,
                     "--target=" + options.target + ": known is x86");
  if (Error error = checkCpuName(options.cpu))
    return makeError(ExitCode::Usage, llvm::toString(std::move(error)));
  if (options.verifyCases && format != OutputFormat::SharedLibrary &&
      format != OutputFormat::ONNX)
    return makeError(ExitCode::Usage,
                     "--verify runs what was written: emit .so or .onnx");
  if (onlyPrints)
    return Error::success();
  if (Error error = checkModelPath(options.input))
    return error;
  std::vector<std::string> named{options.input, options.output};
  auto check = [&](StringRef option, const std::string &path) -> Error {
    if (path.empty() || path == "-")
      return Error::success();
    Error error = checkWritable(option, path, named);
    named.push_back(path);
    return error;
  };
  if (Error error = check("--print-recipe", options.printRecipe))
    return error;
  for (const std::string &path : options.reportPaths)
    if (Error error = check("--report", path))
      return error;
  if (Error error = check("--resume", options.resumePath))
    return error;
  return check("--pareto", options.paretoPath);
}

Error checkWeights(ModuleOp module, const CompressOptions &options,
                   OutputFormat format) {
  if (format == OutputFormat::MLIR || options.output.empty())
    return Error::success();
  for (auto parameter : module.getOps<plm::ParameterOp>())
    if (isa<DenseResourceElementsAttr>(parameter.getValue()) &&
        !parameter.getBytes())
      return makeError(ExitCode::BadInput,
                       options.input + ": parameter @" +
                           parameter.getSymName() +
                           " has no value; print the IR with its weights: "
                           "--elide-weights=false");
  return Error::success();
}

Error checkOutputNames(ModuleOp module, const CompressOptions &options) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  llvm::StringSet<> known;
  std::string list;
  for (unsigned i = 0; i < func.getNumResults(); ++i) {
    std::string name = outputName(func, i);
    known.insert(name);
    list += (list.empty() ? "" : ", ") + name;
  }
  for (const std::string &name : options.outputs)
    if (!known.contains(name))
      return makeError(ExitCode::Usage, "--outputs: the model has no output '" +
                                            name + "'; it has: " + list);
  return Error::success();
}

Error checkSize(ModuleOp module, int64_t operations,
                const CompressOptions &options, OutputFormat format) {
  if (format == OutputFormat::MLIR || format == OutputFormat::ONNX)
    return Error::success();
  auto check = [&](int64_t number, int64_t most, const Twine &what,
                   const Twine &remedy) -> Error {
    if (number <= most)
      return Error::success();
    return makeError(ExitCode::Unsupported,
                     options.input + ": the model has " + Twine(number) + what +
                         ", a library can have " + Twine(most) + "; " + remedy);
  };
  // An operation costs 2 ms and 20 KB. An encoder layer has 8, and 100 if
  // nothing of it is recognised.
  if (Error error = check(operations, 1 << 13, " operations after all passes",
                          "export fewer layers, or emit .mlir or .onnx"))
    return error;
  llvm::Expected<func::FuncOp> func = forwardFunction(module);
  if (!func)
    return func.takeError();
  if (Error error =
          check(func->getNumArguments() + func->getNumResults(), 1024,
                " inputs and outputs", "keep fewer outputs (--outputs)"))
    return error;
  // The importer splits longer ones.
  int64_t longest = 0;
  module.walk([&](plm::ConcatOp op) {
    longest = std::max<int64_t>(longest, op->getNumOperands());
  });
  return check(longest, 256, " operands in one plm.concat",
               "concatenate in several steps");
}

} // namespace plmc
