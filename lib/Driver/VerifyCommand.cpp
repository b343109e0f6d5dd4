//===- VerifyCommand.cpp - What is verified, and how it is told -----------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ChooseRecipe.h"
#include "Import.h"
#include "Pipeline.h"
#include "plmc/Driver/Verify.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Report/Table.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {

//===----------------------------------------------------------------------===//
// Candidates
//===----------------------------------------------------------------------===//

Expected<Candidate> libraryCandidate(StringRef path, int threads) {
  if (Error error = checkReadable(path))
    return error;
  Expected<std::unique_ptr<LoadedModel>> opened = LoadedModel::open(path);
  if (!opened)
    return withCode(opened.takeError(), ExitCode::BadInput);
  std::shared_ptr<LoadedModel> model = std::move(*opened);
  Expected<std::unique_ptr<LoadedModel::Context>> created =
      model->createContext(threads);
  if (!created)
    return withCode(created.takeError(), ExitCode::Internal);
  std::shared_ptr<LoadedModel::Context> context = std::move(*created);
  Candidate candidate;
  candidate.inputs = model->inputs();
  candidate.outputs = model->outputs();
  // The context goes before the library that its code lies in.
  candidate.run = [model, context](ArrayRef<HostTensor> inputs) {
    return context->run(inputs);
  };
  return candidate;
}

Expected<Candidate> modelCandidate(ModuleOp module) {
  Expected<func::FuncOp> func = forwardFunction(module);
  if (!func)
    return func.takeError();
  Candidate candidate;
  for (BlockArgument argument : func->getArguments()) {
    auto type = cast<RankedTensorType>(argument.getType());
    TensorSignature signature;
    signature.name = inputName(*func, argument.getArgNumber());
    signature.dtype = dtypeFromMLIR(type.getElementType()).value_or(DType::F32);
    candidate.inputs.push_back(std::move(signature));
  }
  for (auto [index, type] : llvm::enumerate(func->getResultTypes())) {
    TensorSignature signature;
    signature.name = outputName(*func, index);
    signature.dtype =
        dtypeFromMLIR(cast<RankedTensorType>(type).getElementType())
            .value_or(DType::F32);
    candidate.outputs.push_back(std::move(signature));
  }
  candidate.run = [func = *func](ArrayRef<HostTensor> inputs) {
    return interpret(func, inputs);
  };
  return candidate;
}

//===----------------------------------------------------------------------===//
// The command
//===----------------------------------------------------------------------===//

void printTable(const VerifyResult &result, llvm::raw_ostream &os) {
  Table table({false, false, false, true, true, true, false});
  table.addRow(
      {"shape", "mask", "output", "max error", "scale", "relative", ""});
  for (const VerifyRow &row : result.rows)
    table.addRow(
        {std::to_string(row.batch) + "x" + std::to_string(row.sequence),
         row.mask, row.output, formatNumber(row.maxError),
         formatNumber(row.scale),
         formatNumber(row.scale > 0 ? row.maxError / row.scale : 0),
         row.problem.empty() ? "ok" : row.problem});
  table.print(os);
  os << (result.summary.passed ? "verified: " : "FAILED: ")
     << result.summary.cases << " cases, max error "
     << formatNumber(result.summary.maxError)
     << " of the output's scale (allowed "
     << formatNumber(result.summary.tolerance) << ")\n";
}

/// Repeats on the model what the library's build record says was changed in it:
/// a library in int8 is to compute what int8 means, not what f32 gives.
static Error repeatCompression(StringRef library, StringRef recipePath,
                               ModuleOp module) {
  Expected<std::unique_ptr<LoadedModel>> model =
      LoadedModel::open(library, /*describeOnly=*/true);
  if (!model)
    return withCode(model.takeError(), ExitCode::BadInput);
  auto json = nlohmann::json::parse((*model)->description().str(), nullptr,
                                    /*allow_exceptions=*/false);
  if (!json.is_object() || !json["build"].is_object())
    return Error::success();
  // A library of before recipes, or of another compiler.
  if (!json["build"].contains("recipe"))
    return Error::success();
  registerPassesOnce();
  std::string title = "the build record of '" + library.str() + "'";
  Expected<Recipe> recipe =
      recipePath.empty() ? parseRecipe(json["build"]["recipe"].dump(), title)
                         : readRecipe(recipePath);
  if (!recipe)
    return withCode(recipe.takeError(), ExitCode::BadInput);
  if (recipe->isExact())
    return Error::success();
  if (recipePath.empty() && !recipe->calibration.files.empty())
    return makeError(ExitCode::Usage,
                     "'" + library +
                         "' was made with calibration data; give the recipe "
                         "that names it: --recipe=FILE (plmc compress "
                         "--print-recipe writes it)");
  if (Error error = completeRecipe(*recipe))
    return withCode(std::move(error), ExitCode::BadInput);
  if (Error error = hashCalibration(*recipe))
    return error;
  DiagnosticCollector diagnostics(module.getContext());
  PassManager pm(module.getContext(), ModuleOp::getOperationName());
  if (Error error = buildModelPipeline(pm, *recipe))
    return error;
  if (failed(pm.run(module)))
    return makeError(ExitCode::Unsupported, diagnostics.firstError());
  return Error::success();
}

Error verifyCommand(StringRef library, StringRef modelPath,
                    const VerifyOptions &options, llvm::raw_ostream &out) {
  Expected<Candidate> candidate = libraryCandidate(library, options.threads);
  if (!candidate)
    return candidate.takeError();
  std::unique_ptr<MLIRContext> context = makeContext();
  Expected<OwningOpRef<ModuleOp>> module =
      importModel(modelPath, context.get());
  if (!module)
    return module.takeError();
  if (Error error = repeatCompression(library, options.recipePath, **module))
    return error;
  Expected<func::FuncOp> func = forwardFunction(**module);
  if (!func)
    return func.takeError();
  Expected<VerifyResult> result = verify(*func, *candidate, options);
  if (!result)
    return result.takeError();
  printTable(*result, out);
  if (result->summary.passed)
    return Error::success();
  return makeError(ExitCode::VerificationFailed,
                   "verification failed: '" + library +
                       "' does not compute what '" + modelPath + "' does");
}

} // namespace plmc
