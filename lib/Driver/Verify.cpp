//===- Verify.cpp - plmc verify -------------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reference is the model as imported, before any recogniser: a mistake in
// recognition, in a compression pass that must not change results, in lowering
// or in the kernels shows as a difference. It is the plain interpreter, so the
// sizes are small and few; what they must cover is every kind of mask, lengths
// that are no multiple of anything, and one long enough for blocked loops.
//
// One exception: a graph in f16 or bf16 is first promoted to f32, as it is for
// compilation. Its own roundings, at every operation, are a thousand times as
// large as what is to be found here.
//
//===----------------------------------------------------------------------===//

#include "plmc/Driver/Verify.h"
#include "Import.h"
#include "Progress.h"
#include "VerifyTolerance.h"
#include "mlir/Pass/PassManager.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Driver/Error.h"
#include "plmc/Frontend/ONNX/Recognition.h"
#include "plmc/Inputs/InputRoles.h"
#include "plmc/Interpreter/Interpreter.h"
#include "plmc/Report/Table.h"
#include "llvm/ADT/StringMap.h"
#include <cmath>
#include <set>

using namespace mlir;
using llvm::Error;
using llvm::Expected;

namespace plmc {
namespace {

struct CaseSize {
  int64_t batch, sequence;
  MaskShape mask;
};

constexpr CaseSize fixedCases[] = {
    {1, 1, MaskShape::None},   {1, 7, MaskShape::None},
    {3, 7, MaskShape::Right},  {2, 16, MaskShape::Left},
    {3, 33, MaskShape::Holes}, {3, 16, MaskShape::OneRowEmpty},
    {1, 128, MaskShape::None}};

/// For a verification that was asked for by name: seconds for a MiniLM.
constexpr CaseSize longCases[] = {{3, 128, MaskShape::Holes},
                                  {1, 512, MaskShape::Right}};

/// Pairs of (output of the reference, output of the candidate).
struct OutputPair {
  unsigned reference, candidate;
  SmallVector<DimExpr> dims;
};

class Verifier {
public:
  Verifier(func::FuncOp reference, const Candidate &candidate,
           const VerifyOptions &options)
      : reference(reference), candidate(candidate), options(options) {}

  Expected<VerifyResult> run();

private:
  Error match();
  Error matchInputs();
  Error matchOutputs();
  Error runCase(const CaseSize &size);
  VerifyRow compare(const InputCase &inputCase, const OutputPair &pair,
                    const HostTensor &expected, const HostTensor &actual);

