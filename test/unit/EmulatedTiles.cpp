//===- EmulatedTiles.cpp - AMX on CPUs that lack it -------------*- C++ -*-===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// A CPU without AMX traps at each of its instructions. The handler of the
// signal decodes the instruction, does what Intel's manual says (volume 2,
// "Intel AMX Instruction Set Reference"), on tiles that belong to the thread,
// and goes on behind it. So the machine code of the library is what is tested:
// shapes and registers as LLVM has chosen them, where it configures the unit
// and whether it releases it. What the unit would refuse is recorded.
//
//===----------------------------------------------------------------------===//

#include "EmulatedTiles.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include <atomic>
#include <cmath>
#include <cstring>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

using namespace plmc::test;

namespace {

std::atomic<const char *> firstError;
std::atomic<int64_t> products, configured;

void refuse(const char *why) {
  const char *none = nullptr;
  firstError.compare_exchange_strong(none, why);
}

/// The unit of one thread.
struct Unit {
  bool on = false;
  int rows[8], bytes[8];
  int32_t words[8][16][16];

  void configure(const uint8_t *config);
  void release();
  bool usable(int tile);
  void zero(int tile);
  void load(int tile, const char *from, int64_t stride);
  void store(int tile, char *to, int64_t stride);
  template <typename DotT> void multiply(int sum, int x, int y, DotT dot);
};
thread_local Unit unit;

void Unit::configure(const uint8_t *config) {
  if (config[0] != 1 || config[1] != 0)
    refuse("ldtilecfg: another palette, or a row to go on from");
  for (int i = 2; i < 64; ++i)
    if ((i < 16 || (i >= 32 && i < 48) || i >= 56) && config[i])
      refuse("ldtilecfg: a reserved byte");
  for (int tile = 0; tile < 8; ++tile) {
    bytes[tile] = config[16 + 2 * tile] + 256 * config[17 + 2 * tile];
    rows[tile] = config[48 + tile];
    if (rows[tile] > 16 || bytes[tile] > 64 || !rows[tile] != !bytes[tile])
      refuse("ldtilecfg: no shape of a tile");
  }
  std::memset(words, 0, sizeof(words));
  configured += !on;
  on = true;
}

void Unit::release() {
  configured -= on;
  on = false;
}

bool Unit::usable(int tile) {
  bool good = on && rows[tile] && bytes[tile] % 4 == 0;
  if (!good)
    refuse("a tile is used that is not configured");
  return good;
}

void Unit::zero(int tile) {
  if (usable(tile))
    std::memset(words[tile], 0, sizeof(words[tile]));
}

void Unit::load(int tile, const char *from, int64_t stride) {
  zero(tile);
  for (int row = 0; usable(tile) && row < rows[tile]; ++row)
    std::memcpy(words[tile][row], from + row * stride, bytes[tile]);
}

void Unit::store(int tile, char *to, int64_t stride) {
  for (int row = 0; usable(tile) && row < rows[tile]; ++row)
    std::memcpy(to + row * stride, words[tile][row], bytes[tile]);
}

template <typename DotT> void Unit::multiply(int sum, int x, int y, DotT dot) {
  ++products;
  if (!usable(sum) || !usable(x) || !usable(y))
    return;
  if (sum == x || x == y || sum == y)
    return refuse("a product of a tile and itself");
  if (rows[sum] != rows[x] || bytes[sum] != bytes[y] || bytes[x] != 4 * rows[y])
    return refuse("a product of shapes that do not agree");
  for (int row = 0; row < rows[sum]; ++row)
    for (int column = 0; column < bytes[sum] / 4; ++column) {
      int32_t rowOfX[16], columnOfY[16];
      for (int k = 0; k < rows[y]; ++k) {
        rowOfX[k] = words[x][row][k];
        columnOfY[k] = words[y][k][column];
      }
      int32_t &target = words[sum][row][column];
      target = dot(target, rowOfX, columnOfY, rows[y]);
    }
}

/// Signed bytes of x, unsigned ones of y.
int32_t dotInt8(int32_t start, const int32_t *x, const int32_t *y, int count) {
  auto *codes = reinterpret_cast<const int8_t *>(x);
  auto *weights = reinterpret_cast<const uint8_t *>(y);
  uint32_t sum = start;
  for (int i = 0; i < 4 * count; ++i)
    sum += uint32_t(int32_t(codes[i]) * int32_t(weights[i]));
  return int32_t(sum);
}

float flushed(float value) {
  return std::fpclassify(value) == FP_SUBNORMAL ? std::copysign(0.0f, value)
                                                : value;
}

float fromBits(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return flushed(value);
}

/// Even and odd values of K are summed apart, then added to what was there.
/// Denormal numbers are 0 on the way in and out.
int32_t dotBF16(int32_t start, const int32_t *x, const int32_t *y, int count) {
  float even = 0, odd = 0;
  for (int k = 0; k < count; ++k) {
    uint32_t a = x[k], b = y[k];
    even = flushed(std::fma(fromBits(a << 16), fromBits(b << 16), even));
    odd = flushed(
        std::fma(fromBits(a & 0xffff0000u), fromBits(b & 0xffff0000u), odd));
  }
  float total = flushed(fromBits(start) + flushed(even + odd));
  int32_t bits;
  std::memcpy(&bits, &total, 4);
  return bits;
}

/// A VEX instruction of three bytes' prefix, as all of AMX are.
struct Decoded {
  int opcode, prefix; // 0, 1: 66, 2: F3, 3: F2
  int mode, reg, rm, vector;
  char *address = nullptr; // of memory, without the index
  int64_t stride = 0;      // the index
  int64_t length = 0;

