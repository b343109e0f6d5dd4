//===- PassPropertyTest.cpp - Every pass on random models -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What has to hold of any pass that a recipe can name, on any small encoder,
// with any options: it either says in one line why it does not apply, or leaves
// a module that verifies, whose values are finite, and that compiles to a
// library with the same values. Steps that call themselves exact must be. And
// so for any two, one after the other, in both orders.
//
// PLMC_PROPERTY_ROUNDS=N tries N times as many models; a failure names the
// model and the passes.
//
// A new step is tested as soon as it is in Steps.def; without a line in
// `randomOptions` it runs with its default options.
//
//===----------------------------------------------------------------------===//

#include "RandomEncoder.h"
#include "mlir/IR/Verifier.h"
#include "plmc/Recipe/Steps.h"

using namespace plmc;
using namespace plmc::test;

namespace {

mlir::func::FuncOp forwardOf(mlir::ModuleOp module) {
  return module.lookupSymbol<mlir::func::FuncOp>("forward");
}

/// Steps of this build.
std::vector<StepInfo> steps() {
  registerAllPasses();
  std::vector<StepInfo> result;
  for (const StepInfo &step : allSteps())
    if (step.isAvailable())
      result.push_back(step);
  return result;
}

int rounds() {
  const char *text = getenv("PLMC_PROPERTY_ROUNDS");
  return text ? std::max(1, atoi(text)) : 1;
}

class PassProperty : public testing::TestWithParam<StepInfo> {
protected:
  void TearDown() override { llvm::sys::fs::remove(path); }

  /// Random tokens of the model's vocabulary, in a file.
  void calibrate(const RandomEncoder &model) {
    path = PLMC_TEST_TMP "/property-" + std::to_string(getpid()) + ".npz";
    model.writeCalibration(path, 24);
  }

  std::string pipeline(const StepInfo &step, const RandomEncoder &model,
                       Random &random);
  bool apply(mlir::ModuleOp module, const std::string &pipeline);
  std::vector<HostTensor> check(mlir::ModuleOp module,
                                const RandomEncoder &model, bool compiles);

