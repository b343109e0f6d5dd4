//===- Text.cpp - Text that is safe to show -------------------------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "plmc/Support/Text.h"
#include "llvm/Support/ConvertUTF.h"

using llvm::StringRef;

namespace plmc {

std::string cleanText(StringRef text) {
  std::string result;
  for (size_t i = 0; i < text.size();) {
    unsigned char c = text[i];
    if (c < 0x80) {
      result += c < 0x20 || c == 0x7f ? '?' : char(c);
      ++i;
      continue;
    }
    unsigned length = llvm::getNumBytesForUTF8(c);
    const auto *begin = reinterpret_cast<const llvm::UTF8 *>(text.data() + i);
    // 0xC2 0x80..0x9F are control characters too.
    bool valid = length > 1 && i + length <= text.size() &&
                 llvm::isLegalUTF8Sequence(begin, begin + length) &&
                 !(c == 0xC2 && begin[1] < 0xA0);
    // Separators of lines, and marks that change the direction of text.
    if (valid && c == 0xE2)
      valid = !((begin[1] == 0x80 && begin[2] >= 0xA8 && begin[2] <= 0xAE) ||
                (begin[1] == 0x81 && begin[2] >= 0xA6 && begin[2] <= 0xA9));
    if (valid)
      result.append(text.substr(i, length).str());
    else
      result += '?';
    i += valid ? length : 1;
  }
  return result;
}

std::string nearestName(StringRef given, llvm::ArrayRef<std::string> known) {
  StringRef best;
  unsigned distance = std::max<unsigned>(2, given.size() / 3) + 1;
  for (const std::string &name : known) {
    unsigned d = given.edit_distance(name, true, distance);
    if (d < distance) {
      distance = d;
      best = name;
    }
  }
  return best.empty() ? "" : ("; did you mean '" + best + "'?").str();
}

} // namespace plmc
