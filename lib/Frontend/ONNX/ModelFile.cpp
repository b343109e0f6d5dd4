//===- ModelFile.cpp - Reader of ONNX files -------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModelFile.h"
#include "Diagnostics.h"
#include "llvm/Support/Path.h"
#include <google/protobuf/stubs/logging.h>

using namespace llvm;

namespace plmc::importer {

Expected<std::unique_ptr<ModelFile>> ModelFile::open(StringRef path) {
  std::string name = printable(path, 400);
  Expected<SharedBuffer> buffer = mapFile(path);
  if (!buffer)
    return badModel(name +
                    ": cannot read the model: " + toString(buffer.takeError()));
  StringRef bytes = (*buffer)->getBuffer();
  if (bytes.empty())
    return badModel(name + ": the file is empty; export or download it again");
  if (bytes.starts_with("version https://git-lfs"))
    return badModel(name + ": this is a Git LFS pointer, not the model; fetch "
                           "it with 'git lfs pull'");

  auto file = std::unique_ptr<ModelFile>(new ModelFile(path, *buffer));
  file->displayName = name;
  Expected<Skeleton> skeleton =
      extractSkeleton(ArrayRef<char>(bytes.data(), bytes.size()));
  if (!skeleton)
    return badModel(name + ": not a readable ONNX model: " +
                    toString(skeleton.takeError()) +
                    "; export or download it again");
  // Malformed input is our message to give, not protobuf's.
  google::protobuf::LogSilencer silence;
  if (!file->model.ParseFromArray(skeleton->bytes.data(),
                                  skeleton->bytes.size()))
    return badModel(name + ": not a readable ONNX model: a message in it is "
                           "damaged; export or download it again");
  file->ranges = std::move(skeleton->ranges);
  if (!file->model.has_graph() || !file->model.has_ir_version() ||
      file->model.opset_import_size() == 0)
    return badModel(name + ": not an ONNX model: it has no graph, IR version "
                           "or operator set; export or download it again");
  if (file->model.ir_version() < 3)
    return unsupported(name + ": IR version " +
                       Twine(file->model.ir_version()) +
                       " is too old; export the model again (IR 4 or newer)");
  return file;
}

int64_t ModelFile::getOpset(StringRef domain) const {
  if (domain == "ai.onnx")
    domain = "";
  for (const onnx::OperatorSetIdProto &entry : model.opset_import())
    if (entry.domain() == domain.str() ||
        (domain.empty() && entry.domain() == "ai.onnx"))
      return entry.version();
  return 0;
}

} // namespace plmc::importer
