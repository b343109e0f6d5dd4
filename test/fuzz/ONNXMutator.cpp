//===- ONNXMutator.cpp - Mutations of ONNX models -------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A flipped bit in a protobuf is nearly always a damaged message, which the
// first line of the reader refuses. What is to be tested lies behind it: nodes
// with another operator, axis, shape or input. So a model is parsed, changed in
// a few places and written again; the model stays as consistent as the change
// allows, e.g. a tensor's bytes follow its dimensions more often than not. One
// time in ten the bytes themselves are mutated.
//
//===----------------------------------------------------------------------===//

#include "OpTable.h"
#include "onnx-ml.pb.h"
#include <google/protobuf/stubs/logging.h>
#include <random>

extern "C" size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t maxSize);

namespace {

using google::protobuf::RepeatedPtrField;

struct Mutator {
  explicit Mutator(unsigned seed) : engine(seed) {}

  void mutate(onnx::ModelProto &model);
  void crossOver(onnx::ModelProto &model, const onnx::ModelProto &other);

private:
  size_t below(size_t bound) { return bound ? engine() % bound : 0; }
  bool oneIn(size_t n) { return below(n) == 0; }
  template <typename T> T *pick(RepeatedPtrField<T> *field) {
    return field->empty() ? nullptr : field->Mutable(below(field->size()));
  }
  template <typename T> void removeOne(RepeatedPtrField<T> *field) {
    if (!field->empty())
      field->DeleteSubrange(below(field->size()), 1);
  }

  int64_t integer(int64_t old);
  float number();
  std::string text(const std::string &old);
  std::string opName();
  std::string attributeName();
  std::string valueName(const onnx::GraphProto &graph);

  void mutateNode(onnx::GraphProto &graph, onnx::NodeProto &node);
  void mutateAttribute(onnx::GraphProto &graph, onnx::NodeProto &node);
  void setAttribute(onnx::AttributeProto &attr);
  void mutateTensor(onnx::TensorProto &tensor);
  void mutateInfo(onnx::ValueInfoProto &info);
  void mutateGraph(onnx::GraphProto &graph);
  void mutateModel(onnx::ModelProto &model);
  void insertNode(onnx::GraphProto &graph);
  onnx::GraphProto &pickGraph(onnx::ModelProto &model);

  std::mt19937 engine;
};

int64_t Mutator::integer(int64_t old) {
  static const int64_t odd[] = {0,
                                1,
                                -1,
                                2,
                                3,
                                4,
                                5,
                                7,
                                8,
                                16,
                                64,
                                65,
                                -2,
                                -3,
                                255,
                                256,
                                1 << 16,
                                1 << 20,
                                1LL << 31,
                                (1LL << 31) - 1,
                                -(1LL << 31),
                                1LL << 32,
                                1LL << 40,
                                1LL << 62,
                                INT64_MAX,
                                INT64_MIN,
                                INT64_MIN + 1};
  switch (below(4)) {
  case 0:
    return int64_t(uint64_t(old) + below(9) - 4);
  case 1:
    return odd[below(std::size(odd))];
  default:
    return odd[below(13)];
  }
}

float Mutator::number() {
  static const float odd[] = {0,     -0.0f,   1,        -1,        0.5f,
                              1e-5f, 1e-12f,  INFINITY, -INFINITY, NAN,
                              2,     3.4e38f, 1e-45f,   1e10f,     0.125f};
  return odd[below(std::size(odd))];
}

std::string Mutator::text(const std::string &old) {
  if (oneIn(3)) {
    static const char *const odd[] = {
        "",       "a\nb",        "%s%n",       "\x1b[31m",  "\xff\xfe",
        "../x",   "/etc/passwd", "batch",      "x\0y",      "\"",
        "1",      "-1",          "model.onnx", "ij,jk->ik", "...",
        "NOTSET", "linear",      "tanh",       "floor"};
    return odd[below(std::size(odd))];
  }
  std::string result = old;
  result.resize(std::min<size_t>(old.size() + 8, 4096));
  result.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(result.data()),
                                 std::min(old.size(), result.size()),
                                 result.size()));
  return result;
}

