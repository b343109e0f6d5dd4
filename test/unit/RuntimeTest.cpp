//===- RuntimeTest.cpp - The runtime of emitted libraries -----------------===//
//
// Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeModel/FakeModel.h"
#include "plm/model.h"
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <set>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

//===----------------------------------------------------------------------===//
// What the runtime asks of the system
//===----------------------------------------------------------------------===//

static std::atomic<int> allocations{0}, liveAllocations{0};
static std::atomic<bool> failAllocations{false};
static std::atomic<int> threadsUntilFailure{-1};

extern "C" {
void *plm_test_aligned_alloc(size_t alignment, size_t size) {
  if (failAllocations)
    return nullptr;
  ++allocations;
  ++liveAllocations;
  return std::aligned_alloc(alignment, size);
}
void plm_test_free(void *memory) {
  if (memory)
    --liveAllocations;
  std::free(memory);
}
int plm_test_pthread_create(unsigned long *thread, const void *attributes,
                            void *(*start)(void *), void *argument) {
  if (threadsUntilFailure == 0)
    return EAGAIN;
  if (threadsUntilFailure > 0)
    --threadsUntilFailure;
  return pthread_create(thread, nullptr, start, argument);
}

// lib/Runtime/Internal.h is C11.
struct plm_rt_message {
  char text[512];
};
uint64_t plm_rt_cpu_features(void);
uint64_t plm_rt_granted_features(const plm_gen_model *model, uint64_t found,
                                 const char *wanted, bool (*ask)(void));
const plm_gen_variant *plm_rt_choose_variant(const plm_gen_model *model,
                                             uint64_t available,
                                             const char *wanted,
                                             plm_rt_message *message);
}

namespace {
//===----------------------------------------------------------------------===//
// Helpers
//===----------------------------------------------------------------------===//

class RuntimeTest : public testing::Test {
protected:
  void SetUp() override {
    saved = fake_model;
    savedVariant = fake_variant;
    ASSERT_EQ(plm_open(PLM_ABI_VERSION, &model), PLM_OK);
    liveBefore = liveAllocations;
  }
  void TearDown() override {
    failAllocations = false;
    threadsUntilFailure = -1;
    plm_context_destroy(context);
    fake_model = saved;
    fake_variant = savedVariant;
    EXPECT_EQ(liveAllocations, liveBefore) << "the runtime leaks";
  }

  void create(int threads = 1) {
    plm_context_destroy(context);
    context = nullptr;
    ASSERT_EQ(plm_context_create(model, threads, &context), PLM_OK)
        << plm_last_error(nullptr);
  }

  /// Sets up both inputs; ids are 1, 2, 3, ... unless given.
  void setInputs(int64_t batch, int64_t sequence, std::vector<int64_t> keep,
                 std::vector<int64_t> newIds = {}) {
    mask = std::move(keep);
    ids = std::move(newIds);
    for (int64_t i = ids.size(); i < batch * sequence; ++i)
      ids.push_back(i % 76 + 1);
    inputs[0] = tensor(ids.data(), PLM_I64, {batch, sequence});
    inputs[1] = tensor(mask.data(), PLM_I64, {batch, sequence});
    outputs[0] = outputs[1] = plm_tensor{};
  }
  static plm_tensor tensor(void *data, int32_t dtype,
                           std::vector<int64_t> shape) {
    plm_tensor result{};
    result.data = data;
    result.dtype = dtype;
    result.rank = int32_t(shape.size());
    std::copy(shape.begin(), shape.end(), result.shape);
    return result;
  }

  plm_status run() { return plm_run(context, inputs, 2, outputs, 2); }
  std::string error() const { return plm_last_error(context); }

  void expectError(plm_status status, const std::string &text) {
    EXPECT_EQ(run(), status);
    EXPECT_EQ(error(), text);
  }

  /// Compares the outputs with what the fake model is defined to compute.
  void expectRight() {
    ASSERT_EQ(run(), PLM_OK) << error();
    EXPECT_EQ(error(), "");
    int64_t batch = inputs[0].shape[0], sequence = inputs[0].shape[1];
    EXPECT_EQ(outputs[0].dtype, PLM_F32);
    ASSERT_EQ(outputs[0].rank, 3);
    EXPECT_EQ(outputs[0].shape[0], batch);
    EXPECT_EQ(outputs[0].shape[1], sequence);
    EXPECT_EQ(outputs[0].shape[2], 4);
    ASSERT_EQ(outputs[1].rank, 2);
    auto *states = static_cast<float *>(outputs[0].data);
    auto *pooled = static_cast<float *>(outputs[1].data);
    for (int64_t b = 0; b < batch; ++b)
      for (int c = 0; c < 4; ++c) {
        float sum = 0;
        for (int64_t s = 0; s < sequence; ++s) {
          int64_t at = b * sequence + s;
          float expected = mask[at] ? float(10 * ids[at] + c) : 0;
          ASSERT_EQ(states[at * 4 + c], expected) << b << ", " << s;
          sum += expected;
        }
        ASSERT_EQ(pooled[b * 4 + c], sum) << b;
      }
  }

