//===- PassOptions.cpp - The options of a registered pass -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step's options are those of its pass: nothing about them is written down a
// second time. MLIR can parse and print a pass's options but gives no list of
// them with their types; and when LLVM's parser meets a value of the wrong type
// it writes to stderr by itself, where one line with a file and a number is
// wanted. So the types must be known before the parser sees a value.
//
// They are known to the options' own classes. Two doors have to be opened:
//   - `Pass::passOptions` is private. An explicit instantiation may name a
//     private member, and a friend function hands it out.
//   - `PassOptions` inherits its map of options, by protected inheritance. A
//     C-style cast ignores that.
// Both are well-defined C++. What it costs: a new LLVM may rename the member,
// and then this file does not compile.
//
//===----------------------------------------------------------------------===//

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "plmc/Recipe/Steps.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using Options = mlir::detail::PassOptions;

namespace {

template <Options Pass::*member> struct Door {
  friend Options &optionsOf(Pass &pass) { return pass.*member; }
};
Options &optionsOf(Pass &pass);
template struct Door<&Pass::passOptions>;

} // namespace

namespace plmc {

using Type = StepOption::Type;

template <typename T> static std::string textOf(const T &value) {
  if constexpr (std::is_same_v<T, std::string>)
    return value;
  else if constexpr (std::is_same_v<T, bool>)
    return value ? "true" : "false";
  else
    return llvm::formatv("{0}", value).str();
}

/// Fills in what is known if the option holds values of T.
template <typename T>
static bool describeAs(const llvm::cl::Option *option, Type type,
                       StepOption &result) {
  if (auto *single = dynamic_cast<const Options::Option<T> *>(option))
    result.defaultValue = textOf(T(single->getValue()));
  else if (dynamic_cast<const Options::ListOption<T> *>(option))
    result.isList = true;
  else
    return false;
  result.type = type;
  result.bits = sizeof(T) * 8;
  return true;
}

static StepOption describe(const llvm::cl::Option *option) {
  StepOption result;
  result.name = option->ArgStr.str();
  result.help = option->HelpStr.str();
  (void)(describeAs<bool>(option, Type::Flag, result) ||
         describeAs<int>(option, Type::Integer, result) ||
         describeAs<long>(option, Type::Integer, result) ||
         describeAs<long long>(option, Type::Integer, result) ||
         describeAs<unsigned>(option, Type::Unsigned, result) ||
         describeAs<unsigned long>(option, Type::Unsigned, result) ||
         describeAs<unsigned long long>(option, Type::Unsigned, result) ||
         describeAs<float>(option, Type::Number, result) ||
         describeAs<double>(option, Type::Number, result) ||
         describeAs<std::string>(option, Type::Text, result));
  return result;
}

std::vector<StepOption> passOptions(StringRef argument) {
  const PassInfo *info = PassInfo::lookup(argument);
  if (!info)
    return {};
  OpPassManager pm; // of any operation
  if (failed(info->addToPipeline(pm, "",
                                 [](const Twine &) { return failure(); })) ||
      pm.empty())
    return {};
  Pass &pass = *pm.begin();
  std::vector<StepOption> result;
  for (auto &entry : ((llvm::cl::SubCommand &)optionsOf(pass)).OptionsMap)
    result.push_back(describe(entry.second));
  llvm::sort(result, [](const StepOption &a, const StepOption &b) {
    return a.name < b.name;
  });
  return result;
}

std::string StepOption::typeName() const {
  const char *name = "text";
  switch (type) {
  case Type::Flag:
    name = "true or false";
    break;
  case Type::Integer:
    name = "integer";
    break;
  case Type::Unsigned:
    name = "integer >= 0";
    break;
  case Type::Number:
    name = "number";
    break;
  case Type::Text:
  case Type::Other:
    break;
  }
  return isList ? std::string("list of ") + name : name;
}

bool StepOption::accepts(StringRef value) const {
  switch (type) {
  case Type::Flag:
    return value == "true" || value == "false";
  case Type::Integer: {
    int64_t number;
    return !value.getAsInteger(10, number) && llvm::isIntN(bits, number);
  }
  case Type::Unsigned: {
    uint64_t number;
    return !value.getAsInteger(10, number) && llvm::isUIntN(bits, number);
  }
  case Type::Number: {
    double number;
    return !value.getAsDouble(number) && std::isfinite(number);
  }
  case Type::Text:
  case Type::Other:
    return true;
  }
  return true;
}

} // namespace plmc