std::string Mutator::opName() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (const auto &entry : plmc::importer::opTable())
      result.push_back(entry.getKey().str());
    llvm::sort(result);
    return result;
  }();
  return names[below(names.size())];
}

std::string Mutator::attributeName() {
  static const char *const names[] = {
      "axis",          "axes",         "perm",
      "keepdims",      "to",           "epsilon",
      "value",         "alpha",        "beta",
      "num_heads",     "equation",     "transA",
      "transB",        "allowzero",    "batch_dims",
      "exclusive",     "reverse",      "upper",
      "split",         "num_outputs",  "noop_with_empty_axes",
      "start",         "end",          "value_int",
      "value_ints",    "value_float",  "value_floats",
      "then_branch",   "else_branch",  "is_causal",
      "scale",         "kv_num_heads", "q_num_heads",
      "largest",       "sorted",       "mode",
      "starts",        "ends",         "pads",
      "direction",     "fmod",         "approximate",
      "block_size",    "stash_type",   "to",
      "saturate",      "broadcast",    "reduction",
      "unidirectional"};
  return names[below(std::size(names))];
}

/// A name that something in the graph has.
std::string Mutator::valueName(const onnx::GraphProto &graph) {
  size_t nodes = graph.node_size(), weights = graph.initializer_size(),
         inputs = graph.input_size();
  if (!(nodes + weights + inputs))
    return "x";
  size_t i = below(nodes + weights + inputs);
  if (i < inputs)
    return graph.input(i).name();
  i -= inputs;
  if (i < weights)
    return graph.initializer(i).name();
  const onnx::NodeProto &node = graph.node(i - weights);
  return node.output_size() ? node.output(below(node.output_size())) : "";
}

void Mutator::setAttribute(onnx::AttributeProto &attr) {
  using Proto = onnx::AttributeProto;
  switch (below(6)) {
  case 0:
  case 1:
    attr.set_type(Proto::INT);
    attr.set_i(integer(0));
    break;
  case 2:
    attr.set_type(Proto::INTS);
    for (size_t i = below(5); i > 0; --i)
      attr.add_ints(integer(0));
    break;
  case 3:
    attr.set_type(Proto::FLOAT);
    attr.set_f(number());
    break;
  case 4:
    attr.set_type(Proto::STRING);
    attr.set_s(text(""));
    break;
  default:
    attr.set_type(Proto::TENSOR);
    attr.mutable_t()->set_data_type(oneIn(2) ? onnx::TensorProto::INT64
                                             : onnx::TensorProto::FLOAT);
    mutateTensor(*attr.mutable_t());
  }
}

void Mutator::mutateAttribute(onnx::GraphProto &graph, onnx::NodeProto &node) {
  onnx::AttributeProto *attr = pick(node.mutable_attribute());
  if (!attr || oneIn(6)) {
    attr = node.add_attribute();
    attr->set_name(attributeName());
    return setAttribute(*attr);
  }
  if (oneIn(10))
    return removeOne(node.mutable_attribute());
  if (oneIn(20))
    return attr->set_name(attributeName());
  if (oneIn(20))
    return attr->set_type(onnx::AttributeProto::AttributeType(below(13)));
  if (oneIn(30))
    return attr->set_ref_attr_name(attributeName());
  if (attr->has_g())
    return mutateGraph(*attr->mutable_g());
  if (attr->has_t())
    return mutateTensor(*attr->mutable_t());
  if (attr->has_i())
    return attr->set_i(integer(attr->i()));
  if (attr->has_f())
    return attr->set_f(number());
  if (attr->has_s())
    return attr->set_s(text(attr->s()));
  if (attr->floats_size())
    return attr->set_floats(below(attr->floats_size()), number());
  if (attr->ints_size() && oneIn(2)) {
    int i = below(attr->ints_size());
    return attr->set_ints(i, integer(attr->ints(i)));
  }
  if (attr->ints_size() && oneIn(2))
    attr->mutable_ints()->RemoveLast();
  else
    attr->add_ints(integer(0));
}

