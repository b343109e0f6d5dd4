//===- HuggingFaceHostileTest.cpp - Folders that are refused --------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each test takes a good folder of test/fixtures/huggingface, damages it, and
// asks for an error of one line that says what is wrong.
//
//===----------------------------------------------------------------------===//

#include "CompileAndRun.h"
#include "plmc/Frontend/HuggingFace/Import.h"
#include "plmc/Frontend/ONNX/Import.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include <nlohmann/json.hpp>

using namespace plmc;
using namespace plmc::test;
using Json = nlohmann::ordered_json;

namespace {

const std::string fixtures = PLMC_TEST_FIXTURES "/../huggingface/";

std::string readFile(const std::string &path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  EXPECT_TRUE(bool(buffer)) << path;
  return buffer ? (*buffer)->getBuffer().str() : "";
}

void writeFile(const std::string &path, llvm::StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream out(path, code);
  ASSERT_FALSE(code) << path << ": " << code.message();
  out << text;
}

/// A folder of the running test's own, removed with the object.
class Hostile : public testing::Test {
protected:
  void SetUp() override {
    llvm::SmallString<128> path(PLMC_TEST_TMP);
    llvm::sys::path::append(path, "hostile");
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory(path, path));
    folder = path.str().str();
    copy("bert-model");
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  void copy(const std::string &name) {
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(fixtures + name, code), end;
         it != end && !code; it.increment(code))
      if (!llvm::sys::fs::is_directory(it->path()))
        writeFile(file(llvm::sys::path::filename(it->path()).str()),
                  readFile(it->path()));
  }
  std::string file(const std::string &name) { return folder + "/" + name; }

  /// The error's text; fails the test if there is none, or more than a line.
  std::string
  refusal(std::optional<ImportError::Kind> kind = ImportError::Kind::BadModel) {
    auto module = importHuggingFace(folder, &context());
    if (module) {
      ADD_FAILURE() << "imported";
      return "";
    }
    std::string message;
    llvm::handleAllErrors(
        module.takeError(),
        [&](const ImportError &error) {
          llvm::raw_string_ostream os(message);
          error.log(os);
          if (kind)
            EXPECT_EQ(int(error.getKind()), int(*kind)) << message;
        },
        [&](const llvm::ErrorInfoBase &error) {
          ADD_FAILURE() << "no ImportError: " << error.message();
        });
    EXPECT_FALSE(message.empty());
    EXPECT_LT(message.size(), 1500u);
    for (char c : message)
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20) << message;
    return message;
  }
  void expectRefusal(
      llvm::StringRef part,
      std::optional<ImportError::Kind> kind = ImportError::Kind::BadModel) {
    std::string message = refusal(kind);
    EXPECT_NE(message.find(part.str()), std::string::npos) << message;
  }
  void expectUnsupported(llvm::StringRef part) {
    expectRefusal(part, ImportError::Kind::Unsupported);
  }

  void setConfig(const std::string &key, const Json &value) {
    Json config = Json::parse(readFile(file("config.json")));
    config[key] = value;
    writeFile(file("config.json"), config.dump());
  }

  /// Takes model.safetensors apart, lets `change` at header and data, and puts
  /// it together.
  void editWeights(llvm::function_ref<void(Json &, std::string &)> change) {
    std::string bytes = readFile(file("model.safetensors"));
    uint64_t length = llvm::support::endian::read64le(bytes.data());
    Json header = Json::parse(bytes.substr(8, length));
    std::string data = bytes.substr(8 + length);
    change(header, data);
    writeWeights(header.dump(), data);
  }
  void writeWeights(const std::string &header, const std::string &data) {
    char length[8];
    llvm::support::endian::write64le(length, header.size());
    writeFile(file("model.safetensors"),
              std::string(length, 8) + header + data);
  }
  void editIndex(llvm::function_ref<void(Json &)> change) {
    copy("bert-model-sharded");
    llvm::sys::fs::remove(file("model.safetensors"));
    Json index = Json::parse(readFile(file("model.safetensors.index.json")));
    change(index["weight_map"]);
    writeFile(file("model.safetensors.index.json"), index.dump());
  }

  std::string folder;
  const std::string table = "embeddings.word_embeddings.weight";
};

//===----------------------------------------------------------------------===//
// The folder
//===----------------------------------------------------------------------===//

TEST_F(Hostile, NoConfig) {
  llvm::sys::fs::remove(file("config.json"));
  expectRefusal("there is no config.json");
}

TEST_F(Hostile, NoWeights) {
  llvm::sys::fs::remove(file("model.safetensors"));
  expectRefusal("there is no model.safetensors");
  writeFile(file("pytorch_model.bin"), "PK");
  expectUnsupported("save_pretrained");
}

