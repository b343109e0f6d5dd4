//===- WireWalk.cpp - An ONNX file without its weights --------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "WireWalk.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace plmc::importer {
namespace {

/// The messages on the way to a TensorProto.
enum class Message { Model, Graph, Node, Attribute, Tensor, Sparse, Function };

enum class Action { Copy, Drop, RawData, Recurse };
struct Field {
  Message message;
  uint32_t number;
  Action action;
  Message child = Message::Model;
};

/// What is not listed is copied. Field numbers: third_party/onnx/onnx-ml.proto.
const Field fields[] = {
    {Message::Model, 7, Action::Recurse, Message::Graph},
    {Message::Model, 25, Action::Recurse, Message::Function},
    {Message::Model, 6, Action::Drop},  // doc_string
    {Message::Model, 14, Action::Drop}, // metadata_props
    {Message::Model, 20, Action::Drop}, // training_info
    {Message::Graph, 1, Action::Recurse, Message::Node},
    {Message::Graph, 5, Action::Recurse, Message::Tensor},
    {Message::Graph, 15, Action::Recurse, Message::Sparse},
    {Message::Graph, 10, Action::Drop}, // doc_string
    {Message::Graph, 13, Action::Drop}, // value_info
    {Message::Graph, 14, Action::Drop}, // quantization_annotation
    {Message::Graph, 16, Action::Drop}, // metadata_props
    {Message::Node, 5, Action::Recurse, Message::Attribute},
    {Message::Node, 6, Action::Drop},  // doc_string
    {Message::Node, 9, Action::Drop},  // metadata_props
    {Message::Node, 10, Action::Drop}, // device_configurations
    {Message::Attribute, 5, Action::Recurse, Message::Tensor},
    {Message::Attribute, 6, Action::Recurse, Message::Graph},
    {Message::Attribute, 10, Action::Recurse, Message::Tensor},
    {Message::Attribute, 11, Action::Recurse, Message::Graph},
    {Message::Attribute, 22, Action::Recurse, Message::Sparse},
    {Message::Attribute, 23, Action::Recurse, Message::Sparse},
    {Message::Attribute, 13, Action::Drop}, // doc_string
    {Message::Tensor, 9, Action::RawData},
    {Message::Tensor, 12, Action::Drop}, // doc_string
    {Message::Tensor, 16, Action::Drop}, // metadata_props
    {Message::Sparse, 1, Action::Recurse, Message::Tensor},
    {Message::Sparse, 2, Action::Recurse, Message::Tensor},
    {Message::Function, 7, Action::Recurse, Message::Node},
    {Message::Function, 11, Action::Recurse, Message::Attribute},
    {Message::Function, 8, Action::Drop},  // doc_string
    {Message::Function, 12, Action::Drop}, // value_info
    {Message::Function, 14, Action::Drop}, // metadata_props
};

Field lookup(Message message, uint32_t number) {
  for (const Field &field : fields)
    if (field.message == message && field.number == number)
      return field;
  return {message, number, Action::Copy};
}

/// Protobuf gives up at 100 nested messages, a graph in a graph is three.
constexpr unsigned maxGraphDepth = 24;
/// An empty node is 2 bytes in the file and 200 in memory.
constexpr size_t maxMessages = 4000000;
/// ParseFromArray takes an int and aborts the process above it.
constexpr size_t maxSkeleton = 2000000000;

class Walker {
public:
  explicit Walker(Skeleton &result) : result(result) {}

  Error walk(ArrayRef<char> in, Message message, unsigned depth,
             std::string &out) {
    if (depth > maxGraphDepth)
      return fail("subgraphs are nested too deeply");
    if (++messages > maxMessages)
      return fail("it has more than " + Twine(maxMessages) +
                  " nodes, attributes and tensors");
    while (!in.empty()) {
      ArrayRef<char> start = in;
      uint64_t tag, length = 0;
      if (!readVarint(in, tag))
        return fail("the bytes end inside a field");
      if (tag >> 3 == 0 || tag >> 32)
        return fail("a field has no valid number");
      switch (tag & 7) {
      case 0:
        if (!readVarint(in, length))
          return fail("the bytes end inside a number");
        length = 0;
        break;
      case 1:
        length = 8;
        break;
      case 2:
        if (!readVarint(in, length))
          return fail("the bytes end inside a length");
        break;
      case 5:
        length = 4;
        break;
      default:
        return fail("a field has an unknown wire type");
      }
      if (length > in.size())
        return fail("a field of " + Twine(length) + " bytes has only " +
                    Twine(in.size()) + " left: the file is truncated");
      ArrayRef<char> payload = in.take_front(length);
      in = in.drop_front(length);

      Field field = lookup(message, tag >> 3);
      if ((tag & 7) != 2 && field.action != Action::Drop)
        field.action = Action::Copy;
      switch (field.action) {
      case Action::Drop:
        break;
      case Action::Copy:
        out.append(start.data(), in.data() - start.data());
        break;
      case Action::RawData: {
        std::string index = std::to_string(result.ranges.size());
        result.ranges.push_back(payload);
        appendField(out, tag, index);
        break;
      }
      case Action::Recurse: {
        std::string child;
        if (Error error = walk(payload, field.child,
                               depth + (field.child == Message::Graph), child))
          return error;
        appendField(out, tag, child);
        break;
      }
      }
      if (out.size() > maxSkeleton)
        return fail("the graph without its weights is over 2 GB");
    }
    return Error::success();
  }

private:
  static Error fail(const Twine &message) { return createStringError(message); }

  static bool readVarint(ArrayRef<char> &in, uint64_t &value) {
    value = 0;
    for (unsigned i = 0; i < 10 && i < in.size(); ++i) {
      uint8_t byte = in[i];
      value |= uint64_t(byte & 0x7f) << (7 * i);
      if (!(byte & 0x80)) {
        in = in.drop_front(i + 1);
        return true;
      }
    }
    return false;
  }

  static void appendVarint(std::string &out, uint64_t value) {
    for (; value >= 0x80; value >>= 7)
      out += char(value | 0x80);
    out += char(value);
  }

  static void appendField(std::string &out, uint64_t tag, StringRef payload) {
    appendVarint(out, tag);
    appendVarint(out, payload.size());
    out.append(payload.data(), payload.size());
  }

  Skeleton &result;
  size_t messages = 0;
};

} // namespace

Expected<Skeleton> extractSkeleton(ArrayRef<char> file) {
  Skeleton skeleton;
  if (Error error =
          Walker(skeleton).walk(file, Message::Model, 0, skeleton.bytes))
    return error;
  return skeleton;
}

} // namespace plmc::importer