static size_t elementSize(int32_t type) {
  auto dtype = plmc::importer::dtypeFromONNX(type);
  return dtype ? plmc::dtypeSize(*dtype) : 4;
}

void Mutator::mutateTensor(onnx::TensorProto &tensor) {
  switch (below(8)) {
  case 0:
    if (tensor.dims_size()) {
      int i = below(tensor.dims_size());
      tensor.set_dims(i, integer(tensor.dims(i)));
    }
    break;
  case 1:
    tensor.add_dims(oneIn(2) ? 1 : integer(1));
    break;
  case 2:
    if (tensor.dims_size())
      tensor.mutable_dims()->RemoveLast();
    break;
  case 3:
    if (tensor.dims_size() > 1)
      tensor.mutable_dims()->SwapElements(0, below(tensor.dims_size()));
    break;
  case 4:
    tensor.set_data_type(oneIn(2)   ? below(30)
                         : oneIn(2) ? onnx::TensorProto::INT64
                                    : onnx::TensorProto::FLOAT);
    break;
  case 5: // an integer among the values
    if (tensor.int64_data_size()) {
      int i = below(tensor.int64_data_size());
      tensor.set_int64_data(i, integer(tensor.int64_data(i)));
    } else if (tensor.raw_data().size() >= 8) {
      int64_t value = integer(1);
      std::memcpy(tensor.mutable_raw_data()->data() +
                      below(tensor.raw_data().size() / 8) * 8,
                  &value, 8);
    }
    break;
  case 6:
    if (oneIn(4)) {
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
      auto &entry = *tensor.add_external_data();
      entry.set_key(oneIn(2) ? "location" : oneIn(2) ? "offset" : "length");
      entry.set_value(entry.key() == "location" && oneIn(2) ? "model.onnx"
                      : oneIn(2) ? std::to_string(integer(0))
                                 : text(""));
      return;
    }
    [[fallthrough]];
  default: {
    std::string bytes = tensor.raw_data();
    size_t size = bytes.size();
    bytes.resize(size + 16);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t *>(bytes.data()),
                                  size, bytes.size()));
    tensor.set_raw_data(bytes);
  }
  }
  // Data of the size that the dimensions ask for, mostly.
  if (oneIn(8))
    return;
  uint64_t bytes = elementSize(tensor.data_type());
  for (int64_t dim : tensor.dims()) {
    if (dim < 0 || dim > 4096)
      return;
    bytes *= dim;
    if (bytes > 1 << 14)
      return;
  }
  std::string data = tensor.raw_data();
  if (data.size() == bytes || tensor.int64_data_size())
    return;
  size_t old = data.size();
  data.resize(bytes);
  for (size_t i = old; old && i < bytes; ++i)
    data[i] = data[i - old];
  tensor.set_raw_data(data);
}

void Mutator::mutateInfo(onnx::ValueInfoProto &info) {
  auto &tensor = *info.mutable_type()->mutable_tensor_type();
  if (oneIn(6))
    return info.set_name(text(info.name()));
  if (oneIn(4))
    return tensor.set_elem_type(oneIn(2)   ? 1 + below(16)
                                : oneIn(2) ? onnx::TensorProto::INT64
                                           : onnx::TensorProto::FLOAT);
  auto &shape = *tensor.mutable_shape();
  if (oneIn(6))
    return removeOne(shape.mutable_dim());
  onnx::TensorShapeProto::Dimension *dim = pick(shape.mutable_dim());
  if (!dim || oneIn(6))
    dim = shape.add_dim();
  static const char *const symbols[] = {"batch", "sequence", "n", "m", "k"};
  switch (below(4)) {
  case 0:
    return dim->set_dim_param(symbols[below(std::size(symbols))]);
  case 1:
    return dim->set_dim_param(text(dim->dim_param()));
  default:
    return dim->set_dim_value(integer(dim->dim_value()));
  }
}

