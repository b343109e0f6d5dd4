//===- YamlTree.cpp - The part of YAML that recipes are written in --------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// yaml-cpp's own tree is not used: it has resolved aliases and joined equal
// keys before one can look. From its events a tree is made that holds what
// recipes need and no more; everything else stops the parser where it stands.
//
//===----------------------------------------------------------------------===//

#include "YamlTree.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/Twine.h"
#include <sstream>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

using llvm::StringRef;
using llvm::Twine;

namespace plmc {
namespace {

constexpr size_t maxBytes = 1 << 20;
constexpr size_t maxDepth = 16;
constexpr size_t maxNodes = 1 << 16;

/// yaml-cpp reports by exceptions; so does what it calls.
struct Refusal {
  unsigned line;
  std::string text;
};

class TreeBuilder : public YAML::EventHandler {
public:
  YamlNode root;

  void OnDocumentStart(const YAML::Mark &mark) override {
    if (documents++)
      refuse(mark, "a second document; one file is one recipe");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &mark, YAML::anchor_t anchor) override {
    add(mark, YamlNode::Kind::Null, "?", anchor, "");
  }
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t) override {
    refuse(mark, "an alias (*name); write the value out");
  }
  void OnScalar(const YAML::Mark &mark, const std::string &tag,
                YAML::anchor_t anchor, const std::string &value) override {
    add(mark, YamlNode::Kind::Scalar, tag, anchor, value);
  }
  void OnSequenceStart(const YAML::Mark &mark, const std::string &tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    add(mark, YamlNode::Kind::List, tag, anchor, "");
  }
  void OnSequenceEnd() override { open.pop_back(); }
  void OnMapStart(const YAML::Mark &mark, const std::string &tag,
                  YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    add(mark, YamlNode::Kind::Map, tag, anchor, "");
  }
  void OnMapEnd() override { open.pop_back(); }

private:
  [[noreturn]] static void refuse(const YAML::Mark &mark, const Twine &text) {
    throw Refusal{unsigned(mark.line + 1), text.str()};
  }

  void add(const YAML::Mark &mark, YamlNode::Kind kind, StringRef tag,
           YAML::anchor_t anchor, const std::string &value) {
    if (anchor)
      refuse(mark, "an anchor (&name); write the value out where it is used");
    if (tag != "?" && tag != "!" && !tag.empty())
      refuse(mark, "a tag (" + tag + "); values need none");
    if (++nodes > maxNodes || open.size() >= maxDepth)
      refuse(mark, "more than a recipe can hold: " + Twine(maxNodes) +
                       " values, " + Twine(maxDepth) + " levels");
    YamlNode node;
    node.kind = kind;
    node.line = mark.line + 1;
    // "~" and an empty value are null; a quoted one is text.
    node.scalar = value;
    YamlNode *place = &root;
    if (!open.empty()) {
      YamlNode &parent = *open.back();
      if (parent.kind == YamlNode::Kind::Map &&
          parent.keys.size() == parent.items.size()) {
        addKey(mark, parent, kind, value);
        return;
      }
      parent.items.emplace_back();
      place = &parent.items.back();
    }
    *place = std::move(node);
    if (kind == YamlNode::Kind::List || kind == YamlNode::Kind::Map)
      open.push_back(place);
  }

  void addKey(const YAML::Mark &mark, YamlNode &map, YamlNode::Kind kind,
              const std::string &key) {
    if (kind != YamlNode::Kind::Scalar)
      refuse(mark, "a key that is no name");
    if (llvm::is_contained(map.keys, key))
      refuse(mark, "'" + key + "' is given twice");
    map.keys.push_back(key);
  }

  /// The lists and maps that have begun. Only the last one grows, so that the
  /// pointers stay.
  std::vector<YamlNode *> open;
  size_t nodes = 0;
  unsigned documents = 0;
};

} // namespace

StringRef YamlNode::kindName() const {
  switch (kind) {
  case Kind::Null:
    return "nothing";
  case Kind::Scalar:
    return "a value";
  case Kind::List:
    return "a list";
  case Kind::Map:
    return "a map";
  }
  return "";
}

llvm::Expected<YamlNode> parseYaml(StringRef text, StringRef title) {
  auto fail = [&](unsigned line, const Twine &what) {
    return llvm::createStringError(title + ":" + Twine(line) + ": " + what);
  };
  if (text.size() > maxBytes)
    return llvm::createStringError(title +
                                   ": is larger than 1 MB; that is no recipe");
  if (text.contains('\0'))
    return llvm::createStringError(title + ": is no text");
  TreeBuilder builder;
  try {
    std::istringstream stream(text.str());
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder))
      ;
  } catch (const Refusal &refusal) {
    return fail(refusal.line, refusal.text);
  } catch (const YAML::Exception &exception) {
    int line = exception.mark.is_null() ? 0 : exception.mark.line;
    return fail(line + 1, exception.msg);
  }
  return std::move(builder.root);
}

} // namespace plmc
