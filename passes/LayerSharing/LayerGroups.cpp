//===- LayerGroups.cpp - Which layers have one set of weights -------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerGroups.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace plmc;
using llvm::StringRef;

llvm::Expected<LayerGroups> plmc::parseGroups(StringRef text, int64_t layers) {
  LayerGroups result;
  std::set<int64_t> seen;
  auto wrong = [&](StringRef part, const llvm::Twine &why) {
    return llvm::createStringError("groups=" + text + ": '" + part + "' " +
                                   why);
  };
  for (StringRef group : llvm::split(text, ';')) {
    std::vector<int64_t> members;
    for (StringRef part : llvm::split(group, ',')) {
      auto [from, to] = part.trim().split('-');
      int64_t first, last;
      if (from.getAsInteger(10, first) ||
          (part.contains('-') ? to.getAsInteger(10, last) : (last = first, 0)))
        return wrong(part, "is no layer and no range of layers; write "
                           "groups=0-1;2-3 or groups=0,1;2,3");
      if (first < 0 || last >= layers || first > last)
        return wrong(part, "does not lie in the model's layers 0 to " +
                               llvm::Twine(layers - 1));
      for (int64_t layer = first; layer <= last; ++layer) {
        if (!seen.insert(layer).second)
          return wrong(part, "names layer " + llvm::Twine(layer) + " again");
        members.push_back(layer);
      }
    }
    llvm::sort(members);
    if (members.size() > 1)
      result.push_back(std::move(members));
  }
  if (result.empty())
    return llvm::createStringError("groups=" + text +
                                   ": no group has two layers");
  return result;
}

LayerGroups plmc::groupsOfNeighbours(const Matrix &distances, int64_t count) {
  LayerGroups groups;
  for (int64_t layer = 0; layer < distances.rows(); ++layer)
    groups.push_back({layer});
  while (int64_t(groups.size()) > std::max<int64_t>(count, 1)) {
    size_t first = 0, second = 1;
    double least = INFINITY;
    for (size_t a = 0; a < groups.size(); ++a)
      for (size_t b = a + 1; b < groups.size(); ++b) {
        double sum = 0;
        for (int64_t i : groups[a])
          for (int64_t j : groups[b])
            sum += distances(i, j);
        double mean = sum / double(groups[a].size() * groups[b].size());
        if (mean < least) {
          least = mean;
          first = a;
          second = b;
        }
      }
    llvm::append_range(groups[first], groups[second]);
    llvm::sort(groups[first]);
    groups.erase(groups.begin() + second);
  }
  llvm::erase_if(groups, [](auto &group) { return group.size() < 2; });
  return groups;
}