void Mutator::insertNode(onnx::GraphProto &graph) {
  onnx::NodeProto node;
  node.set_op_type(opName());
  size_t inputs = 1 + below(4);
  for (size_t i = 0; i < inputs; ++i)
    node.add_input(oneIn(10) ? "" : valueName(graph));
  std::string name = "v" + std::to_string(engine() % 100000);
  node.add_output(name);
  if (oneIn(5))
    node.add_output(name + "b");
  while (oneIn(2))
    mutateAttribute(graph, node);
  if (graph.node_size() && oneIn(2)) // instead of a reader's input
    if (onnx::NodeProto *reader = pick(graph.mutable_node()))
      if (reader->input_size())
        reader->set_input(below(reader->input_size()), name);
  if (oneIn(2) || graph.output_size() == 0)
    graph.add_output()->set_name(name);
  else
    graph.mutable_output(below(graph.output_size()))->set_name(name);
  *graph.add_node() = std::move(node);
}

void Mutator::mutateNode(onnx::GraphProto &graph, onnx::NodeProto &node) {
  switch (below(12)) {
  case 0:
    return node.set_op_type(opName());
  case 1:
    return node.set_op_type(text(node.op_type()));
  case 2:
    return node.set_domain(oneIn(2) ? "com.microsoft" : text(node.domain()));
  case 3:
  case 4:
    if (node.input_size())
      return node.set_input(below(node.input_size()), valueName(graph));
    return node.add_input(valueName(graph));
  case 5:
    return node.add_input(oneIn(3) ? "" : valueName(graph));
  case 6:
    if (node.input_size() > 1)
      node.mutable_input()->SwapElements(0, below(node.input_size()));
    return;
  case 7:
    return removeOne(node.mutable_input());
  case 8:
    return oneIn(4) ? node.add_output(text(""))
                    : node.set_name(text(node.name()));
  default:
    return mutateAttribute(graph, node);
  }
}

void Mutator::mutateGraph(onnx::GraphProto &graph) {
  switch (below(16)) {
  case 0:
  case 1:
    return insertNode(graph);
  case 2:
    if (oneIn(3))
      removeOne(graph.mutable_node());
    return;
  case 3:
    if (graph.node_size() > 1)
      graph.mutable_node()->SwapElements(below(graph.node_size()),
                                         below(graph.node_size()));
    return;
  case 4: {
    if (onnx::NodeProto *node = pick(graph.mutable_node())) {
      onnx::NodeProto copy = *node;
      *graph.add_node() = std::move(copy);
    }
    return;
  }
  case 5:
    if (onnx::ValueInfoProto *output = pick(graph.mutable_output()))
      output->set_name(oneIn(5) ? text(output->name()) : valueName(graph));
    return;
  case 6:
    graph.add_output()->set_name(valueName(graph));
    return;
  case 7:
  case 8:
    if (onnx::ValueInfoProto *input = pick(graph.mutable_input()))
      return mutateInfo(*input);
    return mutateInfo(*graph.add_input());
  case 9:
  case 10: {
    onnx::TensorProto *tensor = pick(graph.mutable_initializer());
    if (!tensor || oneIn(20)) {
      tensor = graph.add_initializer();
      tensor->set_name("w" + std::to_string(below(50)));
      tensor->set_data_type(onnx::TensorProto::FLOAT);
    }
    return mutateTensor(*tensor);
  }
  default:
    if (onnx::NodeProto *node = pick(graph.mutable_node()))
      return mutateNode(graph, *node);
    return insertNode(graph);
  }
}

