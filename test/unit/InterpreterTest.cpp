//===- InterpreterTest.cpp - The driver, attributes, failures -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "InterpreterTesting.h"
#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cstring>

using namespace mlir;

namespace plmc {

using InterpreterTest = InterpreterTesting;

TEST_F(InterpreterTest, EveryOperationHasSemantics) {
  unsigned count = 0;
  for (RegisteredOperationName name : context.getRegisteredOperations()) {
    if (name.getDialectNamespace() != "plm")
      continue;
    ++count;
    EXPECT_TRUE(hasReferenceSemantics(name.getStringRef()))
        << name.getStringRef().str() << " has no reference semantics";
  }
  EXPECT_GE(count, 30u); // the dialect is registered at all
  EXPECT_FALSE(hasReferenceSemantics("plm.no_such_op"));
  EXPECT_FALSE(hasReferenceSemantics("func.return"));
}

const char *const symbolic = R"(
func.func @forward(
    %ids: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "input_ids"},
    %mask: tensor<?x?xi64, #plm.dims<"batch", "sequence">> {plm.name = "attention_mask"})
    -> (tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<2xi64>,
        tensor<?xi64, #plm.dims<"batch*sequence">>) {
  plm.constraint "4 - sequence", "the sequence is longer than 4"
  plm.constraint equal "batch - 2", "the batch must be 2"
  %c = plm.constant dense<10> : tensor<1xi64> : tensor<1xi64>
  %s = plm.binary add %ids, %mask : (tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<?x?xi64, #plm.dims<"batch", "sequence">>) -> tensor<?x?xi64, #plm.dims<"batch", "sequence">>
  %t = plm.binary mul %s, %c : (tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<1xi64>) -> tensor<?x?xi64, #plm.dims<"batch", "sequence">>
  %shape = plm.shape_value ["batch", "2*sequence"] : tensor<2xi64>
  %flat = plm.reshape %t : (tensor<?x?xi64, #plm.dims<"batch", "sequence">>) -> tensor<?xi64, #plm.dims<"batch*sequence">>
  return %t, %shape, %flat : tensor<?x?xi64, #plm.dims<"batch", "sequence">>, tensor<2xi64>, tensor<?xi64, #plm.dims<"batch*sequence">>
})";

TEST_F(InterpreterTest, BindsSymbolsAndChecksConstraints) {
  func::FuncOp func = parse(symbolic);
  ASSERT_TRUE(func);
  HostTensor ids = i64({2, 3}, {1, 2, 3, 4, 5, 6});
  HostTensor mask = i64({2, 3}, {1, 1, 1, 0, 0, 0});
  auto outputs = interpret(func, {ids, mask});
  ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
  ASSERT_EQ(outputs->size(), 3u);
  expectTensor((*outputs)[0], {2, 3}, {20, 30, 40, 40, 50, 60});
  expectTensor((*outputs)[1], {2}, {2, 6});
  expectTensor((*outputs)[2], {6}, {20, 30, 40, 40, 50, 60});

  auto message = [&](llvm::ArrayRef<HostTensor> inputs) {
    auto result = interpret(func, inputs);
    return result ? "" : llvm::toString(result.takeError());
  };
  EXPECT_CONTAINS(message({ids}), "got 1 inputs, the model has 2");
  EXPECT_CONTAINS(message({ids, i64({2, 2}, {1, 1, 1, 1})}),
                  "input 'attention_mask': dimension 'sequence' is 2, an "
                  "earlier input has 3");
  EXPECT_CONTAINS(message({ids, i64({2}, {1, 1})}), "rank 1, expected 2");
  EXPECT_CONTAINS(message({f32({2, 1}, {1, 1}), i64({2, 1}, {1, 1})}),
                  "input 'input_ids' has element type f32, expected i64");
  HostTensor long5 = i64({2, 5}, std::vector<double>(10, 0));
  EXPECT_CONTAINS(message({long5, long5}),
                  "the sequence is longer than 4 (4 - sequence is -1)");
  HostTensor batch1 = i64({1, 1}, {0});
  EXPECT_CONTAINS(message({batch1, batch1}), "the batch must be 2");
  HostTensor broken = ids;
  broken.data.resize(8);
  EXPECT_CONTAINS(message({broken, mask}), "holds 8 bytes");
}

TEST_F(InterpreterTest, InputShapesMustFollowTheirExpressions) {
  func::FuncOp func = parse(R"(
func.func @forward(%a: tensor<?xf32, #plm.dims<"2*n">>, %b: tensor<?xf32, #plm.dims<"n">>)
    -> tensor<?xf32, #plm.dims<"2*n">> {
  return %a : tensor<?xf32, #plm.dims<"2*n">>
})");
  ASSERT_TRUE(func);
  auto good = interpret(func, {f32({4}, {1, 2, 3, 4}), f32({2}, {0, 0})});
  ASSERT_TRUE(bool(good)) << llvm::toString(good.takeError());
  expectTensor(good->front(), {4}, {1, 2, 3, 4});
  auto bad = interpret(func, {f32({3}, {1, 2, 3}), f32({2}, {0, 0})});
  ASSERT_FALSE(bool(bad));
  EXPECT_CONTAINS(llvm::toString(bad.takeError()),
                  "dimension '2*n' is 3, expected 4");
}

TEST_F(InterpreterTest, DimensionsThatOverflowAreErrors) {
  EXPECT_CONTAINS(
      fail("%a: tensor<?xf32, #plm.dims<\"n\">>", "tensor<1xi64>",
           "%r = plm.shape_value [\"9000000000000000000*n\"] : tensor<1xi64>",
           {f32({2}, {1, 2})}),
      "overflows");
  EXPECT_CONTAINS(fail("%a: tensor<1xf32>", "tensor<1xi64>",
                       "%r = plm.shape_value [\"m\"] : tensor<1xi64>",
                       {f32({1}, {1})}),
                  "dimension 'm'");
}

TEST_F(InterpreterTest, AbsurdSizesAreRefused) {
  EXPECT_CONTAINS(fail("%a: tensor<1xf32>", "tensor<1000000x1000000xf32>",
                       "%r = plm.broadcast %a : (tensor<1xf32>) -> "
                       "tensor<1000000x1000000xf32>",
                       {f32({1}, {1})}),
                  "over 16 GiB");
  EXPECT_CONTAINS(
      fail("%a: tensor<?xf32, #plm.dims<\"n\">>",
           "tensor<?xf32, #plm.dims<\"n - 3\">>",
           "%r = plm.slice %a [\"0\"] [1] : (tensor<?xf32, "
           "#plm.dims<\"n\">>) -> tensor<?xf32, #plm.dims<\"n - 3\">>",
           {f32({2}, {1, 2})}),
      "negative");
}

TEST_F(InterpreterTest, ErrorsNameTheNode) {
  std::string message =
      fail("%a: tensor<1xi64>, %b: tensor<1xi64>", "tensor<1xi64>",
           "%r = plm.binary div %a, %b : (tensor<1xi64>, tensor<1xi64>) -> "
           "tensor<1xi64> loc(\"encoder/Div_3 (Div)\")",
           {i64({1}, {1}), i64({1}, {0})});
  EXPECT_EQ(message, "node 'encoder/Div_3 (Div)': plm.binary: integer division "
                     "by zero");
}

TEST_F(InterpreterTest, OperationsOfOtherDialectsAreErrors) {
  context.allowUnregisteredDialects();
  EXPECT_CONTAINS(fail("%a: tensor<1xi64>", "tensor<1xi64>",
                       "%r = \"other.op\"(%a) : (tensor<1xi64>) -> "
                       "tensor<1xi64>",
                       {i64({1}, {1})}),
                  "other.op: the operation has no reference semantics");
}

TEST_F(InterpreterTest, ParametersFromUnalignedResources) {
  // A blob at an odd address, as in a mapped ONNX file.
  std::vector<char> file(1 + 4 * sizeof(float));
  float values[4] = {1, -2, 3.5f, 4};
  std::memcpy(file.data() + 1, values, sizeof(values));
  auto type = RankedTensorType::get({2, 2}, Float32Type::get(&context));
  auto resource = DenseResourceElementsAttr::get(
      type, "w",
      UnmanagedAsmResourceBlob::allocateWithAlign(
          llvm::ArrayRef<char>(file).drop_front(), 1));
  auto tensor = tensorFromAttr(resource);
  ASSERT_TRUE(bool(tensor)) << llvm::toString(tensor.takeError());
  expectTensor(*tensor, {2, 2}, {1, -2, 3.5, 4});

  func::FuncOp func = parse(R"(
plm.parameter @w = dense<0.0> : tensor<2x2xf32>
func.func @forward(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = plm.get_parameter @w : tensor<2x2xf32>
  %r = plm.matmul %x, %w : (tensor<1x2xf32>, tensor<2x2xf32>) -> tensor<1x2xf32>
  return %r : tensor<1x2xf32>
})");
  ASSERT_TRUE(func);
  module->lookupSymbol<plm::ParameterOp>("w").setValueAttr(resource);
  auto outputs = interpret(func, {f32({1, 2}, {1, 10})});
  ASSERT_TRUE(bool(outputs)) << llvm::toString(outputs.takeError());
  expectTensor(outputs->front(), {1, 2}, {36, 38});

  auto shortBlob = DenseResourceElementsAttr::get(
      type, "short",
      UnmanagedAsmResourceBlob::allocateWithAlign(
          llvm::ArrayRef<char>(file).take_front(8), 1));
  auto failed = tensorFromAttr(shortBlob);
  ASSERT_FALSE(bool(failed));
  EXPECT_CONTAINS(llvm::toString(failed.takeError()), "holds 8 bytes");
}

TEST_F(InterpreterTest, MissingResourceIsAnError) {
  func::FuncOp func = parse(R"(
plm.parameter @w = dense_resource<absent> : tensor<1xf32>
func.func @forward() -> tensor<1xf32> {
  %r = plm.get_parameter @w : tensor<1xf32>
  return %r : tensor<1xf32>
})");
  ASSERT_TRUE(func);
  auto outputs = interpret(func, {});
  ASSERT_FALSE(bool(outputs));
  std::string message = llvm::toString(outputs.takeError());
  EXPECT_CONTAINS(message, "parameter @w");
  EXPECT_CONTAINS(message, "without its weights");
}

TEST_F(InterpreterTest, AttributesAndBack) {
  HostTensor tensors[] = {
      f32({2, 2}, {1, 2, 3, -4}),
      f32({2}, {5, 5}),
      f32({}, {7}),
      f32({0, 3}, {}),
      i64({3}, {1, -2, 3}),
      makeTensor(DType::Bool, {3}, {1, 0, 1}),
      makeTensor(DType::Bool, {2}, {1, 1}),
      makeTensor(DType::Bool, {9}, {1, 0, 1, 1, 0, 0, 0, 0, 1}),
      makeTensor(DType::U8, {2}, {200, 3}),
      makeTensor(DType::I8, {2}, {-100, 3}),
      makeTensor(DType::I32, {1}, {-100}),
      makeTensor(DType::F16, {2}, {0.5, -2}),
      makeTensor(DType::BF16, {2}, {0.5, -2}),
      makeTensor(DType::F64, {1}, {0.1})};
  for (const HostTensor &tensor : tensors) {
    auto back = tensorFromAttr(attrFromTensor(tensor, &context));
    ASSERT_TRUE(bool(back)) << llvm::toString(back.takeError());
    EXPECT_EQ(back->dtype, tensor.dtype);
    EXPECT_EQ(back->shape, tensor.shape);
    EXPECT_EQ(back->data, tensor.data);
  }
  EXPECT_TRUE(attrFromTensor(tensors[1], &context).isSplat());
  // As the parser makes them, not only as we do.
  auto parsed = cast<ElementsAttr>(mlir::parseAttribute(
      "dense<[true, false, true]> : tensor<3xi1>", &context));
  expectTensor(llvm::cantFail(tensorFromAttr(parsed)), {3}, {1, 0, 1});
}

TEST_F(InterpreterTest, EvaluateOpChecksItsOperands) {
  func::FuncOp func = parse(R"(
func.func @forward(%a: tensor<2xf32>) -> tensor<2xf32> {
  %r = plm.unary neg %a : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
})");
  ASSERT_TRUE(func);
  Operation *op = &func.getBody().front().front();
  expectTensor(llvm::cantFail(evaluateOp(op, {f32({2}, {1, -2})}, {})), {2},
               {-1, 2});
  auto message = [&](llvm::ArrayRef<HostTensor> operands) {
    auto result = evaluateOp(op, operands, {});
    return result ? "" : llvm::toString(result.takeError());
  };
  EXPECT_CONTAINS(message({}), "got 0 operand values for 1 operands");
  EXPECT_CONTAINS(message({f32({3}, {1, 2, 3})}), "size 2 expected");
  EXPECT_CONTAINS(message({i64({2}, {1, 2})}), "element type i64");
}

} // namespace plmc