TEST_F(Hostile, WeightsAreAFolder) {
  llvm::sys::fs::remove(file("model.safetensors"));
  llvm::sys::fs::create_directory(file("model.safetensors"));
  expectRefusal("folder");
}

//===----------------------------------------------------------------------===//
// config.json
//===----------------------------------------------------------------------===//

TEST_F(Hostile, ConfigIsNoJson) {
  for (const char *text :
       {"", "{", "null", "[1]", "\x00\x01", "{\"a\": }", "\"bert\"",
        "{\"hidden_size\": 16, \"hidden_size\": 32}"}) {
    writeFile(file("config.json"), text);
    expectRefusal("config.json");
  }
}

TEST_F(Hostile, ConfigIsTooDeep) {
  writeFile(file("config.json"), std::string(1 << 20, '['));
  expectRefusal("nested");
  writeFile(file("config.json"),
            "{\"a\":" + std::string(40, '[') + std::string(40, ']') + "}");
  expectRefusal("nested");
}

TEST_F(Hostile, SizesAreNoSizes) {
  for (const char *key :
       {"hidden_size", "num_hidden_layers", "num_attention_heads",
        "intermediate_size", "max_position_embeddings", "vocab_size",
        "type_vocab_size"})
    for (const Json &value :
         {Json(0), Json(-1), Json(INT64_MIN), Json(UINT64_MAX), Json(1e300),
          Json(2.5), Json("16"), Json(true), Json(Json::array({16})),
          Json(Json::object())}) {
      copy("bert-model");
      setConfig(key, value);
      expectRefusal(key);
    }
}

TEST_F(Hostile, HeadsDoNotDivide) {
  setConfig("num_attention_heads", 3);
  expectRefusal("num_attention_heads is 3");
}

TEST_F(Hostile, ManyLayersOfOneGroup) {
  llvm::sys::fs::remove(file("model.safetensors"));
  copy("albert-model");
  setConfig("num_hidden_layers", 1000000000);
  expectRefusal("num_hidden_layers");
  setConfig("num_hidden_layers", 1000);
  setConfig("inner_group_num", 60);
  expectRefusal("1024 layers");
}

TEST_F(Hostile, OtherSettings) {
  struct {
    const char *key;
    Json value;
    bool unsupported;
  } cases[] = {
      {"layer_norm_eps", "small", false},
      {"layer_norm_eps", -1, false},
      {"hidden_act", "softsign", true},
      {"hidden_act", 7, false},
      {"model_type", "gpt2", true},
      {"model_type", nullptr, true},
      {"model_type", "x\ny\x1b[31m", true},
      {"architectures", Json::array({"BertLMHeadModel"}), true},
      {"architectures", Json::array({"RobertaModel"}), true},
      {"architectures", Json::array({1}), false},
      {"is_decoder", true, true},
      {"position_embedding_type", "relative_value", true},
  };
  for (const auto &test : cases) {
    SCOPED_TRACE(test.key);
    copy("bert-model");
    setConfig(test.key, test.value);
    std::string message =
        refusal(test.unsupported ? ImportError::Kind::Unsupported
                                 : ImportError::Kind::BadModel);
    EXPECT_NE(message.find(test.key), std::string::npos) << message;
  }
}

TEST_F(Hostile, UnknownFamilyListsTheKnown) {
  setConfig("model_type", "t5");
  expectUnsupported("supported are bert, distilbert, roberta");
}

TEST_F(Hostile, HeadThatTheFamilyLacks) {
  copy("electra-model");
  setConfig("architectures", Json::array({"ElectraForNextSentencePrediction"}));
  expectUnsupported("no counterpart");
}

TEST_F(Hostile, RotarySettings) {
  copy("modernbert-model");
  setConfig("max_position_embeddings", 1 << 30); // the table stays small
  EXPECT_TRUE(bool(importHuggingFace(folder, &context())));
  setConfig("rope_scaling", Json{{"rope_type", "yarn"}});
  expectUnsupported("rope_scaling");
  copy("modernbert-model");
  setConfig("layer_types", Json::array({"full_attention"}));
  expectRefusal("layer_types has 1 entries for 4 layers");
}

TEST_F(Hostile, DistanceSettings) {
  copy("debertav2-model");
  setConfig("position_buckets", 1000000);
  expectRefusal("max_relative_positions");
  copy("debertav2-model");
  setConfig("pos_att_type", Json::array({"p2p"}));
  expectUnsupported("pos_att_type");
}

