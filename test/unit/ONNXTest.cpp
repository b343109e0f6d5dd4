//===- ONNXTest.cpp - Import of graphs ------------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Manifest.h"
#include "ONNXTesting.h"
#include "plmc/Support/Npz.h"
#include "llvm/Support/Path.h"
#include <set>

using namespace plmc;
using namespace mlir;

namespace {

constexpr int32_t F32 = onnx::TensorProto::FLOAT;
constexpr int32_t I64 = onnx::TensorProto::INT64;
constexpr auto Unsupported = ImportError::Kind::Unsupported;
constexpr auto BadModel = ImportError::Kind::BadModel;

//===----------------------------------------------------------------------===//
// Exported models against ONNX Runtime
//===----------------------------------------------------------------------===//

class ONNXFixture : public ONNXTesting,
                    public ::testing::WithParamInterface<std::string> {};

std::vector<std::string> fixtureNames() {
  std::vector<std::string> names;
  std::error_code error;
  for (llvm::sys::fs::directory_iterator it(PLMC_TEST_FIXTURES, error), end;
       it != end && !error; it.increment(error)) {
    llvm::StringRef name = llvm::sys::path::filename(it->path());
    if (name.consume_back(".onnx"))
      names.push_back(name.str());
  }
  llvm::sort(names);
  return names;
}

TEST_P(ONNXFixture, SameNumbersAsONNXRuntime) {
  std::string base = std::string(PLMC_TEST_FIXTURES) + "/" + GetParam();
  func::FuncOp func = import(base + ".onnx");
  auto npz = readNpz(base + ".npz");
  ASSERT_TRUE(func && bool(npz));
  nlohmann::json entry = plmc::test::manifestEntry(GetParam());
  ASSERT_TRUE(entry.is_object()) << "not in manifest.json";
  double tolerance = entry.value("tolerance", 2e-5);
  // The interpreter rounds every value to the 16 bits of its type, where the
  // reference is in f32: EndToEndTest compares those.
  bool isHalf = false;
  for (auto parameter :
       func->getParentOfType<ModuleOp>().getOps<plm::ParameterOp>()) {
    Type element = parameter.getTensorType().getElementType();
    isHalf |= element.isF16() || element.isBF16();
  }
  if (isHalf)
    return;
  std::set<std::string> cases;
  for (auto &[key, value] : *npz) // exporters differ on rows without a key
    if (!llvm::StringRef(key).starts_with("fullmask"))
      cases.insert(key.substr(0, key.find('/')));
  ASSERT_FALSE(cases.empty());
  auto nameOf = [](DictionaryAttr attrs) {
    return cast<StringAttr>(attrs.get("plm.name")).getValue().str();
  };
  for (const std::string &name : cases) {
    std::vector<HostTensor> inputs;
    for (unsigned i = 0; i < func.getNumArguments(); ++i) {
      auto it = npz->find(name + "/in/" + nameOf(func.getArgAttrDict(i)));
      ASSERT_NE(it, npz->end());
      inputs.push_back(it->second);
    }
    std::vector<HostTensor> results = run(func, inputs);
    ASSERT_EQ(results.size(), func.getNumResults());
    for (unsigned i = 0; i < func.getNumResults(); ++i) {
      std::string output = nameOf(func.getResultAttrDict(i));
      auto it = npz->find(name + "/out/" + output);
      ASSERT_NE(it, npz->end()) << output;
      const HostTensor &expected = it->second, &actual = results[i];
      ASSERT_EQ(actual.shape, expected.shape) << name << " " << output;
      ASSERT_EQ(actual.dtype, expected.dtype) << name << " " << output;
      double scale = 0, error = 0;
      for (int64_t j = 0; j < expected.numElements(); ++j) {
        scale = std::max(scale, std::fabs(expected.getDouble(j)));
        double difference =
            std::fabs(expected.getDouble(j) - actual.getDouble(j));
        error = std::max(error, std::isnan(difference) ? 1e30 : difference);
      }
      EXPECT_LE(error, tolerance * scale) << name << " " << output;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ONNXFixture,
                         ::testing::ValuesIn(fixtureNames()), [](auto &info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ONNXFixture);

//===----------------------------------------------------------------------===//
// Shapes and symbols
//===----------------------------------------------------------------------===//

class ONNXImport : public ONNXTesting {};

TEST_F(ONNXImport, NamesOfDimensionsBecomeIdentifiers) {
  ModelBuilder m;
  m.input("x", F32, {"batch size", "2", "1abc", ""});
  m.node("Identity", {"x"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(argDims(func, 0), "batch_size, 2, d1abc, x_dim3");
}

TEST_F(ONNXImport, DimensionsThatMustBeEqualAreUnified) {
  ModelBuilder m;
  m.input("a", F32, {"batch", ""});
  m.input("b", F32, {"", "length"});
  m.node("Add", {"a", "b"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  // The first-declared name wins.
  EXPECT_EQ(argDims(func, 0), "batch, a_dim1");
  EXPECT_EQ(argDims(func, 1), "batch, a_dim1");
  EXPECT_EQ(resultDims(func, 0), "batch, a_dim1");
}

/// Multiple choice: [batch, choices] become one dimension of each input, and
/// every dimension has a name of its own.
TEST_F(ONNXImport, FactorsOfEqualProductsAreUnified) {
  ModelBuilder m;
  m.input("a", F32, {"s1", "s2", "s3"});
  m.input("b", F32, {"s4", "s5", "s6"});
  m.node("Flatten", {"a"}, {"flat_a"}).add_attribute()->set_name("axis");
  m.node("Flatten", {"b"}, {"flat_b"}).add_attribute()->set_name("axis");
  for (onnx::NodeProto &node : *m.graph().mutable_node()) {
    node.mutable_attribute(0)->set_type(onnx::AttributeProto::INT);
    node.mutable_attribute(0)->set_i(2);
  }
  m.node("Add", {"flat_a", "flat_b"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(argDims(func, 1), "s1, s2, s3");
  EXPECT_EQ(resultDims(func, 0), "s1*s2, s3");
}

/// Nothing says which factors are equal: not the same axes of the inputs.
TEST_F(ONNXImport, FactorsOfOtherAxesAreNotUnified) {
  ModelBuilder m;
  m.input("a", F32, {"s1", "s2"});
  m.input("b", F32, {"s3", "s4", "1"});
  m.ints("shape", {1}, {-1});
  m.node("Reshape", {"a", "shape"}, {"flat_a"});
  m.node("Reshape", {"b", "shape"}, {"flat_b"});
  m.node("Add", {"flat_a", "flat_b"}, {"y"});
  m.output("y");
  expectRefusal(m, Unsupported, "cannot tell that sizes");
}

/// PyTorch's last hidden state that is also among all hidden states.
TEST_F(ONNXImport, ValuesThatAreTwoOutputs) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  m.node("Neg", {"x"}, {"y"});
  m.output("y");
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  ASSERT_EQ(func.getNumResults(), 2u);
  EXPECT_EQ(func.getResultAttrOfType<StringAttr>(1, "plm.name"), "y_2");
  std::vector<HostTensor> result = run(func, {f32({2}, {1, 2})});
  ASSERT_EQ(result.size(), 2u);
  expectTensor(result[1], {2}, {-1, -2});
}

/// A mask that is read at the positions of another input has its batch; a
/// position table has not the length of what reads it.
TEST_F(ONNXImport, PositionsThatRunThroughAnInputUnify) {
  ModelBuilder m;
  m.input("ids", I64, {"batch", "length"});
  m.input("mask", F32, {"batch_size", "length"});
  m.node("Shape", {"ids"}, {"shape"});
  m.node("Gather", {"shape", "zero"}, {"count"});
  m.ints("zero", {}, {0});
  m.ints("one", {}, {1});
  m.node("Range", {"zero", "count", "one"}, {"positions"});
  m.node("Gather", {"mask", "positions"}, {"y"});
  m.floats("table", {4, 1}, {1, 2, 3, 4});
  m.node("Gather", {"table", "positions"}, {"z"});
  m.output("y");
  m.output("z");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(argDims(func, 0), "batch, length");
  EXPECT_EQ(argDims(func, 1), "batch, length");
  EXPECT_EQ(resultDims(func, 1), "batch, 1");
}

TEST_F(ONNXImport, SymbolAgainstConstantTakesTheConstant) {
  ModelBuilder m;
  m.input("a", F32, {"batch", "8"});
  m.input("b", F32, {"batch", "n"});
  m.node("Mul", {"a", "b"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(argDims(func, 1), "batch, 8");
}

TEST_F(ONNXImport, DimensionsThatCannotBeEqual) {
  ModelBuilder m;
  m.input("a", F32, {"3"});
  m.input("b", F32, {"4"});
  m.node("Add", {"a", "b"}, {"y"}).set_name("sum");
  m.output("y");
  expectRefusal(m, BadModel, "node 'sum' (Add): shapes [3] and [4]");
}

/// The head split of every TorchScript export.
TEST_F(ONNXImport, ShapeArithmeticLeavesNothingBehind) {
  ModelBuilder m;
  m.input("x", F32, {"batch", "sequence", "384"});
  m.ints("zero", {}, {0});
  m.ints("one", {}, {1});
  m.intVector("axis0", {0});
  m.intVector("heads", {12});
  m.intVector("rest", {-1});
  m.node("Shape", {"x"}, {"shape"});
  m.node("Gather", {"shape", "zero"}, {"b"});
  m.node("Gather", {"shape", "one"}, {"s"});
  m.node("Unsqueeze", {"b", "axis0"}, {"b1"});
  m.node("Unsqueeze", {"s", "axis0"}, {"s1"});
  setAttr(m.node("Concat", {"b1", "s1", "heads", "rest"}, {"target"}), "axis",
          int64_t(0));
  m.node("Reshape", {"x", "target"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(resultDims(func, 0), "batch, sequence, 12, 32");
  EXPECT_EQ(count<plm::ReshapeOp>(), 1u);
  EXPECT_EQ(func.getBody().front().getOperations().size(), 2u);
}

/// torch's way of expanding to [batch, -1]: Where(Equal(shape, -1), ...).
TEST_F(ONNXImport, ConditionsOnShapesAreDecided) {
  ModelBuilder m;
  m.input("x", F32, {"1", "sequence"});
  m.input("ids", I64, {"batch", "sequence"});
  m.intVector("minus1", {-1});
  m.node("Shape", {"ids"}, {"shape"});
  m.node("Shape", {"shape"}, {"rank"});
  auto &ones = m.node("ConstantOfShape", {"rank"}, {"ones"});
  auto &value = *ones.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  value.mutable_t()->set_data_type(I64);
  value.mutable_t()->add_dims(1);
  value.mutable_t()->add_int64_data(1);
  m.node("Mul", {"ones", "minus1"}, {"negative"});
  m.node("Equal", {"shape", "negative"}, {"isAny"});
  m.node("Where", {"isAny", "ones", "shape"}, {"target"});
  m.node("Expand", {"x", "target"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(resultDims(func, 0), "batch, sequence");
  EXPECT_EQ(count<plm::BroadcastOp>(), 1u);
  EXPECT_EQ(count<plm::SelectOp>(), 0u);
}

TEST_F(ONNXImport, ShapeAsDataBecomesAShapeValue) {
  ModelBuilder m;
  m.input("x", F32, {"batch", "3"});
  m.node("Shape", {"x"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(count<plm::ShapeValueOp>(), 1u);
  std::vector<HostTensor> result = run(func, {HostTensor(DType::F32, {5, 3})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {2}, {5, 3});
}

TEST_F(ONNXImport, TableOfPositionsLimitsTheLength) {
  ModelBuilder m;
  m.input("ids", I64, {"batch", "sequence"});
  m.floats("table", {4, 1}, {1, 2, 3, 4});
  m.intVector("start", {0});
  m.intVector("axis", {1});
  m.ints("position", {}, {1});
  m.ints("ids_buffer", {1, 4}, {0, 1, 2, 3});
  m.node("Shape", {"ids"}, {"shape"});
  m.node("Gather", {"shape", "position"}, {"length"});
  m.node("Unsqueeze", {"length", "start"}, {"end"});
  m.node("Slice", {"ids_buffer", "start", "end", "axis"}, {"positions"});
  m.node("Gather", {"table", "positions"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(resultDims(func, 0), "1, sequence, 1");
  ASSERT_EQ(count<plm::ConstraintOp>(), 1u);
  module->walk([](plm::ConstraintOp op) {
    EXPECT_EQ(op.getExpr(), "4 - sequence");
    EXPECT_EQ(op.getMessage(), "sequence is over the 4 positions of the model");
  });
  std::vector<HostTensor> result = run(func, {HostTensor(DType::I64, {2, 3})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {1, 3, 1}, {1, 2, 3});
  auto tooLong = interpret(func, {HostTensor(DType::I64, {2, 5})});
  EXPECT_FALSE(bool(tooLong));
  llvm::consumeError(tooLong.takeError());
}

TEST_F(ONNXImport, ReshapeThatNeedsTheData) {
  ModelBuilder m;
  m.input("x", F32, {"6"});
  m.input("shape", I64, {"2"});
  m.node("Reshape", {"x", "shape"}, {"y"}).set_name("r");
  m.output("y");
  expectRefusal(m, Unsupported, "node 'r' (Reshape): the shape depends on");
}

//===----------------------------------------------------------------------===//
// Weights and constants
//===----------------------------------------------------------------------===//

TEST_F(ONNXImport, EqualWeightsAreOneParameter) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.floats("w.one", {2, 2}, {1, 2, 3, 4});
  m.floats("w.two", {2, 2}, {1, 2, 3, 4});
  m.floats("w.other", {2, 2}, {1, 2, 3, 5});
  m.node("MatMul", {"x", "w.one"}, {"a"});
  m.node("MatMul", {"a", "w.two"}, {"b"});
  m.node("MatMul", {"b", "w.other"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(count<plm::ParameterOp>(), 2u);
  EXPECT_TRUE(module->lookupSymbol("w.one"));
  EXPECT_TRUE(module->lookupSymbol("w.other"));
  std::vector<HostTensor> result = run(func, {f32({1, 2}, {1, 0})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {1, 2}, {37, 64});
}

TEST_F(ONNXImport, ScalarsAndIntegersAreConstantsVectorsAreParameters) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.floats("half", {}, {0.5});
  m.floats("bias", {2}, {1, 2});
  m.node("Mul", {"x", "half"}, {"a"});
  m.node("Add", {"a", "bias"}, {"y"});
  m.output("y");
  ASSERT_TRUE(import(m));
  EXPECT_EQ(count<plm::ConstantOp>(), 1u);
  EXPECT_EQ(count<plm::ParameterOp>(), 1u);
}

TEST_F(ONNXImport, TransposeOfAWeightStaysInTheGraph) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.floats("w", {3, 2}, {1, 2, 3, 4, 5, 6});
  setAttr(m.node("Gemm", {"x", "w"}, {"y"}), "transB", int64_t(1));
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(count<plm::TransposeOp>(), 1u);
  std::vector<HostTensor> result = run(func, {f32({1, 2}, {1, 1})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {1, 3}, {3, 7, 11});
}

TEST_F(ONNXImport, ConstantsAreFolded) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  m.floats("a", {2}, {1, 2});
  m.floats("b", {2}, {3, 4});
  m.node("Add", {"a", "b"}, {"sum"});
  m.node("Sqrt", {"sum"}, {"root"});
  m.node("Mul", {"x", "root"}, {"y"});
  m.output("y");
  ASSERT_TRUE(import(m));
  EXPECT_EQ(count<plm::BinaryOp>(), 1u);
  EXPECT_EQ(count<plm::UnaryOp>(), 0u);
  EXPECT_EQ(count<plm::ParameterOp>(), 1u);
}

/// Every element type that plm has, in raw bytes and in typed fields.
TEST_F(ONNXImport, StorageForms) {
  struct Form {
    int32_t type;
    size_t size;
    DType dtype;
  };
  for (Form form : {Form{onnx::TensorProto::INT8, 1, DType::I8},
                    Form{onnx::TensorProto::UINT8, 1, DType::U8},
                    Form{onnx::TensorProto::BOOL, 1, DType::Bool},
                    Form{onnx::TensorProto::INT32, 4, DType::I32},
                    Form{onnx::TensorProto::FLOAT16, 2, DType::F16},
                    Form{onnx::TensorProto::BFLOAT16, 2, DType::BF16}}) {
    for (bool raw : {false, true}) {
      ModelBuilder m;
      onnx::TensorProto &tensor = *m.graph().add_initializer();
      tensor.set_name("y");
      tensor.set_data_type(form.type);
      tensor.add_dims(2);
      if (raw) {
        std::string bytes(2 * form.size, '\0');
        bytes[form.size] = 1;
        tensor.set_raw_data(bytes);
      } else {
        tensor.add_int32_data(0);
        tensor.add_int32_data(1);
      }
      m.output("y");
      std::vector<HostTensor> result = run(import(m), {});
      ASSERT_EQ(result.size(), 1u);
      EXPECT_EQ(result[0].dtype, form.dtype);
      ASSERT_EQ(result[0].data.size(), 2 * form.size);
      EXPECT_EQ(result[0].data[0], 0);
      EXPECT_EQ(result[0].data[form.size], 1);
    }
  }
}

TEST_F(ONNXImport, InitializersThatAreListedAsInputs) {
  ModelBuilder m;
  m.model.set_ir_version(3);
  m.input("x", F32, {"n", "1"});
  m.input("w", F32, {"1", "2"});
  m.floats("w", {1, 2}, {2, 3});
  m.node("MatMul", {"x", "w"}, {"y"});
  m.output("y");
  func::FuncOp func = import(m);
  ASSERT_TRUE(func);
  EXPECT_EQ(func.getNumArguments(), 1u);
  EXPECT_EQ(func.getArgAttrOfType<StringAttr>(0, "plm.name"), "x");
  EXPECT_EQ(func.getResultAttrOfType<StringAttr>(0, "plm.name"), "y");
  EXPECT_EQ((*module)->getAttrOfType<StringAttr>("plm.producer"), "test");
  EXPECT_EQ((*module)->getAttrOfType<IntegerAttr>("plm.opset").getInt(), 17);
  EXPECT_EQ((*module)->getAttrOfType<StringAttr>("plm.source"), "model.onnx");
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

TEST_F(ONNXImport, UnsortedNodesAreSorted) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  m.node("Neg", {"a"}, {"y"});
  m.node("Exp", {"x"}, {"a"});
  m.output("y");
  EXPECT_TRUE(import(m));
}

TEST_F(ONNXImport, NodesThatNoOutputNeedsAreDropped) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  m.node("NoSuchOperator", {"x"}, {"unused"});
  m.node("Exp", {"x"}, {"y"});
  m.output("y");
  EXPECT_TRUE(import(m));
}

void addDoubling(ModelBuilder &m, bool recursive) {
  onnx::FunctionProto &f = *m.model.add_functions();
  f.set_domain("local");
  f.set_name("Scale");
  f.add_input("v");
  f.add_output("w");
  f.add_attribute("by");
  auto &constant = *f.add_node();
  constant.set_op_type("Constant");
  constant.add_output("factor");
  auto &attr = *constant.add_attribute();
  attr.set_name("value_float");
  attr.set_type(onnx::AttributeProto::FLOAT);
  attr.set_ref_attr_name("by");
  auto &node = *f.add_node();
  node.set_op_type("Mul");
  node.add_input("v");
  node.add_input("factor");
  node.add_output(recursive ? "t" : "w");
  if (recursive) {
    auto &call = *f.add_node();
    call.set_op_type("Scale");
    call.set_domain("local");
    call.add_input("t");
    call.add_output("w");
  }
  auto *import = m.model.add_opset_import();
  import->set_domain("local");
  import->set_version(1);
}

TEST_F(ONNXImport, FunctionsAreInlinedWithTheirAttributes) {
  ModelBuilder m;
  addDoubling(m, /*recursive=*/false);
  m.input("x", F32, {"2"});
  for (auto [from, to, by] : {std::tuple{"x", "a", 3.0f}, {"a", "y", 5.0f}}) {
    auto &call = m.node("Scale", {from}, {to});
    call.set_domain("local");
    auto &attr = *call.add_attribute();
    attr.set_name("by");
    attr.set_type(onnx::AttributeProto::FLOAT);
    attr.set_f(by);
  }
  m.output("y");
  std::vector<HostTensor> result = run(import(m), {f32({2}, {1, 2})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {2}, {15, 30});
}

TEST_F(ONNXImport, FunctionsThatCallThemselves) {
  ModelBuilder m;
  addDoubling(m, /*recursive=*/true);
  m.input("x", F32, {"2"});
  auto &call = m.node("Scale", {"x"}, {"y"});
  call.set_domain("local");
  auto &attr = *call.add_attribute();
  attr.set_name("by");
  attr.set_type(onnx::AttributeProto::FLOAT);
  attr.set_f(2);
  m.output("y");
  expectRefusal(m, BadModel, "function 'Scale' calls itself");
}

TEST_F(ONNXImport, IfWithAKnownCondition) {
  ModelBuilder m;
  m.input("x", F32, {"n", "2"});
  m.ints("one", {}, {1});
  m.node("Size", {"x"}, {"size"});
  m.node("GreaterOrEqual", {"size", "one"}, {"condition"});
  auto &node = m.node("If", {"condition"}, {"y"});
  for (const char *branch : {"then_branch", "else_branch"}) {
    auto &attr = *node.add_attribute();
    attr.set_name(branch);
    attr.set_type(onnx::AttributeProto::GRAPH);
    auto &inner = *attr.mutable_g()->add_node();
    inner.set_op_type(branch[0] == 't' ? "Neg" : "Exp");
    inner.add_input("x"); // of the graph around it
    inner.add_output("inner");
    attr.mutable_g()->add_output()->set_name("inner");
  }
  m.output("y");
  std::vector<HostTensor> result = run(import(m), {f32({1, 2}, {1, 2})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {1, 2}, {-1, -2});
}

TEST_F(ONNXImport, UnknownOperatorsAreListed) {
  ModelBuilder m;
  m.input("x", F32, {"2"});
  m.node("Foo", {"x"}, {"a"}).set_name("first");
  m.node("Foo", {"a"}, {"b"});
  m.node("Longformer", {"b"}, {"y"}).set_domain("com.microsoft");
  m.output("y");
  expectRefusal(m, Unsupported,
                "node 'first' (Foo, domain ai.onnx): operator Foo is not "
                "supported; neither are com.microsoft:Longformer (1)");
}

TEST_F(ONNXImport, OperatorSetsOutsideTheRange) {
  for (int64_t opset : {10, 26}) {
    ModelBuilder m(opset);
    m.input("x", F32, {"2"});
    m.node("Exp", {"x"}, {"y"});
    m.output("y");
    expectRefusal(m, Unsupported,
                  "operator set " + std::to_string(opset) +
                      " is not supported; export with an opset of 11 to 25");
  }
}

} // namespace