  func::FuncOp reference;
  const Candidate &candidate;
  const VerifyOptions &options;
  InputRoles roles;
  std::vector<unsigned> inputOrder; // candidate input -> reference input
  std::vector<OutputPair> outputs;
  std::mt19937_64 random{20240229};
  std::set<std::tuple<int64_t, int64_t, MaskShape>> seen;
  Progress progress;
  VerifyResult result;
};

Error mismatch(const Twine &what) {
  return makeError(ExitCode::BadInput,
                   what + "; was the library made from this model?");
}

Error Verifier::matchInputs() {
  for (const TensorSignature &input : candidate.inputs) {
    auto it = llvm::find_if(roles.inputs, [&](const InputRole &role) {
      return role.name == input.name;
    });
    if (it == roles.inputs.end())
      return mismatch("the model has no input '" + input.name + "'");
    if (it->dtype != input.dtype)
      return mismatch("input '" + input.name + "' is " +
                      dtypeName(input.dtype) + " in the library and " +
                      dtypeName(it->dtype) + " in the model");
    inputOrder.push_back(it - roles.inputs.begin());
  }
  if (inputOrder.size() != roles.inputs.size())
    return mismatch("the library has " + Twine(inputOrder.size()) +
                    " inputs and the model " + Twine(roles.inputs.size()));
  return Error::success();
}

Error Verifier::matchOutputs() {
  for (auto [index, output] : llvm::enumerate(candidate.outputs)) {
    unsigned found = 0;
    while (found < reference.getNumResults() &&
           outputName(reference, found) != output.name)
      ++found;
    if (found == reference.getNumResults())
      return mismatch("the model has no output '" + output.name + "'");
    auto type = cast<RankedTensorType>(reference.getResultTypes()[found]);
    if (dtypeFromMLIR(type.getElementType()) != output.dtype)
      return mismatch("output '" + output.name + "' has another element type");
    outputs.push_back({found, unsigned(index), getDims(type)});
  }
  return Error::success();
}

/// Differences at one element; infinite where one value is no number and the
/// other is not the same.
double difference(double expected, double actual) {
  if (expected == actual || (std::isnan(expected) && std::isnan(actual)))
    return 0;
  double error = std::fabs(expected - actual);
  return std::isfinite(error) ? error : INFINITY;
}

VerifyRow Verifier::compare(const InputCase &inputCase, const OutputPair &pair,
                            const HostTensor &expected,
                            const HostTensor &actual) {
  const TensorSignature &signature = candidate.outputs[pair.candidate];
  VerifyRow row{inputCase.batch,
                inputCase.sequence,
                maskShapeName(inputCase.mask).str(),
                signature.name,
                0,
                0,
                ""};
  if (actual.dtype != expected.dtype || actual.shape != expected.shape) {
    row.problem = "another shape or element type than the reference";
    return row;
  }
  bool byRow = !pair.dims.empty() && pair.dims[0] == roles.batch &&
               expected.shape[0] == inputCase.batch;
  bool byToken = signature.zeroAtPadding && byRow && pair.dims.size() >= 2 &&
                 expected.shape[1] == inputCase.sequence;
  bool anyEmpty = false;
  for (int64_t i = 0; i < inputCase.batch; ++i)
    anyEmpty |= inputCase.isRowEmpty(i);
  int64_t count = expected.numElements();
  int64_t rowSize =
      byRow ? count / inputCase.batch : std::max<int64_t>(count, 1);
  int64_t tokenSize = byToken ? rowSize / inputCase.sequence : 1;
  for (int64_t i = 0; i < count; ++i) {
    double value = actual.getDouble(i);
    int64_t batchRow = i / rowSize;
    bool empty = byRow ? inputCase.isRowEmpty(batchRow) : anyEmpty;
    // What was not recognised keeps ONNX semantics, NaN included.
    if (empty && !std::isfinite(value) &&
        std::isfinite(expected.getDouble(i)) && row.problem.empty())
      row.problem = "not finite in a row that is all padding";
    if (byToken) {
      int64_t token = batchRow * inputCase.sequence + i % rowSize / tokenSize;
      if (!inputCase.keep[token]) {
        if (value != 0 && row.problem.empty())
          row.problem = "not 0 at a padding position";
        continue;
      }
    }
    if (empty)
      continue;
    double reference = expected.getDouble(i);
    if (std::isfinite(reference))
      row.scale = std::max(row.scale, std::fabs(reference));
    row.maxError = std::max(row.maxError, difference(reference, value));
  }
  double tolerance = std::max(options.tolerance, roundingOf(expected.dtype));
  double allowed = isFloat(expected.dtype) ? tolerance * row.scale : 0;
  if (row.maxError > allowed && row.problem.empty())
    row.problem = "differs by more than " + formatNumber(allowed);
  return row;
}

/// Gives the padding one id throughout. Where ids say what padding is (RoBERTa
/// counts positions over ids that are not 1), random ones make positions run
/// out of their table in rows that are not computed.
static void fillPadding(InputCase &inputCase, const InputRoles &roles,
                        int64_t id) {
  for (auto [role, tensor] : llvm::zip(roles.inputs, inputCase.inputs))
    if (role.kind == InputRole::Kind::Ids && id < role.limit &&
        tensor.numElements() == int64_t(inputCase.keep.size()))
      for (auto [index, keep] : llvm::enumerate(inputCase.keep))
        if (!keep)
          tensor.setInt(index, id);
}

Error Verifier::runCase(const CaseSize &size) {
  std::optional<InputCase> inputCase =
      makeCase(roles, size.batch, size.sequence, size.mask, random);
  if (!inputCase ||
      !seen.insert({inputCase->batch, inputCase->sequence, inputCase->mask})
           .second)
    return Error::success();
  progress.show("plmc: verifying " + Twine(inputCase->batch) + "x" +
                Twine(inputCase->sequence));
  auto runCandidate = [&] {
    std::vector<HostTensor> ordered;
    for (unsigned index : inputOrder)
      ordered.push_back(inputCase->inputs[index]);
    return candidate.run(ordered);
  };
  Expected<std::vector<HostTensor>> expected =
      interpret(reference, inputCase->inputs);
  Expected<std::vector<HostTensor>> actual = runCandidate();
  if (inputCase->mask != MaskShape::None)
    for (int64_t id : {1, 0}) {
      if (expected || !actual)
        break;
      InputCase given = *inputCase;
      fillPadding(*inputCase, roles, id);
      auto again = interpret(reference, inputCase->inputs);
      if (!again) {
        llvm::consumeError(again.takeError());
        *inputCase = std::move(given);
        continue;
      }
      llvm::consumeError(expected.takeError());
      expected = std::move(again);
      actual = runCandidate();
    }
  VerifyRow refusal{inputCase->batch,
                    inputCase->sequence,
                    maskShapeName(inputCase->mask).str(),
                    "",
                    0,
                    0,
                    ""};
  if (!expected) {
    // E.g. positions that run out of their table, computed from the mask. The
    // candidate must refuse as well; a shorter sequence takes the place.
    std::string reason = llvm::toString(expected.takeError());
    if (actual) {
      refusal.problem = "computes what the reference refuses: " + reason;
      result.rows.push_back(refusal);
    } else {
      llvm::consumeError(actual.takeError());
      refusal.output = "(both refuse)";
      result.rows.push_back(refusal);
    }
    if (inputCase->sequence > 1)
      return runCase(
          {inputCase->batch, inputCase->sequence / 2, inputCase->mask});
    return Error::success();
  }
  ++result.cases;
  if (!actual) {
    refusal.problem = "refused: " + llvm::toString(actual.takeError());
    result.rows.push_back(refusal);
    return Error::success();
  }
  for (const OutputPair &pair : outputs)
    result.rows.push_back(compare(*inputCase, pair, (*expected)[pair.reference],
                                  (*actual)[pair.candidate]));
  return Error::success();
}

Expected<VerifyResult> Verifier::run() {
  Expected<InputRoles> found = findInputRoles(reference);
  if (!found)
    return found.takeError();
  roles = std::move(*found);
  if (Error error = matchInputs())
    return error;
  if (Error error = matchOutputs())
    return error;
  bool sharesRanges = sharesRange(reference);
  for (const CaseSize &size : fixedCases) {
    // A row without a kept position is only promised to be finite, so nothing
    // is known of rows that its values have a part in.
    if (sharesRanges && size.mask == MaskShape::OneRowEmpty)
      continue;
    if (Error error = runCase(size))
      return error;
  }
  if (options.longCases)
    for (const CaseSize &size : longCases)
      if (Error error = runCase(size))
        return error;
  constexpr MaskShape shapes[] = {MaskShape::None, MaskShape::Right,
                                  MaskShape::Left, MaskShape::Holes};
  for (unsigned i = 0; i < options.randomCases; ++i) {
    seen.clear(); // other values, even if the size comes again
    CaseSize size{1 + int64_t(random() % 4), 1 + int64_t(random() % 64),
                  shapes[random() % 4]};
    if (Error error = runCase(size))
      return error;
  }
  result.summary.cases = result.cases;
  result.summary.tolerance = options.tolerance;
  for (const TensorSignature &output : candidate.outputs)
    result.summary.tolerance =
        std::max(result.summary.tolerance, roundingOf(output.dtype));
  result.summary.passed = result.cases > 0;
  for (const VerifyRow &row : result.rows) {
    if (row.scale > 0)
      result.summary.maxError =
          std::max(result.summary.maxError, row.maxError / row.scale);
    result.summary.passed &= row.problem.empty();
  }
  return std::move(result);
}

} // namespace

Expected<VerifyResult> verify(func::FuncOp reference,
                              const Candidate &candidate,
                              const VerifyOptions &options) {
  VerifyOptions adjusted = options;
  if (options.tolerance == VerifyOptions().tolerance)
    adjusted.tolerance =
        std::max(options.tolerance, toleranceOfRounding(reference));
  OwningOpRef<ModuleOp> promoted;
  if (computesInHalf(reference)) {
    StringRef name = reference.getName();
    promoted = reference->getParentOfType<ModuleOp>().clone();
    DiagnosticCollector diagnostics(reference.getContext());
    PassManager pm(reference.getContext(), ModuleOp::getOperationName());
    pm.addPass(createPromoteFloatsPass());
    if (failed(pm.run(*promoted)))
      return makeError(ExitCode::Unsupported, diagnostics.firstError());
    reference = promoted->lookupSymbol<func::FuncOp>(name);
  }
  return Verifier(reference, candidate, adjusted).run();
}

} // namespace plmc