//===----------------------------------------------------------------------===//
// model.safetensors
//===----------------------------------------------------------------------===//

TEST_F(Hostile, TruncatedAnywhere) {
  std::string bytes = readFile(file("model.safetensors"));
  for (size_t i = 0; i < bytes.size(); i += i < 64 ? 1 : 97) {
    writeFile(file("model.safetensors"), bytes.substr(0, i));
    expectRefusal("model.safetensors");
  }
  writeFile(file("model.safetensors"), bytes + "x");
  expectRefusal("belong to no tensor");
}

TEST_F(Hostile, HeaderLength) {
  std::string bytes = readFile(file("model.safetensors"));
  for (uint64_t length :
       {uint64_t(0), uint64_t(1), uint64_t(bytes.size()), uint64_t(100000001),
        UINT64_MAX, UINT64_MAX - 7, uint64_t(1) << 63}) {
    llvm::support::endian::write64le(bytes.data(), length);
    writeFile(file("model.safetensors"), bytes);
    expectRefusal("header");
  }
}

TEST_F(Hostile, FlippedBytes) {
  std::string bytes = readFile(file("model.safetensors"));
  uint64_t length = llvm::support::endian::read64le(bytes.data());
  Random random(7);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = bytes;
    damaged[random.engine() % (8 + length)] = char(random.engine());
    writeFile(file("model.safetensors"), damaged);
    auto module = importHuggingFace(folder, &context()); // any outcome but one
    if (!module)
      llvm::consumeError(module.takeError());
  }
}

TEST_F(Hostile, Offsets) {
  auto with = [&](const Json &offsets) {
    copy("bert-model");
    editWeights([&](Json &header, std::string &) {
      header[table]["data_offsets"] = offsets;
    });
    expectRefusal(table);
  };
  with(Json::array({0, INT64_MAX}));
  with(Json::array({-2560, 0}));
  with(Json::array({UINT64_MAX, UINT64_MAX}));
  with(Json::array({2560, 0}));
  with(Json::array({0}));
  with(Json::array({0.0, 2560.0}));
  with("0");
  with(nullptr);
}

TEST_F(Hostile, OverlapsAndHoles) {
  editWeights([&](Json &header, std::string &) {
    // Two tensors of one shape in one place.
    header["encoder.layer.0.attention.self.query.weight"]["data_offsets"] =
        header["encoder.layer.0.attention.self.key.weight"]["data_offsets"];
  });
  refusal();
  copy("bert-model");
  editWeights([&](Json &header, std::string &) { header.erase(table); });
  expectRefusal("hole");
}

TEST_F(Hostile, Shapes) {
  auto with = [&](const Json &shape, llvm::StringRef part) {
    copy("bert-model");
    editWeights(
        [&](Json &header, std::string &) { header[table]["shape"] = shape; });
    expectRefusal(part);
  };
  with(Json::array({-40, -16}), "shape");
  with(Json::array({INT64_MAX, INT64_MAX}), "impossibly large");
  with(Json::array({UINT64_MAX, 1}), "shape");
  with(Json::array({INT64_MAX, 0, 0}), table);
  with(Json::array({41, 16}), "dtype and shape need");
  with(Json::array({"40", 16}), "shape");
  with(Json(std::vector<int>(17, 1)), "16 dimensions");
  // Well-formed, but not what config.json asks for.
  with(Json::array({16, 40}), "has the shape [16, 40]");
  with(Json::array({640}), "asks for [40, 16]");
}

TEST_F(Hostile, Types) {
  for (const char *dtype : {"F31", "", "f32"}) {
    copy("bert-model");
    editWeights(
        [&](Json &header, std::string &) { header[table]["dtype"] = dtype; });
    expectRefusal("unknown dtype");
  }
  copy("bert-model");
  editWeights(
      [&](Json &header, std::string &) { header[table]["dtype"] = "I32"; });
  expectUnsupported("dtype I32");
}

TEST_F(Hostile, NamesComeTwice) {
  std::string bytes = readFile(file("model.safetensors"));
  uint64_t length = llvm::support::endian::read64le(bytes.data());
  std::string header = bytes.substr(8, length);
  std::string entry =
      "{\"x\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},";
  writeWeights(entry + entry.substr(1) + header.substr(1),
               bytes.substr(8 + length));
  expectRefusal("comes twice");
}

TEST_F(Hostile, MissingTensor) {
  editWeights([&](Json &header, std::string &) {
    header["renamed"] = header["encoder.layer.1.output.dense.bias"];
    header.erase("encoder.layer.1.output.dense.bias");
  });
  expectRefusal("'encoder.layer.1.output.dense.bias' of shape [16] is missing");
}

