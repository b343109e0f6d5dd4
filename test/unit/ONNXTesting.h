//===- ONNXTesting.h - Tiny ONNX models for tests ---------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PLMC_TEST_UNIT_ONNXTESTING_H
#define PLMC_TEST_UNIT_ONNXTESTING_H

#include "InterpreterTesting.h"
#include "mlir/IR/MLIRContext.h"
#include "onnx-ml.pb.h"
#include "plmc/Dialect/PLM/DimExpr.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

namespace plmc {

/// A folder of the running test's own: tests may run at the same time.
inline std::string testFolder() {
  std::string path =
      std::string(PLMC_TEST_TMP) + "/onnx/" +
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
  std::replace(path.begin() + sizeof(PLMC_TEST_TMP) + 5, path.end(), '/', '_');
  EXPECT_FALSE(llvm::sys::fs::create_directories(path));
  return path;
}

/// Writes bytes to a file in the test's folder; the path.
inline std::string writeTestFile(llvm::StringRef name, llvm::StringRef bytes) {
  std::string path = testFolder() + "/" + name.str();
  std::error_code error;
  llvm::raw_fd_ostream out(path, error);
  EXPECT_FALSE(error) << error.message();
  out << bytes;
  return path;
}

/// Builds a ModelProto.
class ModelBuilder {
public:
  explicit ModelBuilder(int64_t opset = 17) {
    model.set_ir_version(8);
    model.set_producer_name("test");
    model.add_opset_import()->set_version(opset);
    graph().set_name("graph");
  }
  onnx::GraphProto &graph() { return *model.mutable_graph(); }

  /// Dims are numbers, names, or "" for an anonymous dimension.
  void input(llvm::StringRef name, int32_t type,
             llvm::ArrayRef<const char *> dims) {
    onnx::ValueInfoProto &info = *graph().add_input();
    info.set_name(name.str());
    auto &tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (llvm::StringRef dim : dims) {
      auto &proto = *tensor.mutable_shape()->add_dim();
      int64_t size;
      if (!dim.getAsInteger(10, size))
        proto.set_dim_value(size);
      else if (!dim.empty())
        proto.set_dim_param(dim.str());
    }
  }
  void output(llvm::StringRef name) {
    graph().add_output()->set_name(name.str());
  }
  onnx::NodeProto &node(llvm::StringRef opType,
                        llvm::ArrayRef<const char *> inputs,
                        llvm::ArrayRef<const char *> outputs) {
    onnx::NodeProto &proto = *graph().add_node();
    proto.set_op_type(opType.str());
    for (const char *input : inputs)
      proto.add_input(input);
    for (const char *output : outputs)
      proto.add_output(output);
    return proto;
  }
  onnx::TensorProto &ints(llvm::StringRef name, llvm::ArrayRef<int64_t> dims,
                          llvm::ArrayRef<int64_t> values) {
    onnx::TensorProto &proto = *graph().add_initializer();
    proto.set_name(name.str());
    proto.set_data_type(onnx::TensorProto::INT64);
    for (int64_t dim : dims)
      proto.add_dims(dim);
    for (int64_t value : values)
      proto.add_int64_data(value);
    return proto;
  }
  /// A vector, or a scalar for one value and no dims.
  onnx::TensorProto &intVector(llvm::StringRef name,
                               llvm::ArrayRef<int64_t> values) {
    return ints(name, {int64_t(values.size())}, values);
  }
  onnx::TensorProto &floats(llvm::StringRef name, llvm::ArrayRef<int64_t> dims,
                            llvm::ArrayRef<float> values) {
    onnx::TensorProto &proto = *graph().add_initializer();
    proto.set_name(name.str());
    proto.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t dim : dims)
      proto.add_dims(dim);
    proto.set_raw_data(
        std::string(reinterpret_cast<const char *>(values.data()),
                    values.size() * sizeof(float)));
    return proto;
  }
  std::string save(llvm::StringRef name) {
    return writeTestFile(name, model.SerializeAsString());
  }

