//===- ONNXHostileTest.cpp - Damaged and hostile ONNX files ---------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ONNXTesting.h"
#include "llvm/Support/MemoryBuffer.h"
#include <unistd.h>

using namespace plmc;
using namespace mlir;

namespace {

constexpr int32_t F32 = onnx::TensorProto::FLOAT;
constexpr auto Unsupported = ImportError::Kind::Unsupported;
constexpr auto BadModel = ImportError::Kind::BadModel;

class ONNXHostile : public ONNXTesting {
protected:
  /// Either outcome is fine, dying is not.
  void tryImport(llvm::StringRef bytes) {
    auto result = importONNX(writeTestFile("hostile.onnx", bytes), &context);
    if (result)
      return;
    std::string message = llvm::toString(result.takeError());
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
  std::string fixture() {
    auto buffer = llvm::MemoryBuffer::getFile(
        std::string(PLMC_TEST_FIXTURES) + "/bert-ts17-pooler.onnx",
        /*IsText=*/false, /*RequiresNullTerminator=*/false);
    EXPECT_TRUE(bool(buffer));
    return buffer ? (*buffer)->getBuffer().str() : "";
  }
  /// x * w with the initializer for the test to damage.
  ModelBuilder product() {
    ModelBuilder m;
    m.input("x", F32, {"2"});
    m.floats("w", {2}, {1, 2});
    m.node("Mul", {"x", "w"}, {"y"}).set_name("mul");
    m.output("y");
    return m;
  }
};

TEST_F(ONNXHostile, FilesThatAreNoModels) {
  std::string missing = testFolder() + "/there-is-no-such.onnx";
  EXPECT_NE(refusal(missing, BadModel).find("no such file"), std::string::npos);
  EXPECT_NE(refusal(testFolder(), BadModel).find("folder"), std::string::npos);
  EXPECT_NE(refusal(writeTestFile("empty.onnx", ""), BadModel).find("empty"),
            std::string::npos);
  for (llvm::StringRef text :
       {"hello world", "PK\x03\x04zip", "\x08\x07", "\xff\xff\xff\xff"})
    EXPECT_NE(refusal(writeTestFile("text.onnx", text), BadModel).find("ONNX"),
              std::string::npos);
}

TEST_F(ONNXHostile, TruncatedAnywhere) {
  std::string bytes = fixture();
  ASSERT_FALSE(bytes.empty());
  for (size_t length = 0; length < bytes.size();
       length += length < 400 ? 7 : 331)
    tryImport(llvm::StringRef(bytes).take_front(length));
}

TEST_F(ONNXHostile, TruncatedAtEveryByte) {
  ModelBuilder m;
  m.input("x", F32, {"batch", "4"});
  m.floats("w", {4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  m.intVector("axes", {1});
  m.node("MatMul", {"x", "w"}, {"p"}).set_name("product");
  setAttr(m.node("Softmax", {"p"}, {"s"}), "axis", int64_t(-1));
  m.node("Unsqueeze", {"s", "axes"}, {"y"});
  m.output("y");
  std::string bytes = m.model.SerializeAsString();
  for (size_t length = 0; length < bytes.size(); ++length)
    tryImport(llvm::StringRef(bytes).take_front(length));
  // Every bit of it, too.
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string damaged = bytes;
    damaged[bit / 8] ^= 1 << (bit % 8);
    tryImport(damaged);
  }
}

TEST_F(ONNXHostile, FlippedBits) {
  std::string bytes = fixture();
  ASSERT_FALSE(bytes.empty());
  uint32_t random = 1;
  for (int i = 0; i < 600; ++i) {
    random = random * 1664525 + 1013904223;
    std::string damaged = bytes;
    damaged[random % damaged.size()] ^= 1 << ((random >> 24) & 7);
    tryImport(damaged);
  }
}

TEST_F(ONNXHostile, DataThatDoesNotFitTheDimensions) {
  ModelBuilder shortData = product();
  shortData.graph().mutable_initializer(0)->set_raw_data("1234567");
  expectRefusal(shortData, BadModel,
                "tensor 'w': has 7 bytes of data, its dimensions need 8");
  ModelBuilder negative = product();
  negative.graph().mutable_initializer(0)->set_dims(0, -2);
  expectRefusal(negative, BadModel, "negative dimension -2");
  ModelBuilder huge = product();
  for (int i = 0; i < 4; ++i)
    huge.graph().mutable_initializer(0)->add_dims(1 << 20);
  expectRefusal(huge, BadModel, "more elements than can be counted");
  ModelBuilder none = product();
  none.graph().mutable_initializer(0)->clear_raw_data();
  none.graph().mutable_initializer(0)->set_dims(0, 1LL << 50);
  expectRefusal(none, BadModel, "stores 0 values");
  ModelBuilder typed = product();
  typed.graph().mutable_initializer(0)->set_data_type(onnx::TensorProto::INT2);
  expectRefusal(typed, Unsupported, "element type INT2 is not supported");
  typed.graph().mutable_initializer(0)->set_data_type(onnx::TensorProto::INT4);
  expectRefusal(typed, BadModel, "bytes of data, its dimensions need");
}

TEST_F(ONNXHostile, NamesThatDoNotAddUp) {
  ModelBuilder cycle = product();
  cycle.node("Add", {"y2", "x"}, {"y1"}).set_name("loop");
  cycle.node("Exp", {"y1"}, {"y2"});
  cycle.output("y2");
  expectRefusal(cycle, BadModel, "node 'loop' (Add): the node is part of a");
  ModelBuilder dangling = product();
  dangling.node("Add", {"x", "nowhere"}, {"z"}).set_name("add");
  expectRefusal(dangling, BadModel,
                "node 'add' (Add): input 'nowhere' is not computed");
  ModelBuilder twice = product();
  twice.node("Exp", {"x"}, {"y"}).set_name("again");
  expectRefusal(twice, BadModel, "the name 'y' is computed twice");
  ModelBuilder output = product();
  output.output("z");
  expectRefusal(output, BadModel, "output 'z' is not computed");
  ModelBuilder initializers = product();
  initializers.floats("w", {2}, {1, 2});
  expectRefusal(initializers, BadModel, "'w' is given to two initializers");
}

TEST_F(ONNXHostile, NamesThatWouldBreakTheLine) {
  ModelBuilder m = product();
  m.node("Foo", {"y"}, {"z"}).set_name("a\nb\x1b[31m%s\xff");
  m.output("z");
  expectRefusal(m, Unsupported, "node 'a?b?[31m%s?' (Foo,");
  ModelBuilder symbols = product();
  symbols.input("in\nput", F32, {"%d\n"});
  symbols.node("Exp", {"in\nput"}, {"out\xc3\x28"});
  symbols.output("out\xc3\x28");
  func::FuncOp func = import(symbols);
  ASSERT_TRUE(func);
  EXPECT_EQ(func.getArgAttrOfType<StringAttr>(1, "plm.name"), "in?put");
  EXPECT_EQ(func.getResultAttrOfType<StringAttr>(1, "plm.name"), "out?(");
  EXPECT_EQ(argDims(func, 1), "_d_");
}

TEST_F(ONNXHostile, ConstantIndexOutOfRange) {
  ModelBuilder m;
  m.input("x", F32, {"n", "3"});
  m.ints("index", {}, {7});
  auto &node = m.node("Gather", {"x", "index"}, {"y"});
  setAttr(node, "axis", int64_t(1));
  m.output("y");
  expectRefusal(m, BadModel, "index 7 is outside a dimension of size 3");
}

TEST_F(ONNXHostile, WrongTypesAndAttributes) {
  ModelBuilder types;
  types.input("x", F32, {"2"});
  types.input("i", onnx::TensorProto::INT64, {"2"});
  types.node("Add", {"x", "i"}, {"y"}).set_name("add");
  types.output("y");
  expectRefusal(types, BadModel, "different element types, f32 and i64");
  ModelBuilder attribute = product();
  auto &node = attribute.node("Softmax", {"y"}, {"z"});
  setAttr(node, "axis", "last");
  attribute.output("z");
  expectRefusal(attribute, BadModel, "attribute 'axis' has the wrong type");
  ModelBuilder input = product();
  input.node("Add", {"x", ""}, {"z"});
  input.output("z");
  expectRefusal(input, BadModel, "input 1 is missing");
}

TEST_F(ONNXHostile, GraphsInGraphs) {
  onnx::GraphProto graph;
  for (int i = 0; i < 3000; ++i) {
    onnx::GraphProto outer;
    onnx::NodeProto &node = *outer.add_node();
    node.set_op_type("If");
    onnx::AttributeProto &attr = *node.add_attribute();
    attr.set_name("then_branch");
    attr.mutable_g()->Swap(&graph);
    graph.Swap(&outer);
  }
  ModelBuilder m = product();
  m.graph().add_node()->add_attribute()->mutable_g()->Swap(&graph);
  expectRefusal(m, BadModel, "subgraphs are nested too deeply");
}

/// Twenty functions of two calls each would be a million nodes.
TEST_F(ONNXHostile, FunctionsThatGrowExponentially) {
  ModelBuilder m;
  for (int i = 0; i < 40; ++i) {
    onnx::FunctionProto &f = *m.model.add_functions();
    f.set_domain("local");
    f.set_name("f" + std::to_string(i));
    f.add_input("a");
    f.add_output("c");
    for (auto [from, to] : {std::pair{"a", "b"}, {"b", "c"}}) {
      auto &call = *f.add_node();
      call.set_domain(i ? "local" : "");
      call.set_op_type(i ? "f" + std::to_string(i - 1) : "Identity");
      call.add_input(from);
      call.add_output(to);
    }
  }
  m.input("x", F32, {"2"});
  m.node("f39", {"x"}, {"y"}).set_domain("local");
  m.output("y");
  expectRefusal(m, Unsupported, "nodes after inlining its functions");
}

//===----------------------------------------------------------------------===//
// External data
//===----------------------------------------------------------------------===//

class ONNXExternal : public ONNXHostile {
protected:
  ModelBuilder external(llvm::StringRef location, llvm::StringRef offset = "0",
                        llvm::StringRef length = "8") {
    ModelBuilder m = product();
    onnx::TensorProto &tensor = *m.graph().mutable_initializer(0);
    tensor.clear_raw_data();
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    for (auto [key, value] : {std::pair{"location", location},
                              {"offset", offset},
                              {"length", length}}) {
      auto &entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value.str());
    }
    return m;
  }
  ONNXExternal() {
    float values[] = {0, 3, 4};
    writeTestFile("weights.bin",
                  {reinterpret_cast<const char *>(values), sizeof(values)});
  }
};

TEST_F(ONNXExternal, IsReadFromTheOffset) {
  ModelBuilder m = external("weights.bin", "4");
  std::vector<HostTensor> result = run(import(m), {f32({2}, {1, 1})});
  ASSERT_EQ(result.size(), 1u);
  expectTensor(result[0], {2}, {3, 4});
}

TEST_F(ONNXExternal, IsRefusedOutsideTheFolder) {
  ModelBuilder absolute = external("/etc/passwd");
  expectRefusal(absolute, BadModel, "absolute path");
  ModelBuilder parent = external("sub/../../weights.bin");
  expectRefusal(parent, BadModel, "leaves the model's folder by '..'");
  std::string link = testFolder() + "/link.bin";
  ::unlink(link.c_str());
  ASSERT_EQ(::symlink("/etc/passwd", link.c_str()), 0);
  ModelBuilder escaping = external("link.bin");
  expectRefusal(escaping, BadModel, "symbolic link out of the model's folder");
  ::unlink(link.c_str());
}

TEST_F(ONNXExternal, IsCheckedAgainstTheFile) {
  ModelBuilder missing = external("no-such.bin");
  expectRefusal(missing, BadModel, "'no-such.bin' is missing");
  ModelBuilder tooShort = external("weights.bin", "8");
  expectRefusal(tooShort, BadModel, "has 12 bytes, the tensor needs 8 at");
  ModelBuilder overflow = external("weights.bin", "18446744073709551615");
  expectRefusal(overflow, BadModel, "the tensor needs 8 at offset");
  ModelBuilder length = external("weights.bin", "0", "12");
  expectRefusal(length, BadModel, "has 12 bytes, its dimensions need 8");
  ModelBuilder number = external("weights.bin", "-4");
  expectRefusal(number, BadModel, "offset is not a number");
  ModelBuilder empty = external("");
  expectRefusal(empty, BadModel, "no valid name");
}

} // namespace