TEST_F(Hostile, GitLfsPointer) {
  writeFile(file("model.safetensors"),
            "version https://git-lfs.github.com/spec/v1\n");
  expectRefusal("git lfs pull");
}

//===----------------------------------------------------------------------===//
// Shards
//===----------------------------------------------------------------------===//

TEST_F(Hostile, ShardNames) {
  auto with = [&](const Json &name, llvm::StringRef part) {
    editIndex([&](Json &map) { map[table] = name; });
    expectRefusal(part);
  };
  with("../model.safetensors", "'..'");
  with("a/../../x", "'..'");
  with("/etc/passwd", "absolute path");
  with("missing.safetensors", "missing");
  with("", "no valid name");
  with(std::string("a\0b", 3), "no valid name");
  with(".", "folder");
  with(7, "no string");
  with("config.json", "config.json");
}

TEST_F(Hostile, ShardLacksItsTensor) {
  editIndex([&](Json &map) {
    for (auto &[name, shard] : map.items())
      if (shard != map[table]) {
        map[table] = shard;
        break;
      }
  });
  expectRefusal("weight_map says it is");
}

TEST_F(Hostile, ShardLinkLeavesTheFolder) {
  editIndex([&](Json &map) { map[table] = "link.safetensors"; });
  ASSERT_FALSE(llvm::sys::fs::create_link(
      fixtures + "bert-model/model.safetensors", file("link.safetensors")));
  expectRefusal("symbolic link out of");
}

/// The download cache: snapshots/REV/FILE links to blobs/HASH.
TEST_F(Hostile, ShardLinksOfTheDownloadCache) {
  std::string snapshot = file("snapshots/abc"), blobs = file("blobs");
  ASSERT_FALSE(llvm::sys::fs::create_directories(snapshot));
  ASSERT_FALSE(llvm::sys::fs::create_directories(blobs));
  std::error_code code;
  for (llvm::sys::fs::directory_iterator
           it(fixtures + "bert-model-sharded", code),
       end;
       it != end && !code; it.increment(code)) {
    std::string name = llvm::sys::path::filename(it->path()).str();
    writeFile(blobs + "/blob-" + name, readFile(it->path()));
    ASSERT_FALSE(llvm::sys::fs::create_link("../../blobs/blob-" + name,
                                            snapshot + "/" + name));
  }
  auto module = importHuggingFace(snapshot, &context());
  EXPECT_TRUE(bool(module)) << llvm::toString(module.takeError());
}

TEST_F(Hostile, IndexWithoutMap) {
  llvm::sys::fs::remove(file("model.safetensors"));
  writeFile(file("model.safetensors.index.json"), "{}");
  expectRefusal("no weight_map");
}

//===----------------------------------------------------------------------===//
// modules.json
//===----------------------------------------------------------------------===//

TEST_F(Hostile, Modules) {
  auto with = [&](llvm::StringRef text, llvm::StringRef part,
                  ImportError::Kind kind = ImportError::Kind::BadModel) {
    writeFile(file("modules.json"), text);
    expectRefusal(part, kind);
  };
  const std::string transformer =
      R"({"idx":0,"path":"","type":"sentence_transformers.models.Transformer"})";
  with("{}", "no list of modules");
  with("[]", "no module is a Transformer");
  with("[1]", "no type or path");
  with("[" + transformer + "]", "must be Pooling",
       ImportError::Kind::Unsupported);
  with("[" + transformer + R"(,{"path":"../1","type":"a.Pooling"}])", "'..'");
  with("[" + transformer + R"(,{"path":"no","type":"a.Pooling"}])", "missing");
  with("[" + transformer + R"(,{"path":"","type":"a.WordWeights"}])",
       "WordWeights", ImportError::Kind::Unsupported);
}

TEST_F(Hostile, PoolingModes) {
  llvm::sys::fs::create_directory(file("1_Pooling"));
  writeFile(
      file("modules.json"),
      R"([{"path":"","type":"x.Transformer"},{"path":"1_Pooling","type":"x.Pooling"}])");
  expectRefusal("1_Pooling/config.json");
  writeFile(file("1_Pooling/config.json"), "{}");
  expectRefusal("no way of pooling");
  writeFile(file("1_Pooling/config.json"),
            R"({"pooling_mode_lasttoken": true})");
  expectUnsupported("pooling_mode_lasttoken");
  writeFile(file("1_Pooling/config.json"),
            R"({"pooling_mode_mean_tokens": "yes"})");
  expectRefusal("pooling_mode_mean_tokens");
}

} // namespace
