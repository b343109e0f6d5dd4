//===- ModelTables.cpp - What a library says about itself -------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelTables.h"
#include "RuntimeInterface.h"
#include "plmc/CodeGen/Passes.h"
#include "plmc/Support/HostTensor.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using namespace plmc;

static std::string nameOf(func::FuncOp func, bool argument, unsigned index) {
  Attribute attr = argument ? func.getArgAttr(index, "plm.name")
                            : func.getResultAttr(index, "plm.name");
  if (auto name = dyn_cast_if_present<StringAttr>(attr))
    return name.getValue().str();
  return (argument ? "input" : "output") + std::to_string(index);
}

bool plmc::isTokenInput(func::FuncOp func, unsigned index) {
  std::string name = StringRef(nameOf(func, true, index)).lower();
  auto has = [&](StringRef part) { return StringRef(name).contains(part); };
  return (has("ids") || has("token")) && !has("mask") && !has("type") &&
         !has("segment") && !has("position");
}

std::string plmc::cpuNames(ArrayRef<TargetInfo> targets) {
  return targets.size() == 1
             ? targets.front().name
             : "any: " + targets.back().name + " to " + targets.front().name;
}

llvm::Expected<std::string> plmc::describeModel(ModuleOp module,
                                                ArrayRef<TargetInfo> targets,
                                                const CompileOptions &options,
                                                const ProgramInfo &info,
                                                int64_t weightBytes) {
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  nlohmann::json json;
  json["abi"] = runtime::abiVersion;
  json["target"] = "x86";
  json["cpu"] = cpuNames(targets);
  for (const TargetInfo &target : targets)
    json["cpus"].push_back(target.name);
  json["symbols"] = info.symbols;
  json["weight_bytes"] = weightBytes;
  int64_t parameters = 0;
  for (auto parameter : module.getOps<plm::ParameterOp>())
    parameters += parameter.getTensorType().getNumElements();
  json["parameters"] = parameters;
  auto describe = [&](Type type, const std::string &name) {
    auto tensor = cast<RankedTensorType>(type);
    nlohmann::json entry;
    entry["name"] = name;
    auto dtype = dtypeFromMLIR(tensor.getElementType());
    entry["dtype"] = dtype ? dtypeName(*dtype).str() : "unknown";
    entry["dims"] = nlohmann::json::array();
    for (const DimExpr &dim : getDims(tensor))
      entry["dims"].push_back(dim.str());
    return entry;
  };
  json["inputs"] = nlohmann::json::array();
  json["outputs"] = nlohmann::json::array();
  for (auto [index, type] : llvm::enumerate(func.getArgumentTypes()))
    json["inputs"].push_back(describe(type, nameOf(func, true, index)));
  for (auto [index, type] : llvm::enumerate(func.getResultTypes())) {
    auto entry = describe(type, nameOf(func, false, index));
    entry["padding"] =
        func.getResultAttr(index, attrs::paddingZero) ? "zero" : "none";
    json["outputs"].push_back(entry);
  }
  json["steps"] = nlohmann::json::array();
  for (const ProgramInfo::Step &step : info.steps)
    json["steps"].push_back({{"op", step.op},
                             {"kernel", step.kernel},
                             {"layer", step.layer},
                             {"precision", step.precision},
                             {"flops", step.flops.str()},
                             {"bytes", step.bytes.str()}});
  json["build"] = nlohmann::json::parse(options.buildRecord, nullptr,
                                        /*allow_exceptions=*/false);
  if (json["build"].is_discarded())
    return llvm::createStringError("internal: the build record is no JSON");
  if (json["build"].contains("source"))
    json["name"] = json["build"]["source"];
  // Names come from the file and may hold any bytes.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {

/// Builds constants of the runtime's structures.
class Tables {
public:
  explicit Tables(llvm::Module &module)
      : module(module), context(module.getContext()),
        ptr(llvm::PointerType::getUnqual(context)),
        i32(llvm::Type::getInt32Ty(context)),
        i64(llvm::Type::getInt64Ty(context)) {}

  llvm::Constant *integer(llvm::Type *type, int64_t value) {
    return llvm::ConstantInt::get(type, value, /*IsSigned=*/true);
  }
  llvm::Constant *global(llvm::Constant *value, StringRef name) {
    auto *variable = new llvm::GlobalVariable(
        module, value->getType(), /*isConstant=*/true,
        llvm::GlobalValue::InternalLinkage, value, name);
    variable->setAlignment(llvm::Align(8));
    return variable;
  }
  llvm::Constant *string(StringRef text) {
    return global(llvm::ConstantDataArray::getString(context, text), "plm_str");
  }
  llvm::Constant *array(llvm::Type *type, ArrayRef<llvm::Constant *> values,
                        StringRef name) {
    if (values.empty())
      return llvm::ConstantPointerNull::get(ptr);
    return global(llvm::ConstantArray::get(
                      llvm::ArrayType::get(type, values.size()), values),
                  name);
  }
  llvm::Constant *strings(ArrayRef<std::string> texts, StringRef name) {
    SmallVector<llvm::Constant *> values;
    for (const std::string &text : texts)
      values.push_back(string(text));
    return array(ptr, values, name);
  }
  llvm::Constant *structure(ArrayRef<llvm::Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }

  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::PointerType *ptr;
  llvm::Type *i32, *i64;
};

} // namespace