  onnx::ModelProto model;
};

inline void setAttr(onnx::NodeProto &node, const char *name, int64_t value) {
  onnx::AttributeProto &attr = *node.add_attribute();
  attr.set_name(name);
  attr.set_type(onnx::AttributeProto::INT);
  attr.set_i(value);
}
inline void setAttr(onnx::NodeProto &node, const char *name,
                    llvm::ArrayRef<int64_t> values) {
  onnx::AttributeProto &attr = *node.add_attribute();
  attr.set_name(name);
  attr.set_type(onnx::AttributeProto::INTS);
  for (int64_t value : values)
    attr.add_ints(value);
}
inline void setAttr(onnx::NodeProto &node, const char *name,
                    const char *value) {
  onnx::AttributeProto &attr = *node.add_attribute();
  attr.set_name(name);
  attr.set_type(onnx::AttributeProto::STRING);
  attr.set_s(value);
}

class ONNXTesting : public ::testing::Test {
protected:
  ONNXTesting() : context(mlir::MLIRContext::Threading::DISABLED) {}

  /// Imports; a failure fails the test and gives null.
  mlir::func::FuncOp import(llvm::StringRef path) {
    auto result = importONNX(path, &context);
    if (!result) {
      ADD_FAILURE() << llvm::toString(result.takeError());
      return {};
    }
    module = std::move(*result);
    return module->lookupSymbol<mlir::func::FuncOp>("forward");
  }
  mlir::func::FuncOp import(ModelBuilder &model) {
    return import(model.save("model.onnx"));
  }

  /// The message of a refused import, which must be one line and start with
  /// the file's name.
  std::string refusal(llvm::StringRef path, ImportError::Kind kind) {
    auto result = importONNX(path, &context);
    if (result) {
      ADD_FAILURE() << "the import succeeded";
      return "";
    }
    std::string message;
    llvm::handleAllErrors(
        result.takeError(),
        [&](const ImportError &error) {
          EXPECT_EQ(static_cast<int>(error.getKind()), static_cast<int>(kind));
          llvm::raw_string_ostream os(message);
          error.log(os);
        },
        [](const llvm::ErrorInfoBase &) {
          ADD_FAILURE() << "not an ImportError";
        });
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_EQ(message.rfind(path.str(), 0), 0u) << message;
    return message;
  }
  std::string refusal(ModelBuilder &model, ImportError::Kind kind) {
    return refusal(model.save("model.onnx"), kind);
  }
  void expectRefusal(ModelBuilder &model, ImportError::Kind kind,
                     llvm::StringRef part) {
    std::string message = refusal(model, kind);
    EXPECT_NE(message.find(part.str()), std::string::npos)
        << "'" << message << "' does not say '" << part.str() << "'";
  }

  /// Runs the imported function; fails the test and gives nothing on errors.
  std::vector<HostTensor> run(mlir::func::FuncOp func,
                              llvm::ArrayRef<HostTensor> inputs) {
    if (!func)
      return {};
    auto result = interpret(func, inputs);
    if (result)
      return std::move(*result);
    ADD_FAILURE() << llvm::toString(result.takeError());
    return {};
  }

  template <typename OpTy> unsigned count() {
    unsigned number = 0;
    module->walk([&](OpTy) { ++number; });
    return number;
  }
  std::string argDims(mlir::func::FuncOp func, unsigned index) {
    return dimsText(func.getArgumentTypes()[index]);
  }
  std::string resultDims(mlir::func::FuncOp func, unsigned index) {
    return dimsText(func.getResultTypes()[index]);
  }
  static std::string dimsText(mlir::Type type) {
    std::string text;
    for (const DimExpr &dim : getDims(llvm::cast<mlir::RankedTensorType>(type)))
      text += (text.empty() ? "" : ", ") + dim.str();
    return text;
  }
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace plmc

#endif // PLMC_TEST_UNIT_ONNXTESTING_H
