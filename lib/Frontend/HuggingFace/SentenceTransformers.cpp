//===- SentenceTransformers.cpp - modules.json ----------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "SentenceTransformers.h"
#include "../ONNX/Diagnostics.h"
#include "ShardPath.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

static std::string pathIn(StringRef folder, StringRef name) {
  SmallString<256> path(folder);
  sys::path::append(path, name);
  return path.str().str();
}

Expected<SentenceModules> SentenceModules::open(StringRef folder) {
  SentenceModules result;
  std::string path = pathIn(folder, "modules.json");
  result.displayName = printable(path, 400);
  Expected<Json> json = readJson(path);
  if (!json)
    return json.takeError();
  if (!json->is_array() || json->size() > 64)
    return badModel(result.displayName +
                    ": it is no list of modules; download it again");
  for (const Json &entry : *json) {
    const Json *type = member(entry, "type"), *place = member(entry, "path");
    if (!type || !type->is_string() || !place || !place->is_string())
      return badModel(result.displayName + ": a module has no type or path; "
                                           "download it again");
    StringRef name = type->get_ref<const std::string &>();
    name = name.rsplit('.').second.empty() ? name : name.rsplit('.').second;
    StringRef where = place->get_ref<const std::string &>();
    std::string own = folder.str();
    if (!where.empty()) {
      Expected<std::string> resolved = resolveShard(folder, where);
      // Normalize has nothing to read, and often no folder.
      if (resolved)
        own = *resolved;
      else if (name == "Normalize" || name == "Dropout")
        consumeError(resolved.takeError());
      else
        return badModel(result.displayName + ": " +
                        toString(resolved.takeError()));
    }
    if (name == "Transformer" && result.transformer.empty())
      result.transformer = own;
    else if (name == "Pooling")
      result.modules.push_back({Kind::Pooling, own});
    else if (name == "Dense")
      result.modules.push_back({Kind::Dense, own});
    else if (name == "Normalize")
      result.modules.push_back({Kind::Normalize, ""});
    else if (name != "Dropout")
      return unsupported(result.displayName + ": module '" +
                         printable(type->get_ref<const std::string &>(), 80) +
                         "' is not supported; supported are Transformer, "
                         "Pooling, Dense, Dropout, Normalize");
  }
  if (result.transformer.empty())
    return badModel(result.displayName + ": no module is a Transformer");
  if (result.modules.empty() || result.modules.front().kind != Kind::Pooling)
    return unsupported(result.displayName +
                       ": the module after Transformer must be Pooling");
  return result;
}

namespace {

/// One way of pooling. With `sqrtLength`, the sum of the tokens is divided by
/// the square root of their number and not by the number.
struct PoolMode {
  plm::PoolKind kind;
  bool sqrtLength = false;
};

} // namespace

/// The ways of pooling that are switched on, in the order in which their
/// vectors are put side by side.
static std::vector<PoolMode> poolModes(Config &config) {
  constexpr const char *supported =
      "supported are cls, max, mean and mean_sqrt_len_tokens";
  std::vector<PoolMode> modes;
  std::vector<std::string> names = config.strings("pooling_mode");
  auto add = [&](StringRef key, StringRef shortName, PoolMode mode) {
    if (config.boolean(key, false) || llvm::is_contained(names, shortName))
      modes.push_back(mode);
    llvm::erase_if(names,
                   [&](const std::string &name) { return name == shortName; });
  };
  add("pooling_mode_cls_token", "cls", {plm::PoolKind::First});
  add("pooling_mode_max_tokens", "max", {plm::PoolKind::Max});
  add("pooling_mode_mean_tokens", "mean", {plm::PoolKind::Mean});
  add("pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens",
      {plm::PoolKind::Mean, true});
  for (StringRef other :
       {"pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"})
    config.refuse(other, supported);
  for (const std::string &name : names)
    config.unsupported("pooling_mode is '" + printable(name, 40) + "'; " +
                       supported);
  if (modes.empty() && !config.hasFailed())
    config.fail("no way of pooling is switched on");
  return modes;
}

