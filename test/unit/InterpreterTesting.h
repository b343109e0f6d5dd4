//===- InterpreterTesting.h - Helpers of the interpreter's tests --*- C++
//-*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_INTERPRETERTESTING_H
#define PLMC_TEST_UNIT_INTERPRETERTESTING_H

#include "mlir/Parser/Parser.h"
#include "plmc/Dialect/PLM/PLM.h"
#include "plmc/Interpreter/Interpreter.h"
#include <cmath>
#include <gtest/gtest.h>

namespace plmc {

inline HostTensor makeTensor(DType dtype, llvm::ArrayRef<int64_t> shape,
                             llvm::ArrayRef<double> values) {
  HostTensor tensor(dtype, shape);
  EXPECT_EQ(tensor.numElements(), static_cast<int64_t>(values.size()));
  for (auto [index, value] : llvm::enumerate(values)) {
    if (isFloat(dtype))
      tensor.setDouble(index, value);
    else
      tensor.setInt(index, static_cast<int64_t>(value));
  }
  return tensor;
}
inline HostTensor f32(llvm::ArrayRef<int64_t> shape,
                      llvm::ArrayRef<double> values) {
  return makeTensor(DType::F32, shape, values);
}
inline HostTensor i64(llvm::ArrayRef<int64_t> shape,
                      llvm::ArrayRef<double> values) {
  return makeTensor(DType::I64, shape, values);
}

/// Same shape, and values that differ by at most 1e-6 of their size; NaN
/// equals NaN.
inline void expectTensor(const HostTensor &tensor,
                         llvm::ArrayRef<int64_t> shape,
                         llvm::ArrayRef<double> values) {
  ASSERT_EQ(llvm::ArrayRef<int64_t>(tensor.shape), shape);
  ASSERT_EQ(tensor.numElements(), static_cast<int64_t>(values.size()));
  for (auto [index, value] : llvm::enumerate(values)) {
    double actual = tensor.getDouble(index);
    if (std::isnan(value))
      EXPECT_TRUE(std::isnan(actual)) << "element " << index << ": " << actual;
    else if (std::isinf(value))
      EXPECT_EQ(actual, value) << "element " << index;
    else
      EXPECT_NEAR(actual, value, 1e-6 * std::fmax(1, std::fabs(value)))
          << "element " << index;
  }
}

class InterpreterTesting : public ::testing::Test {
protected:
  InterpreterTesting() {
    context.loadDialect<plm::PLMDialect, mlir::func::FuncDialect>();
  }

  /// Parses a module and keeps it; returns its @forward.
  mlir::func::FuncOp parse(const std::string &text) {
    module = mlir::parseSourceString<mlir::ModuleOp>(text, &context);
    EXPECT_TRUE(module) << text;
    return module ? module->lookupSymbol<mlir::func::FuncOp>("forward")
                  : mlir::func::FuncOp();
  }

  /// `func.func @forward(ARGUMENTS) -> RESULT { BODY; return %r : RESULT }`.
  llvm::Expected<std::vector<HostTensor>>
  runBody(const std::string &arguments, const std::string &result,
          const std::string &body, llvm::ArrayRef<HostTensor> inputs) {
    mlir::func::FuncOp func =
        parse("func.func @forward(" + arguments + ") -> " + result + " {\n" +
              body + "\nreturn %r : " + result + "\n}");
    if (!func)
      return llvm::createStringError("did not parse");
    return interpret(func, inputs);
  }

  HostTensor run(const std::string &arguments, const std::string &result,
                 const std::string &body, llvm::ArrayRef<HostTensor> inputs) {
    auto outputs = runBody(arguments, result, body, inputs);
    if (!outputs) {
      ADD_FAILURE() << llvm::toString(outputs.takeError());
      return HostTensor();
    }
    EXPECT_EQ(outputs->size(), 1u);
    return outputs->front();
  }

  /// The message of a run that must fail.
  std::string fail(const std::string &arguments, const std::string &result,
                   const std::string &body, llvm::ArrayRef<HostTensor> inputs) {
    auto outputs = runBody(arguments, result, body, inputs);
    if (!outputs)
      return llvm::toString(outputs.takeError());
    ADD_FAILURE() << "the run succeeded";
    return "";
  }

  /// One op of one operand: `%r = OP %a ATTRIBUTES : (TYPE) -> RESULT`.
  HostTensor unary(const std::string &op, const std::string &attributes,
                   const std::string &type, const std::string &result,
                   const HostTensor &input) {
    return run("%a: " + type, result,
               "%r = plm." + op + " %a " + attributes + " : (" + type +
                   ") -> " + result,
               {input});
  }
  HostTensor binary(const std::string &op, const std::string &attributes,
                    const std::string &lhsType, const std::string &rhsType,
                    const std::string &result, const HostTensor &lhs,
                    const HostTensor &rhs) {
    return run("%a: " + lhsType + ", %b: " + rhsType, result,
               "%r = plm." + op + " %a, %b " + attributes + " : (" + lhsType +
                   ", " + rhsType + ") -> " + result,
               {lhs, rhs});
  }

  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

inline bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}
#define EXPECT_CONTAINS(text, part)                                            \
  EXPECT_PRED2(::plmc::contains, (text), std::string(part))

} // namespace plmc

#endif // PLMC_TEST_UNIT_INTERPRETERTESTING_H
