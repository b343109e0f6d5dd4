//===- X86Target.cpp - x86-64 CPUs ------------------------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The register tile, by vector width:
//
//           registers   tile      accumulators + weight row + broadcast
//   SSE4        16      6 x 8     12 + 2 + 1
//   AVX2        16      6 x 16    12 + 2 + 1
//   AVX-512     32     14 x 32    28 + 2 + 1 (the broadcast folds into FMA)
//
// AMX adds eight registers of 16 x 64 bytes for products in int8 and bf16
// (lib/CodeGen/Kernels/TileProduct.cpp); the rest is as with AVX-512.
//
//===----------------------------------------------------------------------===//

#include "plmc/Target/X86/X86Target.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/X86TargetParser.h"

using namespace plmc;

namespace {

/// LLVM's name, and the runtime's bit (PLM_CPU_* in lib/Runtime/Generated.h).
struct Feature {
  llvm::StringLiteral name;
  uint64_t bit;
};
constexpr uint64_t avx512f = 1 << 7, avx512vnni = 1 << 12, avx512bf16 = 1 << 13,
                   avxvnni = 1 << 14, amxTile = 1 << 15, amxInt8 = 1 << 16,
                   amxBF16 = 1 << 17, amx = amxTile | amxInt8 | amxBF16;
constexpr Feature features[] = {{"sse4.2", 1 << 0},
                                {"popcnt", 1 << 1},
                                {"avx", 1 << 2},
                                {"avx2", 1 << 3},
                                {"fma", 1 << 4},
                                {"f16c", 1 << 5},
                                {"bmi2", 1 << 6},
                                {"avx512f", avx512f},
                                {"avx512bw", 1 << 8},
                                {"avx512cd", 1 << 9},
                                {"avx512dq", 1 << 10},
                                {"avx512vl", 1 << 11},
                                {"avx512vnni", avx512vnni},
                                {"avx512bf16", avx512bf16},
                                {"avxvnni", avxvnni},
                                {"amx-tile", amxTile},
                                {"amx-int8", amxInt8},
                                {"amx-bf16", amxBF16}};

/// The features that we let LLVM use, with what they imply. Others of a named
/// CPU (AES, SHA, ...) gain nothing and would need checks at load.
constexpr llvm::StringLiteral baseline[] = {"sse3", "ssse3", "sse4.1", "cx16",
                                            "sahf"};

llvm::Error unknownCpu(llvm::StringRef cpu, const llvm::Twine &why) {
  return llvm::createStringError("--cpu=" + cpu + ": " + why +
                                 "; use native, any, x86-64-v2, x86-64-v3, "
                                 "x86-64-v4 or an LLVM CPU name such "
                                 "as haswell, znver3, skylake-avx512");
}

/// The target with the features of `has`; none below x86-64-v2.
std::optional<TargetInfo> makeTarget(const llvm::StringMap<bool> &has) {
  auto supports = [&](llvm::StringRef name) { return has.lookup(name); };
  if (!supports("sse4.2") || !supports("popcnt"))
    return std::nullopt;
  TargetInfo target;
  target.triple = "x86_64-unknown-linux-gnu";
  // A virtual machine may hide features of its CPU, so the list decides; the
  // model is for scheduling and for people.
  bool v3 = supports("avx2") && supports("fma") && supports("bmi2") &&
            supports("f16c");
  bool v4 = v3 && supports("avx512f") && supports("avx512bw") &&
            supports("avx512cd") && supports("avx512dq") &&
            supports("avx512vl");
  // Every CPU that has AMX has all of this; the kernels use it side by side.
  bool tiles = v4 && supports("avx512vnni") && supports("avx512bf16") &&
               supports("amx-tile") && supports("amx-int8") &&
               supports("amx-bf16");
  target.cpu = v4 ? "x86-64-v4" : v3 ? "x86-64-v3" : "x86-64-v2";
  target.name = target.cpu;
  llvm::SmallVector<std::string> list;
  for (llvm::StringRef name : baseline)
    list.push_back("+" + name.str());
  for (const Feature &feature : features) {
    bool vectorOfHigherLevel =
        (feature.name.starts_with("avx512") && !v4) ||
        (feature.name.starts_with("amx") && !tiles) ||
        ((feature.name.starts_with("avx") || feature.name == "fma" ||
          feature.name == "f16c" || feature.name == "bmi2") &&
         !v3);
    if (!supports(feature.name) || vectorOfHigherLevel)
      continue;
    list.push_back("+" + feature.name.str());
    target.featureBits |= feature.bit;
  }
  if (v3)
    for (llvm::StringRef implied : {"bmi", "lzcnt"})
      if (supports(implied))
        list.push_back("+" + implied.str());
  target.features = llvm::join(list, ",");
  setRegisterTile(target, target.cpu);
  return target;
}

/// The features of a level or an LLVM CPU, with what they imply.
llvm::StringMap<bool> featuresOf(llvm::StringRef cpu) {
  llvm::StringMap<bool> has;
  llvm::SmallVector<llvm::StringRef> list;
  llvm::X86::getFeaturesForCPU(cpu, list);
  for (llvm::StringRef feature : list) { // e.g. avx512bw, but not avx512f
    has[feature] = true;
    llvm::X86::updateImpliedFeatures(feature, /*Enabled=*/true, has);
  }
  return has;
}

} // namespace

