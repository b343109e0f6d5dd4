//===- Tokenizer.cpp - Text to ids, ids to text ---------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Tokenizer/Tokenizer.h"
#include "../Runtime/Tokenize.h"
#include "Spec.h"
#include "plmc/Support/Text.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <mutex>
#include <set>

using namespace llvm;
using namespace plmc::tokenizer;

namespace plmc {

struct Tokenizer::Impl {
  std::string name;
  Json json;
  Spec spec;
  std::vector<char> image;
  std::vector<AddedToken> added;
  plm_tok tok;
  // Idle memory of encode, one for each call under way.
  std::mutex mutex;
  std::vector<plm_tok_work> idle;

  ~Impl() {
    for (plm_tok_work &work : idle)
      plm_tok_work_free(&work);
  }
  Expected<Encoding> encode(const plm_tok_input &input);
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;

Expected<std::unique_ptr<Tokenizer>>
Tokenizer::create(std::unique_ptr<Impl> impl) {
  Failure failure{impl->name, ""};
  impl->spec = readSpec(impl->json, failure);
  auto image = writeImage(impl->spec, failure);
  if (!image)
    return image.takeError();
  impl->image = std::move(*image);
  plm_rt_message message;
  if (plm_tok_open(&impl->tok, impl->image.data(), impl->image.size(),
                   &message) != PLM_OK) {
    failure.set(Twine("internal: ") + message.text);
    return failure.take();
  }
  for (const Added &token : impl->spec.added)
    impl->added.push_back({int32_t(token.id), token.text,
                           bool(token.flags & PLM_TOK_ADDED_SPECIAL)});
  return std::unique_ptr<Tokenizer>(new Tokenizer(std::move(impl)));
}

Expected<std::unique_ptr<Tokenizer>> Tokenizer::fromJson(StringRef text,
                                                         StringRef name) {
  auto json = parseJson(text, name);
  if (!json)
    return json.takeError();
  auto impl = std::make_unique<Impl>();
  impl->name = name.str();
  impl->json = std::move(*json);
  return create(std::move(impl));
}

/// The file in a folder that says most.
static Expected<std::string> fileIn(StringRef folder) {
  for (StringRef name : {"tokenizer.json", "sentencepiece.bpe.model",
                         "spiece.model", "vocab.txt"}) {
    SmallString<128> path(folder);
    sys::path::append(path, name);
    if (sys::fs::exists(path))
      return path.str().str();
  }
  return createStringError(cleanText(folder) +
                           ": there is no tokenizer.json, vocab.txt or "
                           "SentencePiece model in this folder");
}

Expected<std::unique_ptr<Tokenizer>>
Tokenizer::open(StringRef given, const TokenizerOptions &options) {
  std::string path = given.str();
  if (sys::fs::is_directory(given)) {
    auto file = fileIn(given);
    if (!file)
      return file.takeError();
    path = *file;
  }
  auto text = readTokenizerFile(path);
  if (!text)
    return text.takeError();
  StringRef extension = sys::path::extension(path);
  auto json = extension == ".model" ? jsonOfSentencePiece(*text, path)
              : extension == ".txt"
                  ? jsonOfVocabText(*text, path, options.lowercase)
                  : parseJson(*text, path);
  if (!json)
    return json.takeError();
  auto impl = std::make_unique<Impl>();
  impl->name = path;
  impl->json = std::move(*json);
  return create(std::move(impl));
}

ArrayRef<char> Tokenizer::image() const { return impl->image; }
size_t Tokenizer::size() const { return impl->spec.pieces.size(); }

StringRef Tokenizer::piece(int32_t id) const {
  return size_t(id) < size() ? StringRef(impl->spec.pieces[id]) : StringRef();
}

std::optional<int32_t> Tokenizer::lookup(StringRef piece) const {
  for (const AddedToken &token : impl->added)
    if (token.text == piece)
      return token.id;
  auto found = impl->spec.ids.find(piece);
  if (found == impl->spec.ids.end())
    return std::nullopt;
  return int32_t(found->second);
}

ArrayRef<AddedToken> Tokenizer::addedTokens() const { return impl->added; }

static std::optional<int32_t> optionalId(int32_t id) {
  return id < 0 ? std::nullopt : std::optional<int32_t>(id);
}

std::optional<int32_t> Tokenizer::unknownId() const {
  return optionalId(impl->spec.unknownId);
}
std::optional<int32_t> Tokenizer::padId() const {
  return optionalId(impl->spec.padId);
}

std::optional<int32_t> Tokenizer::maskId() const {
  for (StringRef text : {"[MASK]", "<mask>"})
    if (std::optional<int32_t> id = lookup(text))
      return id;
  return std::nullopt;
}

Expected<std::vector<int32_t>> Tokenizer::specialIds() const {
  std::set<int32_t> ids;
  for (const AddedToken &token : addedTokens())
    ids.insert(token.id);
  for (std::optional<int32_t> id : {unknownId(), padId()})
    if (id)
      ids.insert(*id);
  auto around = encodePair("", "");
  if (!around)
    return around.takeError();
  ids.insert(around->ids.begin(), around->ids.end());
  return std::vector<int32_t>(ids.begin(), ids.end());
}

StringRef Tokenizer::kind() const {
  switch (impl->spec.model) {
  case PLM_TOK_WORDPIECE:
    return "WordPiece";
  case PLM_TOK_UNIGRAM:
    return "Unigram";
  case PLM_TOK_BPE:
    return "BPE";
  default:
    return "WordLevel";
  }
}

std::string Tokenizer::vocabularyHash() const {
  return utohexstr(impl->tok.header->vocabulary_hash, /*LowerCase=*/true,
                   /*Width=*/16);
}

uint32_t Tokenizer::maxLength() const { return impl->spec.maxLength; }

Expected<Encoding> Tokenizer::Impl::encode(const plm_tok_input &input) {
  plm_tok_work work = {};
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!idle.empty()) {
      work = idle.back();
      idle.pop_back();
    }
  }
  plm_tok_output output;
  plm_rt_message message;
  plm_status status = plm_tok_encode(&tok, &work, &input, &output, &message);
  Encoding encoding;
  if (status == PLM_OK) {
    encoding.ids.assign(output.ids, output.ids + output.count);
    encoding.types.assign(output.types, output.types + output.count);
  }
  std::lock_guard<std::mutex> lock(mutex);
  idle.push_back(work);
  if (status != PLM_OK)
    return createStringError(message.text);
  return encoding;
}

