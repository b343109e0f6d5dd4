//===- WriteModel.cpp - An ONNX file, weights streamed --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Handing the weights to protobuf would hold them twice and stops at 2 GB. A
// message, though, is only its fields one after the other, each a tag and a
// length in front of bytes; so protobuf writes everything but the weights and
// this file writes the rest around it:
//
//   model fields, tag 7 (graph), length, graph fields,
//     for each initializer: tag 5, length, TensorProto fields, tag 9 (raw
//     data), length, bytes straight from the mapped input
//
// The lengths are known beforehand, so the file is written front to back.
//
//===----------------------------------------------------------------------===//

#include "GraphWriter.h"
#include "plmc/Support/TemporaryFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using llvm::Error;
using llvm::StringRef;

namespace plmc::onnx_export {
namespace {

constexpr uint64_t alignment = 64; // of tensors in the external file

/// Tag of a length-delimited field.
constexpr uint8_t fieldTag(unsigned field) { return field << 3 | 2; }
constexpr uint8_t modelGraph = fieldTag(7);
constexpr uint8_t graphInitializer = fieldTag(5);
constexpr uint8_t tensorRawData = fieldTag(9);

std::string header(uint8_t tag, uint64_t length) {
  std::string text(1, char(tag));
  for (; length >= 0x80; length >>= 7)
    text += char(length | 0x80);
  return text + char(length);
}

/// A file that appears under its name only when it is complete and kept.
class PendingFile {
public:
  static llvm::Expected<PendingFile> create(std::string path) {
    llvm::SmallString<128> unique;
    llvm::sys::fs::createUniquePath(path + ".%%%%%%.tmp", unique,
                                    /*MakeAbsolute=*/false);
    PendingFile file;
    file.path = std::move(path);
    file.temporary = std::make_unique<TemporaryFile>(unique);
    std::error_code code;
    auto out = std::make_unique<llvm::raw_fd_ostream>(
        file.temporary->path, code, llvm::sys::fs::CD_CreateNew);
    if (code)
      return file.failure(code);
    file.out = std::move(out);
    return file;
  }
  PendingFile(PendingFile &&) = default;
  ~PendingFile() {
    if (out)
      close();
  }
  llvm::raw_ostream &stream() { return *out; }

  Error keep() {
    std::error_code code = close();
    if (!code)
      code = llvm::sys::fs::rename(temporary->path, path);
    if (code)
      return failure(code);
    return Error::success();
  }

private:
  PendingFile() = default;
  std::error_code close() {
    out->close();
    std::error_code code = out->error();
    out->clear_error(); // or its destructor would end the process
    out.reset();
    return code;
  }
  Error failure(std::error_code code) const {
    return llvm::createStringError("cannot write " + path + ": " +
                                   code.message());
  }

  std::string path;
  std::unique_ptr<TemporaryFile> temporary;
  std::unique_ptr<llvm::raw_fd_ostream> out;
};

/// A TensorProto without its data.
onnx::TensorProto tensorHeader(const Initializer &initializer) {
  onnx::TensorProto tensor;
  tensor.set_name(initializer.name);
  tensor.set_data_type(!initializer.halfBytes ? onnxType(initializer.dtype)
                       : initializer.dtype == DType::U8
                           ? onnx::TensorProto::UINT4
                           : onnx::TensorProto::INT4);
  for (int64_t dim : initializer.shape)
    tensor.add_dims(dim);
  return tensor;
}

void addEntry(onnx::TensorProto &tensor, StringRef key, std::string value) {
  onnx::StringStringEntryProto *entry = tensor.add_external_data();
  entry->set_key(key.str());
  entry->set_value(std::move(value));
}

/// Writes the weights one after the other; returns their TensorProtos.
std::vector<std::string> writeExternal(const GraphWriter &writer,
                                       StringRef location,
                                       llvm::raw_ostream &out) {
  std::vector<std::string> headers;
  uint64_t offset = 0;
  for (const Initializer &initializer : writer.initializers) {
    uint64_t padding = llvm::alignTo(offset, alignment) - offset;
    out.write_zeros(padding);
    offset += padding;
    onnx::TensorProto tensor = tensorHeader(initializer);
    // Shape constants must be readable without the data file.
    if (initializer.bytes.size() < 1024) {
      tensor.set_raw_data(initializer.bytes.data(), initializer.bytes.size());
    } else {
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
      addEntry(tensor, "location", location.str());
      addEntry(tensor, "offset", std::to_string(offset));
      addEntry(tensor, "length", std::to_string(initializer.bytes.size()));
      out.write(initializer.bytes.data(), initializer.bytes.size());
      offset += initializer.bytes.size();
    }
    headers.push_back(tensor.SerializeAsString());
  }
  return headers;
}

std::string modelFields() {
  onnx::ModelProto model;
  model.set_ir_version(10);
  model.set_producer_name("plmc");
  onnx::OperatorSetIdProto *opset = model.add_opset_import();
  opset->set_domain("");
  opset->set_version(21);
  return model.SerializeAsString();
}

/// `external`: TensorProtos that are complete already, or empty.
void writeFile(const GraphWriter &writer, llvm::raw_ostream &out,
               const std::vector<std::string> &external) {
  std::string graph = writer.graph.SerializeAsString();
  uint64_t length = graph.size();
  std::vector<std::string> prefixes; // everything of a tensor but its data
  for (auto [index, initializer] : llvm::enumerate(writer.initializers)) {
    if (!external.empty()) {
      const std::string &tensor = external[index];
      prefixes.push_back(header(graphInitializer, tensor.size()) + tensor);
      length += prefixes.back().size();
      continue;
    }
    uint64_t bytes = initializer.bytes.size();
    std::string fields = tensorHeader(initializer).SerializeAsString() +
                         header(tensorRawData, bytes);
    prefixes.push_back(header(graphInitializer, fields.size() + bytes) +
                       fields);
    length += prefixes.back().size() + bytes;
  }
  out << modelFields() << header(modelGraph, length) << graph;
  for (auto [prefix, initializer] :
       llvm::zip_equal(prefixes, writer.initializers)) {
    out << prefix;
    if (external.empty())
      out.write(initializer.bytes.data(), initializer.bytes.size());
  }
}

} // namespace

Error writeModel(const GraphWriter &writer, StringRef path,
                 uint64_t inlineLimit) {
  uint64_t bytes = 0;
  for (const Initializer &initializer : writer.initializers)
    bytes += initializer.bytes.size();
  llvm::Expected<PendingFile> file = PendingFile::create(path.str());
  if (!file)
    return file.takeError();
  if (bytes <= inlineLimit) {
    writeFile(writer, file->stream(), {});
    return file->keep();
  }
  std::string dataPath = (path + ".data").str();
  llvm::Expected<PendingFile> data = PendingFile::create(dataPath);
  if (!data)
    return data.takeError();
  std::vector<std::string> tensors = writeExternal(
      writer, llvm::sys::path::filename(dataPath), data->stream());
  writeFile(writer, file->stream(), tensors);
  // The data first: a model never refers to a file that is not there.
  if (Error error = data->keep())
    return error;
  return file->keep();
}

} // namespace plmc::onnx_export