/// sqrt(max(number of kept tokens, 1e-9)), [B, 1].
static Tensor sqrtLength(ModelBuilder &b, const Tensor &mask) {
  GraphBuilder &graph = b.graph;
  Tensor count = graph.reduce(plm::ReduceKind::Sum,
                              graph.cast(mask, DType::F32), {1}, true);
  return graph.unary(plm::UnaryKind::Sqrt,
                     graph.binary(plm::BinaryKind::Max, count,
                                  graph.scalar(DType::F32, 1e-9)));
}

Tensor SentenceModules::pool(ModelBuilder &b, const Module &module,
                             const Tensor &hidden, const Tensor &mask) const {
  Expected<Config> config = Config::open(pathIn(module.folder, "config.json"));
  if (!config)
    return b.fail(config.takeError());
  std::vector<PoolMode> modes = poolModes(*config);
  if (Error error = config->takeFailure())
    return b.fail(std::move(error));
  b.setModule("pooling");
  SmallVector<Tensor> vectors;
  for (PoolMode mode : modes) {
    bool first = mode.kind == plm::PoolKind::First;
    Tensor vector = b.pool(mode.kind, hidden, first ? Tensor() : mask);
    if (mode.sqrtLength && !b.hasFailed())
      vector = b.graph.mul(vector, sqrtLength(b, mask));
    vectors.push_back(vector);
  }
  return b.hasFailed() ? Tensor() : b.graph.concat(vectors, 1);
}

Tensor SentenceModules::dense(ModelBuilder &b, const Module &module,
                              const Tensor &x) const {
  if (!x || b.hasFailed())
    return Tensor();
  Expected<Config> config = Config::open(pathIn(module.folder, "config.json"));
  if (!config)
    return b.fail(config.takeError());
  int64_t in = config->size("in_features", 0);
  int64_t out = config->size("out_features", 0);
  bool bias = config->boolean("bias", true);
  std::string function =
      config->string("activation_function", "torch.nn.modules.activation.Tanh");
  if (x.dim(1) != DimExpr(in))
    config->fail("in_features is " + Twine(in) + ", but the vectors have " +
                 x.dim(1).str() + " elements");
  StringRef name = StringRef(function).rsplit('.').second;
  auto activation =
      StringSwitch<std::optional<std::string>>(name.empty() ? function : name)
          .Case("Identity", "linear")
          .Case("Tanh", "tanh")
          .Case("ReLU", "relu")
          .Case("GELU", "gelu")
          .Case("SiLU", "silu")
          .Case("Sigmoid", "sigmoid")
          .Default(std::nullopt);
  if (!activation)
    config->unsupported("activation_function is '" + printable(function, 80) +
                        "'; supported are Identity, Tanh, ReLU, GELU, SiLU, "
                        "Sigmoid");
  if (Error error = config->takeFailure())
    return b.fail(std::move(error));
  Expected<Checkpoint> weights = Checkpoint::open(module.folder);
  if (!weights)
    return b.fail(weights.takeError());
  ModelBuilder own(b.graph, b.getBlock(), *weights, *config);
  Tensor y = own.linear(x, "linear", in, out, bias);
  return own.activation(y, *activation, "activation_function");
}

Tensor SentenceModules::build(ModelBuilder &b, const Tensor &hidden,
                              const Tensor &mask) const {
  Tensor x = hidden;
  for (const Module &module : modules) {
    if (!x || b.hasFailed())
      return Tensor();
    switch (module.kind) {
    case Kind::Pooling:
      if (x.rank() != 3)
        return b.unsupported(displayName + ": Pooling comes twice");
      x = pool(b, module, x, mask);
      break;
    case Kind::Dense:
      x = dense(b, module, x);
      break;
    case Kind::Normalize:
      b.setModule("normalize");
      x = b.l2Normalize(x, 1e-12);
      break;
    }
  }
  return x;
}

} // namespace plmc::huggingface