  bool decode(const uint8_t *code, const greg_t *registers);
};

int64_t registerValue(const greg_t *registers, int number) {
  static const int order[] = {
      REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  return registers[order[number]];
}

bool Decoded::decode(const uint8_t *code, const greg_t *registers) {
  const uint8_t *at = code;
  if (*at++ != 0xc4 || (*at & 0x1f) != 2) // map 0F38
    return false;
  int indexHigh = *at & 0x40 ? 0 : 8, baseHigh = *at & 0x20 ? 0 : 8;
  ++at;
  if (*at & 0x84) // W1 or a vector of 256 bits
    return false;
  vector = (~*at >> 3) & 15;
  prefix = *at++ & 3;
  opcode = *at++;
  mode = *at >> 6;
  reg = (*at >> 3) & 7;
  rm = *at++ & 7;
  if (mode != 3) {
    int base = rm + baseHigh, index = -1, scale = 0;
    if (rm == 4) {
      scale = *at >> 6;
      index = ((*at >> 3) & 7) + indexHigh;
      base = (*at++ & 7) + baseHigh;
    }
    int64_t displacement = 0;
    bool noBase = mode == 0 && (base & 7) == 5;
    if (noBase) // relative to the code: not what a stack is reached by
      return false;
    if (mode == 1) {
      displacement = static_cast<int8_t>(*at++);
    } else if (mode == 2) {
      int32_t wide;
      std::memcpy(&wide, at, 4);
      displacement = wide;
      at += 4;
    }
    if (index >= 0 && index != 4)
      stride = registerValue(registers, index) << scale;
    address =
        reinterpret_cast<char *>(registerValue(registers, base) + displacement);
  }
  length = at - code;
  return true;
}

bool execute(const Decoded &code) {
  bool memory = code.mode != 3;
  switch (code.opcode << 4 | code.prefix) {
  case 0x490:
    if (memory)
      unit.configure(reinterpret_cast<uint8_t *>(code.address + code.stride));
    else
      unit.release();
    return true;
  case 0x493:
    unit.zero(code.reg);
    return !memory;
  case 0x4b3:
    if (memory)
      unit.load(code.reg, code.address, code.stride);
    return memory;
  case 0x4b2:
    if (memory)
      unit.store(code.reg, code.address, code.stride);
    return memory;
  case 0x5c2:
    unit.multiply(code.reg, code.rm, code.vector, dotBF16);
    return !memory;
  case 0x5e2:
    unit.multiply(code.reg, code.rm, code.vector, dotInt8);
    return !memory;
  default:
    return false;
  }
}

void onTrap(int signal, siginfo_t *, void *state) {
  greg_t *registers = static_cast<ucontext_t *>(state)->uc_mcontext.gregs;
  Decoded code;
  if (code.decode(reinterpret_cast<const uint8_t *>(registers[REG_RIP]),
                  registers) &&
      execute(code)) {
    registers[REG_RIP] += code.length;
    return;
  }
  std::signal(signal, SIG_DFL); // traps once more
}

/// Workers block all signals; one that is blocked cannot be handled.
void admitTrap() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGILL);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

bool usesTileInstructions(llvm::Function &function) {
  return llvm::any_of(llvm::instructions(function), [](llvm::Instruction &i) {
    return i.getType()->isX86_AMXTy();
  });
}

} // namespace

void plmc::test::allowTiles(llvm::Module &module) {
  for (llvm::Function &function : module) {
    if (usesTileInstructions(function))
      function.addFnAttr(
          "target-features",
          (function.getFnAttribute("target-features").getValueAsString() +
           ",+amx-tile,+amx-int8,+amx-bf16")
              .str());
    if (!function.getName().starts_with("plm_gen_run"))
      continue;
    // The library is compiled and loaded by this process: so an address will
    // do.
    llvm::IRBuilder<> builder(&*function.getEntryBlock().begin());
    auto *type = llvm::FunctionType::get(builder.getVoidTy(), false);
    builder.CreateCall(
        type, llvm::ConstantExpr::getIntToPtr(
                  builder.getInt64(reinterpret_cast<uintptr_t>(&admitTrap)),
                  builder.getPtrTy()));
  }
}

EmulatedTiles::EmulatedTiles() {
  // LLVM has a handler of its own from when it first writes a file.
  struct sigaction action = {};
  action.sa_sigaction = onTrap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGILL, &action, &before);
}
EmulatedTiles::~EmulatedTiles() { sigaction(SIGILL, &before, nullptr); }

bool EmulatedTiles::native() {
  constexpr long requestPermission = 0x1023, tileData = 18;
  static bool granted =
      syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
  return granted;
}
std::string EmulatedTiles::takeError() {
  const char *error = firstError.exchange(nullptr);
  return error ? error : "";
}
int64_t EmulatedTiles::takeProducts() { return products.exchange(0); }
bool EmulatedTiles::released() { return configured == 0; }