  const plm_model *model = nullptr;
  plm_context *context = nullptr;
  plm_tensor inputs[2], outputs[2];
  std::vector<int64_t> ids, mask;

private:
  plm_gen_model saved;
  plm_gen_variant savedVariant;
  int liveBefore = 0;
};

/// What packing handed to generated code.
struct Packing {
  std::vector<int32_t> rowSource, seqStart, seqKeys, firstRow;
  int64_t tokens = -1, maxRows = -1;
  bool aligned = false;
} packing;

void captureRun(plm_frame *frame, int64_t thread, int64_t threads) {
  int64_t batch = frame->dims[0];
  packing.tokens = frame->dims[2 + PLM_DIM_TOKENS];
  packing.maxRows = frame->dims[2 + PLM_DIM_MAX_ROWS];
  packing.aligned = reinterpret_cast<uintptr_t>(frame->arena) % 64 == 0;
  if (!frame->row_source)
    return;
  packing.rowSource.assign(frame->row_source,
                           frame->row_source + packing.tokens);
  packing.seqStart.assign(frame->seq_start, frame->seq_start + batch + 1);
  packing.seqKeys.assign(frame->seq_keys, frame->seq_keys + batch);
  packing.firstRow.assign(frame->first_row, frame->first_row + batch);
}

using Ints = std::vector<int32_t>;

//===----------------------------------------------------------------------===//
// Opening
//===----------------------------------------------------------------------===//

TEST_F(RuntimeTest, OpenChecksTheVersion) {
  const plm_model *opened = model;
  EXPECT_EQ(plm_abi_version(), uint32_t(PLM_ABI_VERSION));
  EXPECT_EQ(plm_open(99, &opened), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(opened, nullptr);
  EXPECT_NE(std::string(plm_last_error(nullptr)).find("version 99"),
            std::string::npos);
  EXPECT_EQ(plm_open(PLM_ABI_VERSION, nullptr), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(plm_open(PLM_ABI_VERSION, &opened), PLM_OK);
  EXPECT_STREQ(plm_last_error(nullptr), "");
  EXPECT_STREQ(plm_describe(opened), fake_model.description);
  EXPECT_STREQ(plm_describe(nullptr), fake_model.description);
}

TEST_F(RuntimeTest, OpenRefusesAnotherCpu) {
  fake_variant.cpu_features = uint64_t(1) << 40;
  const plm_model *opened;
  EXPECT_EQ(plm_open(PLM_ABI_VERSION, &opened), PLM_ERROR_CPU);
  EXPECT_EQ(opened, nullptr);
  EXPECT_NE(std::string(plm_last_error(nullptr)).find("0x10000000000"),
            std::string::npos);
}

TEST_F(RuntimeTest, TheBestVariantThatTheCpuCanRun) {
  constexpr uint64_t v2 = PLM_CPU_SSE42 | PLM_CPU_POPCNT;
  constexpr uint64_t v3 = v2 | PLM_CPU_AVX | PLM_CPU_AVX2 | PLM_CPU_FMA |
                          PLM_CPU_F16C | PLM_CPU_BMI2;
  plm_gen_variant variants[] = {
      {v3 | PLM_CPU_AVX512F | PLM_CPU_AVX512BW, "x86-64-v4", nullptr, nullptr},
      {v3, "x86-64-v3", nullptr, nullptr}};
  plm_gen_model several = fake_model;
  several.variants = variants;
  several.num_variants = 2;
  plm_rt_message message;
  auto choose = [&](uint64_t available, const char *wanted) {
    return plm_rt_choose_variant(&several, available, wanted, &message);
  };
  EXPECT_EQ(choose(~uint64_t(0), nullptr), &variants[0]);
  EXPECT_EQ(choose(v3, ""), &variants[1]);
  EXPECT_EQ(choose(~uint64_t(0), "x86-64-v3"), &variants[1]);

  EXPECT_EQ(choose(v3, "x86-64-v4"), nullptr);
  EXPECT_STREQ(message.text,
               "this library was compiled for x86-64-v4; this CPU lacks "
               "avx512f, avx512bw: recompile with plmc --cpu=x86-64-v3 or "
               "native");
  EXPECT_EQ(choose(v2, nullptr), nullptr);
  EXPECT_NE(std::string(message.text).find("--cpu=x86-64-v2 or"),
            std::string::npos);
  EXPECT_EQ(choose(~uint64_t(0), "znver9"), nullptr);
  EXPECT_STREQ(message.text,
               "PLM_CPU is 'znver9', for which this library has no code: unset "
               "it or use one of the names in its description");
}

int timesAsked;

TEST_F(RuntimeTest, AsksForTilesOnlyWhereTheyAreOfUse) {
  constexpr uint64_t v4 = PLM_CPU_AVX512F;
  constexpr uint64_t amx =
      v4 | PLM_CPU_AMX_TILE | PLM_CPU_AMX_INT8 | PLM_CPU_AMX_BF16;
  plm_gen_variant variants[] = {{amx, "amx", nullptr, nullptr},
                                {v4, "x86-64-v4", nullptr, nullptr}};
  plm_gen_model several = fake_model;
  several.variants = variants;
  several.num_variants = 2;
  auto granted = [&](uint64_t found, const char *wanted, bool (*ask)()) {
    return plm_rt_granted_features(&several, found, wanted, ask);
  };
  timesAsked = 0;
  auto yes = [] { return ++timesAsked > 0; };
  auto no = [] { return ++timesAsked == 0; };
  EXPECT_EQ(granted(amx, nullptr, yes), amx);
  EXPECT_EQ(granted(amx, "", no), v4);
  EXPECT_EQ(granted(amx, "amx", no), v4);
  EXPECT_EQ(timesAsked, 3);
  EXPECT_EQ(granted(v4, nullptr, no), v4);
  EXPECT_EQ(granted(amx, "x86-64-v4", no), amx);
  EXPECT_EQ(granted(amx & ~v4, nullptr, no), amx & ~v4);
  several.variants = variants + 1; // a library without such code
  several.num_variants = 1;
  EXPECT_EQ(granted(amx, nullptr, no), amx);
  EXPECT_EQ(timesAsked, 3);
}

TEST_F(RuntimeTest, ProfileStoresAStampAfterEachStep) {
  uint64_t ticks[4] = {};
  EXPECT_EQ(plm_context_profile(nullptr, ticks, 4), PLM_ERROR_ARGUMENT);
  plm_context *context = nullptr;
  ASSERT_EQ(plm_context_create(model, 1, &context), PLM_OK);
  EXPECT_EQ(plm_context_profile(context, ticks, 3), PLM_ERROR_BUFFER);
  EXPECT_STREQ(plm_last_error(context),
               "plm_context_profile: room for 3 time stamps, the model has 4");
  EXPECT_EQ(plm_context_profile(context, ticks, 4), PLM_OK);
  EXPECT_EQ(plm_context_profile(context, nullptr, 0), PLM_OK);
  plm_context_destroy(context);
}

TEST_F(RuntimeTest, CpuFeaturesAgreeWithTheCompilers) {
  uint64_t found = plm_rt_cpu_features();
  __builtin_cpu_init();
  EXPECT_EQ((found & PLM_CPU_SSE42) != 0,
            __builtin_cpu_supports("sse4.2") != 0);
  EXPECT_EQ((found & PLM_CPU_POPCNT) != 0,
            __builtin_cpu_supports("popcnt") != 0);
  EXPECT_EQ((found & PLM_CPU_AVX2) != 0, __builtin_cpu_supports("avx2") != 0);
  EXPECT_EQ((found & PLM_CPU_FMA) != 0, __builtin_cpu_supports("fma") != 0);
  EXPECT_EQ((found & PLM_CPU_AVX512F) != 0,
            __builtin_cpu_supports("avx512f") != 0);
  EXPECT_EQ((found & PLM_CPU_AVX512VNNI) != 0,
            __builtin_cpu_supports("avx512vnni") != 0);
  EXPECT_EQ((found & PLM_CPU_AVX512BF16) != 0,
            __builtin_cpu_supports("avx512bf16") != 0);
}

TEST_F(RuntimeTest, ContextArguments) {
  plm_context *created = nullptr;
  EXPECT_EQ(plm_context_create(nullptr, 1, &created), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(plm_context_create(model, -1, &created), PLM_ERROR_ARGUMENT);
  EXPECT_STREQ(plm_last_error(nullptr),
               "threads is -1; it must be in 0 to 1024");
  EXPECT_EQ(plm_context_create(model, 1025, &created), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(plm_context_create(model, 1, nullptr), PLM_ERROR_ARGUMENT);
  int dummy = 0;
  EXPECT_EQ(
      plm_context_create(reinterpret_cast<plm_model *>(&dummy), 1, &created),
      PLM_ERROR_ARGUMENT);
  EXPECT_EQ(created, nullptr);
  plm_context_destroy(nullptr);
  EXPECT_EQ(plm_run(nullptr, nullptr, 0, nullptr, 0), PLM_ERROR_ARGUMENT);
  create(0);
  setInputs(2, 3, {1, 1, 1, 1, 1, 0});
  expectRight();
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

TEST_F(RuntimeTest, EveryPaddingAndThreadCount) {
  for (int threads : {1, 2, 3, 7}) {
    create(threads);
    setInputs(1, 1, {1});
    expectRight();
    setInputs(3, 4, {1, 1, 0, 0, /**/ 1, 1, 1, 1, /**/ 1, 0, 0, 0});
    expectRight();
    setInputs(2, 4, {0, 0, 1, 1, /**/ 0, 1, 1, 1});
    expectRight();
    setInputs(2, 5, {1, 0, 1, 0, 1, /**/ 0, 1, 0, 1, 0});
    expectRight();
    setInputs(2, 3, {0, 0, 0, /**/ 1, 1, 0});
    expectRight();
    setInputs(2, 3, {0, 0, 0, /**/ 0, 0, 0});
    expectRight();
  }
}

TEST_F(RuntimeTest, PackKept) {
  create();
  fake_variant.run = captureRun;
  setInputs(3, 4, {0, 1, 0, 1, /**/ 0, 0, 0, 0, /**/ 1, 1, 1, 0});
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.tokens, 5);
  EXPECT_EQ(packing.maxRows, 3);
  EXPECT_EQ(packing.rowSource, (Ints{1, 3, 8, 9, 10}));
  EXPECT_EQ(packing.seqStart, (Ints{0, 2, 2, 5}));
  EXPECT_EQ(packing.seqKeys, (Ints{2, 0, 3}));
  EXPECT_EQ(packing.firstRow, (Ints{-1, -1, 2}));
  EXPECT_TRUE(packing.aligned);
}

TEST_F(RuntimeTest, PackKeptAndFirst) {
  create();
  fake_variant.run = captureRun;
  fake_model.pack_mode = PLM_PACK_KEPT_AND_FIRST;
  setInputs(3, 4, {0, 1, 0, 1, /**/ 0, 0, 0, 0, /**/ 1, 1, 1, 0});
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.rowSource, (Ints{1, 3, 0, 4, 8, 9, 10}));
  EXPECT_EQ(packing.seqStart, (Ints{0, 3, 4, 7}));
  EXPECT_EQ(packing.seqKeys, (Ints{2, 0, 3}));
  EXPECT_EQ(packing.firstRow, (Ints{2, 3, 4}));
  EXPECT_EQ(packing.maxRows, 3);
}

TEST_F(RuntimeTest, PackAll) {
  create();
  fake_variant.run = captureRun;
  fake_model.pack_mode = PLM_PACK_ALL;
  setInputs(3, 4, {0, 1, 0, 1, /**/ 0, 0, 0, 0, /**/ 1, 1, 0, 1});
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.tokens, 12);
  EXPECT_EQ(packing.rowSource, (Ints{1, 3, 0, 2, 4, 5, 6, 7, 8, 9, 11, 10}));
  EXPECT_EQ(packing.seqStart, (Ints{0, 4, 8, 12}));
  EXPECT_EQ(packing.seqKeys, (Ints{2, 0, 3}));
  EXPECT_EQ(packing.firstRow, (Ints{2, 4, 8}));
  EXPECT_EQ(packing.maxRows, 4);
}

/// The model computes the mask, with all threads, in an arena that is laid out
/// for all positions; the rows come from what it says.
TEST_F(RuntimeTest, ComputedMask) {
  create();
  static int64_t tokensOfPlan;
  static int plans;
  plans = 0;
  fake_variant.run = captureRun;
  fake_model.mask_input = -1;
  fake_model.plan = [](const int64_t *dims, int64_t, int64_t *slots) {
    ++plans;
    tokensOfPlan = dims[2 + PLM_DIM_TOKENS];
    slots[0] = slots[1] = 0;
    return int64_t(64);
  };
  fake_variant.mask = [](plm_frame *frame, int64_t thread, int64_t threads) {
    const int64_t *padding = static_cast<const int64_t *>(frame->inputs[1]);
    for (int64_t i = thread; i < 6; i += threads)
      frame->arena[i] = padding[i] == 0;
    if (thread == 0)
      frame->keep = reinterpret_cast<const uint8_t *>(frame->arena);
    plm_rt_barrier(frame, threads);
  };
  setInputs(2, 3, {0, 0, 7, 1, 0, 0});
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.rowSource, (Ints{0, 1, 4, 5}));
  EXPECT_EQ(packing.seqKeys, (Ints{2, 2}));
  EXPECT_EQ(packing.tokens, 4);
  EXPECT_EQ(tokensOfPlan, 6);
  EXPECT_EQ(plans, 1);

  fake_variant.mask = [](plm_frame *frame, int64_t, int64_t) {
    __atomic_store_n(&frame->error, 1, __ATOMIC_RELEASE);
  };
  expectError(PLM_ERROR_VALUE, fake_model.index_check_messages[0]);
  fake_model.plan = [](const int64_t *, int64_t, int64_t *) {
    return int64_t(-1);
  };
  expectError(PLM_ERROR_MEMORY, "a run with batch = 2, sequence = 3 needs more "
                                "memory than can be addressed");
}

TEST_F(RuntimeTest, NoMaskKeepsAll) {
  create();
  fake_variant.run = captureRun;
  fake_model.mask_input = -1;
  setInputs(2, 3, {0, 0, 0, 0, 0, 0});
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.rowSource, (Ints{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(packing.seqKeys, (Ints{3, 3}));
  EXPECT_EQ(packing.firstRow, (Ints{0, 3}));
}

TEST_F(RuntimeTest, NoPackingAndFixedSizes) {
  create();
  fake_variant.run = captureRun;
  setInputs(2, 3, {1, 0, 0, 1, 1, 1});
  fake_model.token_dims = [](const int64_t *, int64_t *sizes) {
    sizes[0] = 2;
    sizes[1] = 3;
  };
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.rowSource, (Ints{0, 3, 4, 5}));
  fake_model.token_dims = [](const int64_t *, int64_t *sizes) {
    sizes[0] = 2;
    sizes[1] = 4;
  };
  expectError(PLM_ERROR_SHAPE, "input 'attention_mask' has 6 elements; a mask "
                               "of 2 sequences of length 4 needs 8");
  fake_model.token_dims = [](const int64_t *, int64_t *sizes) {
    sizes[0] = 2;
    sizes[1] = 0;
  };
  expectError(PLM_ERROR_SHAPE,
              "inputs of these shapes make 2 sequences of length 0");
  fake_model.pack_mode = PLM_PACK_NONE;
  ASSERT_EQ(run(), PLM_OK) << error();
  EXPECT_EQ(packing.tokens, 0);
}

TEST_F(RuntimeTest, MaskOfEveryType) {
  create();
  fake_variant.run = captureRun;
  plm_gen_tensor declared[2] = {fake_model.inputs[0], fake_model.inputs[1]};
  fake_model.inputs = declared;
  setInputs(1, 4, {0, 1, 1, 0});
  int32_t i32[] = {0, 1, 1, 0};
  uint8_t u8[] = {0, 1, 1, 0};
  float f32[] = {0, 1, 1, -0.0f};
  double f64[] = {0, 1, 1, -0.0};
  uint16_t f16[] = {0, 0x3c00, 0x3c00, 0x8000};
  uint16_t bf16[] = {0, 0x3f80, 0x3f80, 0x8000};
  const std::pair<int32_t, void *> masks[] = {
      {PLM_I32, i32}, {PLM_U8, u8},   {PLM_I8, u8},   {PLM_BOOL, u8},
      {PLM_F32, f32}, {PLM_F64, f64}, {PLM_F16, f16}, {PLM_BF16, bf16}};
  for (auto [dtype, data] : masks) {
    declared[1].dtype = dtype;
    inputs[1] = tensor(data, dtype, {1, 4});
    ASSERT_EQ(run(), PLM_OK) << error();
    EXPECT_EQ(packing.rowSource, (Ints{1, 2})) << dtype;
  }
  std::string text = "input 'attention_mask' has a value at [0, 2] that is "
                     "neither 0 nor 1";
  i32[2] = -1, f32[2] = 0.5f, f16[2] = 0x3c01, u8[2] = 255;
  f64[2] = std::nan(""), bf16[2] = 0xbf80;
  for (auto [dtype, data] : masks) {
    declared[1].dtype = dtype;
    inputs[1] = tensor(data, dtype, {1, 4});
    EXPECT_EQ(run(), PLM_ERROR_VALUE) << dtype;
    if (dtype != PLM_BOOL) // any bool is refused before it comes to masks
      EXPECT_EQ(error(), text) << dtype;
  }
}

//===----------------------------------------------------------------------===//
// Refusals
//===----------------------------------------------------------------------===//

TEST_F(RuntimeTest, ArgumentErrors) {
  create();
  setInputs(1, 2, {1, 1});
  EXPECT_EQ(plm_run(context, inputs, 1, outputs, 2), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(error(), "the model has 2 inputs, not 1");
  EXPECT_EQ(plm_run(context, inputs, 2, outputs, 3), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(error(), "the model has 2 outputs, not 3");
  EXPECT_EQ(plm_run(context, nullptr, 2, outputs, 2), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(error(), "plm_run: inputs is NULL");
  EXPECT_EQ(plm_run(context, inputs, 2, nullptr, 2), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(error(), "plm_run: outputs is NULL");
  inputs[0].data = nullptr;
  expectError(PLM_ERROR_ARGUMENT, "input 'input_ids': data is NULL");
  inputs[0].data = reinterpret_cast<char *>(ids.data()) + 1;
  expectError(PLM_ERROR_ARGUMENT,
              "input 'input_ids': data is not aligned to its 8-byte elements");
  inputs[0].data = ids.data();
  expectRight();
}

TEST_F(RuntimeTest, ShapeErrors) {
  create();
  setInputs(1, 2, {1, 1});
  inputs[0].dtype = PLM_I32;
  expectError(PLM_ERROR_DTYPE,
              "input 'input_ids' has dtype i32 (3); it must be i64");
  inputs[0].dtype = -7;
  expectError(PLM_ERROR_DTYPE,
              "input 'input_ids' has dtype unknown (-7); it must be i64");
  inputs[0].dtype = PLM_I64;
  for (int32_t rank : {-1, 0, 1, 3, 8, 9, 1 << 30}) {
    inputs[0].rank = rank;
    expectError(PLM_ERROR_SHAPE, "input 'input_ids' has rank " +
                                     std::to_string(rank) +
                                     "; it must be 2: [batch, sequence]");
  }
  inputs[0].rank = 2;
  for (int64_t size : {int64_t(0), int64_t(-1), INT64_MIN}) {
    inputs[0].shape[0] = size;
    expectError(PLM_ERROR_SHAPE, "input 'input_ids': dimension 0 (batch) is " +
                                     std::to_string(size) +
                                     "; it must be at least 1");
  }
  inputs[0].shape[0] = 1;
  inputs[1].shape[1] = 3;
  expectError(PLM_ERROR_SHAPE,
              "input 'attention_mask': dimension 1 (sequence) is 3, but input "
              "'input_ids' has sequence = 2");
  std::vector<int64_t> ones(17, 1);
  setInputs(1, 17, ones);
  expectError(PLM_ERROR_SHAPE,
              "sequence must be at most 16, the size of the position table; "
              "got batch = 1, sequence = 17");
  const int64_t fixed[] = {-1, 3};
  plm_gen_tensor declared[2] = {fake_model.inputs[0], fake_model.inputs[1]};
  declared[0].dims = fixed;
  fake_model.inputs = declared;
  setInputs(1, 2, {1, 1});
  expectError(PLM_ERROR_SHAPE,
              "input 'input_ids': dimension 1 is 2; it must be 3");
}

TEST_F(RuntimeTest, SizesThatOverflow) {
  create();
  fake_model.check = nullptr;
  fake_model.num_id_checks = 0;
  setInputs(1, 1, {1});
  for (plm_tensor &input : inputs)
    input.shape[0] = input.shape[1] = int64_t(1) << 31;
  expectError(PLM_ERROR_SHAPE,
              "input 'input_ids' would have more than 2^63 bytes");
  for (plm_tensor &input : inputs)
    input.shape[0] = int64_t(1) << 20;
  expectError(PLM_ERROR_SHAPE,
              "1048576 sequences of length 2147483648 are too many: at most "
              "2147483647 positions can run at once");
  setInputs(1, 2, {1, 1});
  fake_model.output_dims = [](const int64_t *, int64_t *shapes) {
    for (int i = 0; i < 5; ++i)
      shapes[i] = INT64_MAX / 4;
  };
  expectError(PLM_ERROR_SHAPE, "output 'last_hidden_state' has no possible "
                               "size for these inputs");
  fake_model.output_dims = [](const int64_t *, int64_t *shapes) {
    for (int i = 0; i < 5; ++i)
      shapes[i] = 1;
  };
  fake_model.plan = [](const int64_t *, int64_t, int64_t *) {
    return int64_t(-1);
  };
  expectError(PLM_ERROR_MEMORY, "a run with batch = 1, sequence = 2 needs more "
                                "memory than can be addressed");
  fake_model.plan = [](const int64_t *, int64_t, int64_t *) {
    return INT64_MAX;
  };
  expectError(PLM_ERROR_MEMORY, "not enough memory: a run with batch = 1, "
                                "sequence = 2 needs 9223372036854775807 bytes");
}

TEST_F(RuntimeTest, ValueErrors) {
  create();
  setInputs(2, 2, {1, 1, 1, 1}, {1, 2, 3, 100});
  expectError(PLM_ERROR_VALUE,
              "input 'input_ids' has 100 at [1, 1]; values must be in 0 to 99");
  setInputs(2, 2, {1, 1, 1, 1}, {1, -1, 3, 4});
  expectError(PLM_ERROR_VALUE,
              "input 'input_ids' has -1 at [0, 1]; values must be in 0 to 99");
  setInputs(2, 2, {1, 1, 1, 2});
  expectError(PLM_ERROR_VALUE, "input 'attention_mask' has a value at [1, 1] "
                               "that is neither 0 nor 1");
  for (int threads : {1, 2}) {
    create(threads);
    setInputs(2, 2, {1, 1, 1, 1}, {1, 2, 77, 4});
    expectError(PLM_ERROR_VALUE, "node 'gather' (Gather): index out of range");
    EXPECT_EQ(outputs[0].data, nullptr);
    setInputs(2, 2, {1, 1, 1, 1});
    expectRight();
  }
}

TEST_F(RuntimeTest, MessagesAreOneLine) {
  create();
  setInputs(1, 2, {1, 1});
  plm_gen_tensor declared[2] = {fake_model.inputs[0], fake_model.inputs[1]};
  fake_model.inputs = declared;
  declared[0].name = "in\nput\x1b[0m\x7f%s%n";
  inputs[0].data = nullptr;
  expectError(PLM_ERROR_ARGUMENT, "input 'in?put?[0m?%s%n': data is NULL");
  std::string lengthy;
  for (int i = 0; i < 1000; ++i)
    lengthy += "\xc3\xa4";
  for (int shift = 0; shift < 3; ++shift) {
    declared[0].name = lengthy.c_str();
    EXPECT_EQ(run(), PLM_ERROR_ARGUMENT);
    std::string message = error();
    EXPECT_LT(message.size(), 512u);
    EXPECT_EQ(message.substr(message.size() - 3), "...");
    // No half of a character before the dots.
    size_t end = message.size() - 4;
    EXPECT_EQ((unsigned char)message[end], 0xa4);
    lengthy.insert(0, "x");
  }
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

TEST_F(RuntimeTest, CallersBuffers) {
  create();
  setInputs(1, 2, {1, 1});
  std::vector<float> states(8), pooled(4);
  outputs[0].data = states.data();
  outputs[0].capacity = 31;
  outputs[1].data = pooled.data();
  outputs[1].capacity = 16;
  expectError(PLM_ERROR_BUFFER,
              "output 'last_hidden_state' needs 32 bytes; its buffer has 31");
  EXPECT_EQ(outputs[0].shape[1], 2);
  EXPECT_EQ(outputs[1].rank, 2);
  EXPECT_EQ(outputs[1].shape[1], 4);
  outputs[0].capacity = 32;
  expectRight();
  EXPECT_EQ(outputs[0].data, states.data());
  EXPECT_EQ(states[4], 20);
  outputs[0].data = reinterpret_cast<char *>(states.data()) + 1;
  expectError(PLM_ERROR_ARGUMENT, "output 'last_hidden_state': data is not "
                                  "aligned to its 4-byte elements");
}

TEST_F(RuntimeTest, TensorsOfTheLastRunMayBeHandedBack) {
  create();
  setInputs(1, 2, {1, 1});
  expectRight();
  EXPECT_EQ(outputs[0].capacity, 32u);
  plm_tensor last[2] = {outputs[0], outputs[1]};
  std::vector<int64_t> ones(4 * 16, 1);
  setInputs(4, 16, ones);
  outputs[0] = last[0];
  outputs[1] = last[1];
  expectRight();
}

TEST_F(RuntimeTest, SteadyStateAllocatesNothing) {
  for (int threads : {1, 3}) {
    create(threads);
    setInputs(4, 8, std::vector<int64_t>(32, 1));
    expectRight();
    void *states = outputs[0].data;
    int before = allocations;
    for (int i = 0; i < 20; ++i) {
      int64_t batch = 1 + i % 4, sequence = 1 + i % 8;
      std::vector<int64_t> keep(batch * sequence, 1);
      keep[i % keep.size()] = 0;
      setInputs(batch, sequence, keep);
      expectRight();
      EXPECT_EQ(outputs[0].data, states);
    }
    EXPECT_EQ(allocations, before);
  }
  // A mask with holes first must leave room for one without.
  create();
  setInputs(4, 8, std::vector<int64_t>(32, 0));
  expectRight();
  int before = allocations;
  setInputs(4, 8, std::vector<int64_t>(32, 1));
  expectRight();
  EXPECT_EQ(allocations, before);
}

TEST_F(RuntimeTest, OutOfMemory) {
  plm_context *none;
  failAllocations = true;
  EXPECT_EQ(plm_context_create(model, 1, &none), PLM_ERROR_MEMORY);
  EXPECT_STREQ(plm_last_error(nullptr), "not enough memory for a context");
  failAllocations = false;
  create();
  setInputs(2, 2, {1, 1, 1, 1});
  failAllocations = true;
  expectError(PLM_ERROR_MEMORY,
              "not enough memory for 2 sequences of length 2");
  failAllocations = false;
  expectRight();
  setInputs(2, 16, std::vector<int64_t>(32, 1));
  failAllocations = true;
  EXPECT_EQ(run(), PLM_ERROR_MEMORY);
  failAllocations = false;
  expectRight();
}

//===----------------------------------------------------------------------===//
// Threads
//===----------------------------------------------------------------------===//

int countThreads() {
  int count = 0;
  for (auto &entry : std::filesystem::directory_iterator("/proc/self/task")) {
    (void)entry;
    ++count;
  }
  return count;
}

/// A joined thread may still be listed for a moment.
bool threadsSettleAt(int expected) {
  for (int i = 0; i < 1000 && countThreads() != expected; ++i)
    usleep(1000);
  return countThreads() == expected;
}

TEST_F(RuntimeTest, ThreadsEndWithTheContext) {
  int before = countThreads();
  create(1);
  EXPECT_EQ(countThreads(), before);
  create(5);
  EXPECT_EQ(countThreads(), before + 4);
  setInputs(1, 2, {1, 1});
  expectRight();
  create(2);
  EXPECT_TRUE(threadsSettleAt(before + 1));
  plm_context_destroy(context);
  context = nullptr;
  EXPECT_TRUE(threadsSettleAt(before));
}

TEST_F(RuntimeTest, ThreadCreationMayFail) {
  int before = countThreads();
  for (int possible : {0, 1, 3}) {
    threadsUntilFailure = possible;
    plm_context *created = nullptr;
    EXPECT_EQ(plm_context_create(model, 5, &created), PLM_ERROR_MEMORY);
    EXPECT_EQ(created, nullptr);
    EXPECT_EQ(std::string(plm_last_error(nullptr))
                  .rfind("cannot create thread " +
                             std::to_string(possible + 2) + " of 5",
                         0),
              0u);
    EXPECT_TRUE(threadsSettleAt(before));
  }
}

std::atomic<int64_t> arrivals[400];
std::atomic<bool> barrierFailed;

void barrierRun(plm_frame *frame, int64_t thread, int64_t threads) {
  for (std::atomic<int64_t> &count : arrivals) {
    ++count;
    plm_rt_barrier(frame, threads);
    if (count != threads)
      barrierFailed = true;
  }
}

TEST_F(RuntimeTest, BarrierHoldsEveryThread) {
  fake_variant.run = barrierRun;
  for (int threads : {1, 2, 5}) {
    create(threads);
    setInputs(1, 1, {1});
    for (int round = 0; round < 5; ++round) {
      for (auto &count : arrivals)
        count = 0;
      barrierFailed = false;
      ASSERT_EQ(run(), PLM_OK) << error();
      EXPECT_FALSE(barrierFailed) << threads;
      EXPECT_EQ(arrivals[399], threads);
    }
  }
}

TEST_F(RuntimeTest, ContextsRunAtOnce) {
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&, t] {
      plm_context *own = nullptr;
      if (plm_context_create(model, 1 + t % 2, &own) != PLM_OK) {
        ++wrong;
        return;
      }
      for (int i = 0; i < 100; ++i) {
        int64_t length = 1 + (i + t) % 16, id = 1 + (i * 7 + t) % 70;
        std::vector<int64_t> own_ids(length, id), keep(length, 1);
        plm_tensor in[2] = {tensor(own_ids.data(), PLM_I64, {1, length}),
                            tensor(keep.data(), PLM_I64, {1, length})};
        plm_tensor out[2] = {};
        if (plm_run(own, in, 2, out, 2) != PLM_OK ||
            static_cast<float *>(out[1].data)[0] != float(10 * id * length))
          ++wrong;
      }
      plm_context_destroy(own);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

std::atomic<bool> insideRun, leaveRun;

void waitingRun(plm_frame *, int64_t, int64_t) {
  insideRun = true;
  while (!leaveRun)
    std::this_thread::yield();
}

TEST_F(RuntimeTest, ContextInUseIsRefused) {
  create();
  fake_variant.run = waitingRun;
  insideRun = leaveRun = false;
  setInputs(1, 1, {1});
  plm_status other = PLM_ERROR_VALUE;
  std::thread runner([&] { other = run(); });
  while (!insideRun)
    std::this_thread::yield();
  plm_tensor none[2] = {};
  EXPECT_EQ(plm_run(context, inputs, 2, none, 2), PLM_ERROR_ARGUMENT);
  EXPECT_EQ(error(), "the context is running in another thread: create one "
                     "context a thread");
  leaveRun = true;
  runner.join();
  EXPECT_EQ(other, PLM_OK);
  ASSERT_EQ(run(), PLM_OK);
  EXPECT_EQ(error(), "");
}

TEST_F(RuntimeTest, ForkedChildIsRefused) {
  create(2);
  setInputs(1, 2, {1, 1});
  expectRight();
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(20); // a child that hangs fails the test instead of stalling it
    bool refused = run() == PLM_ERROR_ARGUMENT &&
                   error().find("fork") != std::string::npos;
    plm_context_destroy(context);
    _exit(refused ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  expectRight();
}

} // namespace