  std::string path;
};

/// Options that a user might give, some of which cannot be met.
std::string randomOptions(llvm::StringRef pass, const RandomEncoder &model,
                          Random &random) {
  auto one = [&](std::initializer_list<const char *> values) {
    return std::string(values.begin()[random.engine() % values.size()]);
  };
  if (pass == "plm-prune-outputs")
    return one({"", model.tied ? "outputs=logits" : "outputs=last_hidden_state",
                "outputs=sentence_embedding"});
  if (pass == "plm-reduce-vocabulary")
    return one({"size=20", "size=30 distance=cosine", "size=1000",
                "min-count=3", "min-count=1"});
  if (pass == "plm-drop-layers")
    return one({"count=1", "count=1 fit=-1", "layers=0", "layers=0,1",
                "count=2", "layers=7", "layers=1 fit=-1"});
  if (pass == "plm-prune-neurons")
    return one({"keep=0.5 multiple=1", "keep=0.5 multiple=8",
                "keep=0.3 multiple=4 fit=-1", "keep=0.9", "keep=1",
                "keep=0.5 multiple=4 method=magnitude"});
  if (pass == "plm-factorize-embedding")
    return one({"rank=5", "rank=8 weighting=none", "energy=0.9",
                "rank=4 smoothing=1", "rank=1000", "keep=0.4",
                "rank=6 weighting=activation", "rank=11 allow-growth=true"});
  if (pass == "plm-product-quantize")
    return one({"sub-vector=4 codes=16", "sub-vector=2 codes=8",
                "sub-vector=4 codes=8 codebook-bits=32",
                "sub-vector=4 codes=256", "sub-vector=8 codes=5"});
  if (pass == "plm-quantize-weights")
    return "min-elements=0 " +
           one({"bits=8", "bits=4", "bits=4 grid=asymmetric group-size=32",
                "bits=3", "bits=3 group-size=32", "bits=2 grid=symmetric",
                "bits=2 mixed=8:l0;0:d$", "bits=4 method=rtn",
                "bits=3 method=rtn group-size=64", "bits=4 fit=-1", "bits=5"});
  if (pass == "plm-set-precision")
    return "min-elements=0 precision=" +
           one({"f32", "bf16", "int8", "int4", "int4 group-size=32",
                "int4 group-size=0 table-bits=8", "int3", "int2 table-bits=4",
                "int8 table-bits=4"});
  if (pass == "plm-prune-heads")
    return one({"keep=0.5", "heads=1", "keep=0.5 allocation=damage fit=-1",
                "heads=9", "keep=0.75"});
  if (pass == "plm-prune-width")
    return "multiple=2 " +
           one({"keep=0.5", "width=6", "keep=0.7 basis=shared fit=-1",
                "keep=1 allow-growth=true", "keep=0.4 allow-growth=true",
                "width=1000"});
  if (pass == "plm-share-layers")
    return one({"", "groups=0-1", "part=attention", "part=ffn method=mean",
                "count=1 sweeps=1", "groups=0,5"});
  if (pass == "plm-factorize-linear")
    return "min-elements=0 " +
           one({"rank=3", "energy=0.9 allow-growth=true", "rank=8 fit=-1",
                "keep=0.5", "rank=4 weights=l0", "rank=1000"});
  if (pass == "plm-smooth-activations")
    return one({"", "alpha=0.8", "copy-norms=true", "alpha=0 copy-norms=true",
                "alpha=2"});
  if (pass == "plm-static-activations")
    return one({"", "method=percentile", "method=mse",
                "method=percentile percentile=99", "method=max"});
  return "";
}

std::string PassProperty::pipeline(const StepInfo &step,
                                   const RandomEncoder &model, Random &random) {
  std::string options = randomOptions(step.pass, model, random);
  for (const StepOption &option : passOptions(step.pass))
    if (option.name == "calibration")
      options += " calibration=" + path;
  return step.pass.str() + "{" + options + "}";
}

/// False where the pass does not apply. It says so in one line, once.
bool PassProperty::apply(mlir::ModuleOp module, const std::string &pipeline) {
  std::vector<std::string> errors;
  mlir::ScopedDiagnosticHandler handler(&context(), [&](mlir::Diagnostic &d) {
    if (d.getSeverity() == mlir::DiagnosticSeverity::Error)
      errors.push_back(d.str());
    return mlir::success();
  });
  mlir::PassManager pm(&context());
  EXPECT_TRUE(mlir::succeeded(mlir::parsePassPipeline(pipeline, pm)));
  bool done = mlir::succeeded(pm.run(module));
  EXPECT_EQ(errors.size(), done ? 0u : 1u);
  for (const std::string &error : errors) {
    EXPECT_GT(error.size(), 10u);
    EXPECT_EQ(error.find('\n'), std::string::npos) << error;
    if (getenv("PLMC_PROPERTY_VERBOSE"))
      llvm::errs() << pipeline << ": " << error << "\n";
  }
  return done;
}

/// What the module computes, after the interpreter and a library agree.
std::vector<HostTensor> PassProperty::check(mlir::ModuleOp module,
                                            const RandomEncoder &model,
                                            bool compiles) {
  EXPECT_TRUE(mlir::succeeded(mlir::verify(module)));
  std::vector<HostTensor> inputs = model.inputs(17, 3, 9);
  auto want = interpret(forwardOf(module), inputs);
  EXPECT_TRUE(bool(want)) << llvm::toString(want.takeError());
  if (!want)
    return {};
  for (const HostTensor &output : *want)
    for (int64_t i = 0; i < output.numElements(); ++i)
      if (!std::isfinite(output.getDouble(i))) {
        ADD_FAILURE() << "element " << i << " is " << output.getDouble(i);
        return {};
      }
  if (!compiles)
    return std::move(*want);
  bool exact = true; // products in f32
  module.walk([&](mlir::Operation *op) { exact &= !op->hasAttr("precision"); });
  auto copy = mlir::OwningOpRef<mlir::ModuleOp>(module.clone());
  CompileOptions options;
  options.cpu = "x86-64-v3"; // takes less time to compile for
  if (const char *cpu = getenv("PLMC_PROPERTY_CPU"))
    options.cpu = cpu;
  auto library = compileModule(*copy, options);
  if (!library)
    return {};
  auto got = (*library->createContext(1))->run(inputs);
  EXPECT_TRUE(bool(got)) << llvm::toString(got.takeError());
  if (!got)
    return {};
  EXPECT_EQ(got->size(), want->size());
  for (size_t i = 0; i < want->size(); ++i) {
    SCOPED_TRACE("output " + std::to_string(i));
    // A number in the middle of two integers may be rounded either way, which
    // the layers after it make larger.
    expectClose((*got)[i], (*want)[i], exact ? 2e-5 : 5e-2,
                (*want)[i].shape.size() == 3 ? &inputs[1] : nullptr);
  }
  return std::move(*want);
}

mlir::OwningOpRef<mlir::ModuleOp> parse(const RandomEncoder &model) {
  auto module = mlir::parseSourceString<mlir::ModuleOp>(model.text, &context());
  EXPECT_TRUE(module) << model.text;
  return module;
}

} // namespace

TEST_P(PassProperty, Alone) {
  unsigned done = 0;
  // Chance gives some passes options and models that do not suit: then more.
  for (unsigned seed = 0;
       seed < 6u * rounds() || (done < 2 && seed < 30u * rounds()); ++seed) {
    RandomEncoder model(seed);
    calibrate(model);
    Random random(100 + seed);
    std::string text = pipeline(GetParam(), model, random);
    SCOPED_TRACE("model " + std::to_string(seed) + ", " + text);
    auto module = parse(model);
    if (!module)
      return;
    auto before = interpret(forwardOf(*module), model.inputs(17, 3, 9));
    ASSERT_TRUE(bool(before)) << llvm::toString(before.takeError());
    if (!apply(*module, text))
      continue;
    ++done;
    std::vector<HostTensor> after = check(*module, model, seed % 3 == 0);
    // The first output stays what it was.
    if (GetParam().exact && after.size() == before->size())
      expectClose(after[0], (*before)[0], 0);
  }
  EXPECT_GT(done, 1u);
}

TEST_P(PassProperty, BeforeAnyOther) {
  unsigned seed = 1000 * GetParam().pass.size();
  std::vector<StepInfo> all = steps();
  for (size_t i = 0; i < all.size() * rounds(); ++i) {
    const StepInfo &second = all[i % all.size()];
    RandomEncoder model(++seed);
    calibrate(model);
    Random random(seed);
    std::string first = pipeline(GetParam(), model, random),
                then = pipeline(second, model, random);
    SCOPED_TRACE("model " + std::to_string(seed) + ", " + first + ", " + then);
    auto module = parse(model);
    if (!module)
      return;
    // One that does not apply may have left anything, and a recipe stops.
    if (!apply(*module, first) || !apply(*module, then))
      continue;
    check(*module, model, i % 2 == 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Steps, PassProperty, testing::ValuesIn(steps()),
                         [](const testing::TestParamInfo<StepInfo> &info) {
                           std::string name = info.param.pass.str();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