Expected<Encoding> Tokenizer::encode(StringRef text,
                                     const EncodeOptions &options) const {
  plm_tok_input input = {text.data() ? text.data() : "",
                         nullptr,
                         text.size(),
                         0,
                         options.maxLength,
                         !options.addSpecial};
  return impl->encode(input);
}

Expected<Encoding> Tokenizer::encodePair(StringRef first, StringRef second,
                                         const EncodeOptions &options) const {
  plm_tok_input input = {first.data() ? first.data() : "",
                         second.data() ? second.data() : "",
                         first.size(),
                         second.size(),
                         options.maxLength,
                         !options.addSpecial};
  return impl->encode(input);
}

Expected<std::unique_ptr<Tokenizer>>
Tokenizer::withVocabulary(ArrayRef<int32_t> kept) const {
  auto json = reduceVocabulary(impl->json, impl->spec, kept);
  if (!json)
    return json.takeError();
  auto reduced = std::make_unique<Impl>();
  reduced->name = impl->name;
  reduced->json = std::move(*json);
  return create(std::move(reduced));
}

std::string Tokenizer::json() const { return printTokenizerJson(impl->json); }

std::string Tokenizer::vocabText() const {
  std::string text;
  for (const std::string &piece : impl->spec.pieces)
    text += piece + "\n";
  return text;
}

/// Byte-level pieces write bytes as characters: the way back.
static std::string bytesOf(StringRef text) {
  std::string result;
  std::vector<uint32_t> chars;
  addText(chars, text);
  for (uint32_t c : drop_begin(chars)) {
    if (c < 0x100)
      result.push_back(char(c));
    else if (c < 0x121)
      result.push_back(char(c - 0x100));
    else if (c < 0x143)
      result.push_back(char(c - 0x121 + 127));
    else if (c == 0x143)
      result.push_back(char(173));
  }
  return result;
}

/// <0x0A>
static std::optional<char> fallbackByte(StringRef piece) {
  uint8_t byte;
  if (piece.size() != 6 || !piece.consume_front("<0x") ||
      !piece.consume_back(">") || piece.getAsInteger(16, byte))
    return std::nullopt;
  return char(byte);
}

std::string Tokenizer::decode(ArrayRef<int32_t> ids, bool skipSpecial) const {
  const Spec &spec = impl->spec;
  bool byteLevel = false;
  uint32_t mark = 0;
  for (const std::vector<uint32_t> *program :
       {&spec.normalizer, &spec.splitter})
    for (size_t at = 0; at < program->size(); at += 1 + ((*program)[at] >> 8)) {
      uint32_t opcode = (*program)[at] & 255;
      byteLevel |= opcode == PLM_TOK_BYTE_LEVEL || opcode == PLM_TOK_BYTES;
      if (opcode == PLM_TOK_METASPACE)
        mark = (*program)[at + 1];
    }
  std::string space;
  if (mark) {
    char bytes[4];
    space.assign(bytes, plm_tok_put(bytes, mark));
  }
  bool words =
      spec.model == PLM_TOK_WORDPIECE || spec.model == PLM_TOK_WORDLEVEL;
  std::string result;
  for (int32_t id : ids) {
    auto added = find_if(impl->added, [&](auto &t) { return t.id == id; });
    bool isAdded = added != impl->added.end();
    if (isAdded && added->special && skipSpecial)
      continue;
    StringRef text = piece(id);
    bool continues = false;
    if (!isAdded && byteLevel) {
      result += bytesOf(text);
      continue;
    }
    if (auto byte = fallbackByte(text);
        byte && !isAdded && (spec.flags & PLM_TOK_BYTE_FALLBACK)) {
      result.push_back(*byte);
      continue;
    }
    if (words)
      continues = !isAdded && !spec.continuing.empty() &&
                  text.consume_front(spec.continuing);
    if (words && !continues && !result.empty())
      result.push_back(' ');
    bool ends = !spec.wordEnd.empty() && text.consume_back(spec.wordEnd);
    std::string put = text.str();
    if (mark)
      for (size_t at = 0; (at = put.find(space, at)) != std::string::npos;)
        put.replace(at++, space.size(), " ");
    result += put;
    if (ends)
      result.push_back(' ');
  }
  if (mark && !result.empty() && result.front() == ' ')
    result.erase(0, 1);
  if (!spec.wordEnd.empty() && !result.empty() && result.back() == ' ')
    result.pop_back();
  return result;
}

} // namespace plmc
