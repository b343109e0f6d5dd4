//===- Checkpoint.cpp - The weights of a model's folder -------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
#include "Checkpoint.h"
#include "../ONNX/Diagnostics.h"
#include "Json.h"
#include "ShardPath.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <cstring>

using namespace llvm;
using namespace plmc::importer;

namespace plmc::huggingface {

static std::string pathIn(StringRef folder, StringRef name) {
  SmallString<256> path(folder);
  sys::path::append(path, name);
  return path.str().str();
}

/// What a folder without safetensors has instead.
static Error noWeights(StringRef folder) {
  for (StringRef other : {"pytorch_model.bin", "pytorch_model.bin.index.json",
                          "tf_model.h5", "flax_model.msgpack"})
    if (sys::fs::exists(pathIn(folder, other)))
      return unsupported(printable(folder, 400) + ": it has only " + other +
                         ", which plmc does not read; convert it with "
                         "transformers: AutoModel.from_pretrained(folder)."
                         "save_pretrained(other) writes model.safetensors");
  return badModel(printable(folder, 400) +
                  ": there is no model.safetensors (or "
                  "model.safetensors.index.json) beside config.json; download "
                  "the weights too");
}

Expected<Checkpoint> Checkpoint::open(StringRef folder) {
  Checkpoint checkpoint;
  std::string single = pathIn(folder, "model.safetensors");
  std::string index = pathIn(folder, "model.safetensors.index.json");
  if (sys::fs::exists(single)) {
    checkpoint.displayName = printable(single, 400);
    auto file = SafetensorsFile::open(single);
    if (!file)
      return file.takeError();
    for (const auto &entry : (*file)->getTensors())
      checkpoint.fileOfTensor[entry.first()] = 0;
    checkpoint.files.push_back(std::move(*file));
    return checkpoint;
  }
  if (!sys::fs::exists(index))
    return noWeights(folder);
  checkpoint.displayName = printable(index, 400);
  if (Error error = checkpoint.openShards(folder, index))
    return error;
  return checkpoint;
}

Error Checkpoint::openShards(StringRef folder, StringRef indexPath) {
  Expected<Json> index = readJsonObject(indexPath);
  if (!index)
    return index.takeError();
  const Json *map = member(*index, "weight_map");
  if (!map || !map->is_object())
    return badModel(displayName + ": it has no weight_map; download it again");
  StringMap<size_t> fileOfName;
  for (const auto &[tensor, file] : map->items()) {
    if (!file.is_string())
      return badModel(displayName + ": the file of tensor '" +
                      printable(tensor) + "' is no string; download it again");
    StringRef name = file.get_ref<const std::string &>();
    auto [known, isNew] = fileOfName.try_emplace(name, files.size());
    if (isNew) {
      Expected<std::string> path = resolveShard(folder, name);
      if (!path)
        return badModel(displayName + ": " + toString(path.takeError()));
      Expected<SharedBuffer> buffer = mapFile(*path);
      if (!buffer)
        return badModel(displayName + ": shard '" + printable(name) +
                        "': " + toString(buffer.takeError()));
      auto shard =
          SafetensorsFile::parse(std::move(*buffer), pathIn(folder, name));
      if (!shard)
        return shard.takeError();
      files.push_back(std::move(*shard));
    }
    const SafetensorsFile &shard = *files[known->second];
    if (!shard.find(tensor))
      return badModel(displayName + ": tensor '" + printable(tensor) +
                      "' is not in " + shard.getDisplayName() +
                      ", where weight_map says it is; download all shards "
                      "again");
    fileOfTensor[tensor] = known->second;
  }
  return Error::success();
}

Checkpoint::Location Checkpoint::locate(StringRef name) const {
  auto it = fileOfTensor.find(name);
  if (it == fileOfTensor.end())
    return {};
  return {files[it->second], files[it->second]->find(name)};
}

bool Checkpoint::hasPrefix(StringRef prefix) const {
  return llvm::any_of(fileOfTensor, [&](const auto &entry) {
    return entry.first().starts_with(prefix);
  });
}

std::optional<SmallVector<int64_t, 4>>
Checkpoint::shapeOf(StringRef name) const {
  const StoredTensor *tensor = locate(name).tensor;
  if (!tensor)
    return std::nullopt;
  return tensor->shape;
}

std::string Checkpoint::fileOf(StringRef name) const {
  Location location = locate(name);
  return location.file ? location.file->getDisplayName().str() : displayName;
}

/// IEEE half and bfloat16 by their bits; double rounded.
static void convert(const StoredTensor &from, float *to, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (from.dtype == "F64") {
      double value;
      std::memcpy(&value, from.bytes.data() + 8 * i, 8);
      to[i] = float(value);
      continue;
    }
    uint16_t bits;
    std::memcpy(&bits, from.bytes.data() + 2 * i, 2);
    if (from.dtype == "BF16") {
      uint32_t wide = uint32_t(bits) << 16;
      std::memcpy(&to[i], &wide, 4);
      continue;
    }
    APFloat half(APFloat::IEEEhalf(), APInt(16, bits));
    bool losesInfo;
    half.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
    to[i] = half.convertToFloat();
  }
}

Expected<LiteralPtr> Checkpoint::read(StringRef name) {
  LiteralPtr &known = literals[name];
  if (known)
    return known;
  Location location = locate(name);
  if (!location.tensor)
    return badModel(displayName + ": tensor '" + printable(name) +
                    "' is missing; download the folder again");
  const StoredTensor &tensor = *location.tensor;
  if (tensor.dtype == "F32") {
    auto literal = std::make_shared<Literal>();
    literal->dtype = DType::F32;
    literal->shape = tensor.shape;
    literal->bytes = tensor.bytes;
    literal->owner = location.file; // keeps the mapping
    literal->name = name.str();
    return known = literal;
  }
  if (tensor.dtype != "F16" && tensor.dtype != "BF16" && tensor.dtype != "F64")
    return unsupported(location.file->getDisplayName() + ": tensor '" +
                       printable(name) + "' is of dtype " + tensor.dtype +
                       ", weights have to be F32, F16, BF16 or F64; download "
                       "the model before it was quantised");
  HostTensor host(DType::F32, tensor.shape);
  convert(tensor, host.as<float>(), host.numElements());
  return known = makeLiteral(std::move(host), name);
}

} // namespace plmc::huggingface