std::vector<TargetInfo> plmc::allX86Targets() {
  struct Variant {
    llvm::StringRef level;
    std::vector<llvm::StringRef> more;
  };
  const Variant variants[] = {
      {"x86-64-v4",
       {"avx512vnni", "avx512bf16", "amx-tile", "amx-int8",
        "amx-bf16"}},                              // Sapphire Rapids
      {"x86-64-v4", {"avx512vnni", "avx512bf16"}}, // Cooper Lake, Zen 4
      {"x86-64-v4", {"avx512vnni"}},               // Cascade Lake, Ice Lake
      {"x86-64-v4", {}},                           // Skylake-SP
      {"x86-64-v3", {"avxvnni"}},                  // Alder Lake
      {"x86-64-v3", {}},
      {"x86-64-v2", {}}};
  std::vector<TargetInfo> targets;
  for (const Variant &variant : variants) {
    llvm::StringMap<bool> has = featuresOf(variant.level);
    for (llvm::StringRef feature : variant.more)
      has[feature] = true;
    targets.push_back(*makeTarget(has));
    for (llvm::StringRef feature : variant.more)
      targets.back().name += "+" + feature.str();
  }
  return targets;
}

llvm::Expected<TargetInfo> plmc::resolveX86Target(llvm::StringRef cpu) {
  llvm::StringMap<bool> has;
  std::string model = cpu.str();
  if (cpu == "native") {
#if defined(__x86_64__)
    model = llvm::sys::getHostCPUName().str();
    has = llvm::sys::getHostCPUFeatures();
    if (llvm::X86::parseArchX86(model, /*Only64Bit=*/true) ==
        llvm::X86::CK_None)
      model = "x86-64";
#else
    return unknownCpu(cpu, "this machine is no x86-64");
#endif
  } else {
    if (llvm::X86::parseArchX86(cpu, /*Only64Bit=*/true) == llvm::X86::CK_None)
      return unknownCpu(cpu, "no such x86-64 CPU");
    has = featuresOf(cpu);
  }
  std::optional<TargetInfo> target = makeTarget(has);
  if (!target)
    return unknownCpu(cpu, "older than x86-64-v2 (SSE4.2 and POPCNT)");
  if (model != target->name)
    target->name += " (" + model + ")";
  return *target;
}

void plmc::setRegisterTile(TargetInfo &target, llvm::StringRef level) {
  bool v4 = level.starts_with("x86-64-v4");
  target.lanes = v4 ? 16 : level == "x86-64-v3" ? 8 : 4;
  target.tileRows = v4 ? 14 : 6;
  target.panelVectors = 2;
  // Only with the vectors of the CPU itself.
  auto has = [&](uint64_t bit) { return (target.featureBits & bit) != 0; };
  target.avx512 = target.lanes == 16 && has(avx512f);
  target.dotInt8 = (target.lanes == 16 && has(avx512vnni)) ||
                   (target.lanes == 8 && has(avxvnni));
  target.dotBF16 = target.lanes == 16 && has(avx512bf16);
  bool tiles = target.lanes == 16 && (has(amxTile) || level.ends_with("+amx"));
  target.amxInt8 = tiles && target.dotInt8;
  target.amxBF16 = tiles && target.dotBF16;
}

void plmc::dropTiles(TargetInfo &target) {
  llvm::SmallVector<llvm::StringRef> list;
  llvm::StringRef(target.features).split(list, ',');
  llvm::erase_if(list, [](llvm::StringRef feature) {
    return feature.starts_with("+amx");
  });
  target.features = llvm::join(list, ",");
  target.featureBits &= ~amx;
  target.amxInt8 = target.amxBF16 = false;
}