void plmc::addModelTables(llvm::Module &llvmModule, ModuleOp module,
                          ArrayRef<TargetInfo> targets, const ProgramInfo &info,
                          StringRef description,
                          std::optional<int64_t> tokenizerOffset,
                          int64_t tokenizerBytes) {
  Tables t(llvmModule);
  auto func = module.lookupSymbol<func::FuncOp>("forward");
  // How the runtime writes a size: >= 0 fixed, else symbol -(v + 1).
  auto encode = [&](const DimExpr &dim) -> int64_t {
    if (std::optional<int64_t> size = dim.constant())
      return *size;
    auto it = llvm::find(info.symbols, dim.str());
    return -int64_t(it - info.symbols.begin()) - 1;
  };
  auto tensors = [&](ArrayRef<Type> types, bool argument) {
    SmallVector<llvm::Constant *> entries;
    for (auto [index, type] : llvm::enumerate(types)) {
      auto tensor = cast<RankedTensorType>(type);
      SmallVector<llvm::Constant *> dims;
      if (argument)
        for (const DimExpr &dim : getDims(tensor))
          dims.push_back(t.integer(t.i64, encode(dim)));
      auto dtype = dtypeFromMLIR(tensor.getElementType());
      entries.push_back(
          t.structure({t.string(nameOf(func, argument, index)),
                       t.integer(t.i32, dtype ? int32_t(*dtype) : 0),
                       t.integer(t.i32, tensor.getRank()),
                       t.array(t.i64, dims, "plm_dims")}));
    }
    llvm::Type *type =
        llvm::StructType::get(t.context, {t.ptr, t.i32, t.i32, t.ptr});
    return t.array(type, entries, argument ? "plm_inputs" : "plm_outputs");
  };
  SmallVector<llvm::Constant *> idChecks;
  for (const ProgramInfo::IdCheck &check : info.idChecks)
    idChecks.push_back(
        t.structure({t.integer(t.i32, check.input), t.integer(t.i32, 0),
                     t.integer(t.i64, check.limit)}));
  auto integerAttr = [&](StringRef name) {
    auto attr = module->getAttrOfType<IntegerAttr>(name);
    return attr ? attr.getInt() : 0;
  };
  auto function = [&](StringRef name) -> llvm::Constant * {
    if (llvm::Function *found = llvmModule.getFunction(name))
      return found;
    return llvm::ConstantPointerNull::get(t.ptr);
  };
  SmallVector<llvm::Constant *> variants;
  for (auto [index, target] : llvm::enumerate(targets))
    variants.push_back(t.structure(
        {t.integer(t.i64, target.featureBits), t.string(target.name),
         function(("plm_gen_mask." + Twine(index)).str()),
         function(("plm_gen_run." + Twine(index)).str())}));
  auto *weights = new llvm::GlobalVariable(
      llvmModule, llvm::Type::getInt8Ty(t.context), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, nullptr, "plm_weights");
  weights->setVisibility(llvm::GlobalValue::HiddenVisibility);
  weights->setDSOLocal(true);

  llvm::Constant *tokenizer = llvm::ConstantPointerNull::get(t.ptr);
  if (tokenizerOffset)
    tokenizer = llvm::ConstantExpr::getGetElementPtr(
        llvm::Type::getInt8Ty(t.context), weights,
        t.integer(t.i64, *tokenizerOffset));
  llvm::Constant *model = t.structure(
      {t.integer(t.i32, runtime::abiVersion),
       t.integer(t.i32, func.getNumArguments()),
       t.integer(t.i32, func.getNumResults()),
       t.integer(t.i32, info.symbols.size()),
       t.integer(t.i32, info.numSlots),
       t.integer(t.i32, idChecks.size()),
       t.integer(t.i32, integerAttr(attrs::packMode)),
       t.integer(t.i32, integerAttr(attrs::maskInput)),
       t.integer(t.i32, targets.size()),
       t.integer(t.i32, info.steps.size()),
       tensors(func.getArgumentTypes(), true),
       tensors(func.getResultTypes(), false),
       t.strings(info.symbols, "plm_symbols"),
       t.string(description),
       t.array(llvm::StructType::get(t.context, {t.i64, t.ptr, t.ptr, t.ptr}),
               variants, "plm_variants"),
       t.array(llvm::StructType::get(t.context, {t.i32, t.i32, t.i64}),
               idChecks, "plm_id_checks"),
       t.strings(info.constraintMessages, "plm_constraints"),
       t.strings(info.indexCheckMessages, "plm_index_checks"),
       weights,
       function("plm_gen_check"),
       function("plm_gen_plan"),
       function("plm_gen_output_dims"),
       function("plm_gen_token_dims"),
       tokenizer,
       t.integer(t.i64, tokenizerBytes)});
  auto *variable = new llvm::GlobalVariable(
      llvmModule, model->getType(), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, model, "plm_generated");
  variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
  variable->setAlignment(llvm::Align(8));
}