void Mutator::mutateModel(onnx::ModelProto &model) {
  switch (below(4)) {
  case 0:
    if (model.opset_import_size() && !oneIn(8))
      return model.mutable_opset_import(below(model.opset_import_size()))
          ->set_version(oneIn(6) ? integer(17) : 11 + below(15));
    return model.add_opset_import()->set_domain(text("com.microsoft"));
  case 1:
    return model.set_ir_version(integer(model.ir_version()));
  case 2:
    return model.set_producer_name(text(model.producer_name()));
  default: { // a node becomes a function, called where it was
    onnx::NodeProto *node = pick(model.mutable_graph()->mutable_node());
    if (!node)
      return;
    onnx::FunctionProto &function = *model.add_functions();
    function.set_domain("local");
    function.set_name("f" + std::to_string(model.functions_size()));
    *function.mutable_input() = node->input();
    *function.mutable_output() = node->output();
    *function.add_node() = *node;
    if (oneIn(4)) // recursion
      function.mutable_node(0)->set_op_type(function.name());
    node->set_domain("local");
    node->set_op_type(function.name());
    if (oneIn(2))
      node->clear_attribute();
  }
  }
}

onnx::GraphProto &Mutator::pickGraph(onnx::ModelProto &model) {
  onnx::GraphProto *graph = model.mutable_graph();
  for (int depth = 0; depth < 3; ++depth)
    for (onnx::NodeProto &node : *graph->mutable_node())
      for (onnx::AttributeProto &attr : *node.mutable_attribute())
        if (attr.has_g() && oneIn(2))
          graph = attr.mutable_g();
  return *graph;
}

void Mutator::mutate(onnx::ModelProto &model) {
  size_t changes = 1 + below(oneIn(4) ? 8 : 2);
  for (size_t i = 0; i < changes; ++i) {
    if (oneIn(20))
      mutateModel(model);
    else if (model.functions_size() && oneIn(5)) {
      onnx::FunctionProto &function = *pick(model.mutable_functions());
      if (onnx::NodeProto *node = pick(function.mutable_node()))
        mutateNode(*model.mutable_graph(), *node);
    } else
      mutateGraph(pickGraph(model));
  }
}

void Mutator::crossOver(onnx::ModelProto &model,
                        const onnx::ModelProto &other) {
  onnx::GraphProto &graph = *model.mutable_graph();
  const onnx::GraphProto &source = other.graph();
  for (size_t i = 1 + below(6); i > 0 && source.node_size(); --i) {
    onnx::NodeProto &node = *graph.add_node();
    node = source.node(below(source.node_size()));
    for (std::string &input : *node.mutable_input()) {
      for (const onnx::TensorProto &tensor : source.initializer())
        if (tensor.name() == input && tensor.raw_data().size() < 1024)
          *graph.add_initializer() = tensor;
      if (oneIn(2))
        input = valueName(graph);
    }
    if (node.output_size() && oneIn(2))
      graph.add_output()->set_name(node.output(0));
  }
}

bool parse(const uint8_t *data, size_t size, onnx::ModelProto &model) {
  google::protobuf::LogSilencer silence;
  return model.ParseFromArray(data, size);
}

size_t serialize(const onnx::ModelProto &model, uint8_t *out, size_t maxSize) {
  size_t size = model.ByteSizeLong();
  if (size > maxSize || !model.SerializeToArray(out, size))
    return 0;
  return size;
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  onnx::ModelProto model;
  if (seed % 10 == 0 || !parse(data, size, model))
    return LLVMFuzzerMutate(data, size, maxSize);
  Mutator(seed).mutate(model);
  if (size_t result = serialize(model, data, maxSize))
    return result;
  return LLVMFuzzerMutate(data, size, maxSize);
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t *first,
                                            size_t firstSize,
                                            const uint8_t *second,
                                            size_t secondSize, uint8_t *out,
                                            size_t maxSize, unsigned seed) {
  onnx::ModelProto model, other;
  if (!parse(first, firstSize, model) || !parse(second, secondSize, other))
    return 0;
  Mutator(seed).crossOver(model, other);
  return serialize(model, out, maxSize);
}
