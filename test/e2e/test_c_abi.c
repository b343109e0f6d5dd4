/*===- test_c_abi.c - A program that uses a compiled model ---------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * test_c_abi LIB BATCH LENGTH INPUTS OUTPUTS
 *
 * LIB is a BERT with three int64 inputs [BATCH, LENGTH] and, as its first
 * output, its last hidden state. INPUTS holds the inputs' values one after the
 * other; the output is written to OUTPUTS. Compiles as C11 and as C++11. With
 * PLM_TEST_LINKED the model is linked in and LIB is ignored.
 *===----------------------------------------------------------------------===*/

#include "plm/model.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "line %d: %s does not hold\n", __LINE__, #condition);    \
      exit(1);                                                                 \
    }                                                                          \
  } while (0)

typedef uint32_t (*abi_version_fn)(void);
typedef plm_status (*open_fn)(uint32_t, const plm_model **);
typedef const char *(*describe_fn)(const plm_model *);
typedef plm_status (*create_fn)(const plm_model *, int32_t, plm_context **);
typedef void (*destroy_fn)(plm_context *);
typedef plm_status (*run_fn)(plm_context *, const plm_tensor *, size_t,
                             plm_tensor *, size_t);
typedef const char *(*last_error_fn)(const plm_context *);

static struct {
  abi_version_fn abi_version;
  open_fn open;
  describe_fn describe;
  create_fn create;
  destroy_fn destroy;
  run_fn run;
  last_error_fn last_error;
} api;

#ifdef PLM_TEST_LINKED
static void load(const char *path) {
  (void)path;
  api.abi_version = plm_abi_version;
  api.open = plm_open;
  api.describe = plm_describe;
  api.create = plm_context_create;
  api.destroy = plm_context_destroy;
  api.run = plm_run;
  api.last_error = plm_last_error;
}
#else
/* ISO C has no cast from an object to a function pointer; POSIX has dlsym. */
static void look_up(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);
  CHECK(symbol != NULL);
  memcpy(function, &symbol, sizeof symbol);
}

static void load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL)
    fprintf(stderr, "%s\n", dlerror());
  CHECK(library != NULL);
  look_up(library, "plm_abi_version", &api.abi_version);
  look_up(library, "plm_open", &api.open);
  look_up(library, "plm_describe", &api.describe);
  look_up(library, "plm_context_create", &api.create);
  look_up(library, "plm_context_destroy", &api.destroy);
  look_up(library, "plm_run", &api.run);
  look_up(library, "plm_last_error", &api.last_error);
}
#endif

static const plm_model *model;
static int64_t batch, length;
static int64_t *values; /* three inputs of batch * length */
static size_t count;    /* batch * length */

static void make_inputs(plm_tensor inputs[3]) {
  int i;
  memset(inputs, 0, 3 * sizeof inputs[0]);
  for (i = 0; i < 3; ++i) {
    inputs[i].data = values + (size_t)i * count;
    inputs[i].rank = 2;
    inputs[i].shape[0] = batch;
    inputs[i].shape[1] = length;
    inputs[i].dtype = PLM_I64;
  }
}

static size_t num_outputs(void) {
  /* The descriptions of these models name the pooler's output, or do not. */
  return strstr(api.describe(model), "\"pooler_output\"") != NULL ? 2 : 1;
}

/* A failure leaves one line, a success none. */
static void check_refused(plm_context *context, plm_status status,
                          plm_status expected) {
  const char *message = api.last_error(context);
  if (status != expected)
    fprintf(stderr, "status %d instead of %d: %s\n", (int)status, (int)expected,
            message);
  CHECK(status == expected);
  CHECK(message[0] != '\0' && strchr(message, '\n') == NULL);
}

static void check_errors(void) {
  plm_context *context = NULL;
  plm_tensor inputs[3], outputs[2];
  size_t n = num_outputs();
  const plm_model *other = NULL;
  int64_t first = values[0];
  float small[1];

  check_refused(NULL, api.open(PLM_ABI_VERSION + 1, &other),
                PLM_ERROR_ARGUMENT);
  check_refused(NULL, api.create(model, -1, &context), PLM_ERROR_ARGUMENT);
  CHECK(api.create(model, 1, &context) == PLM_OK);

  memset(outputs, 0, sizeof outputs);
  make_inputs(inputs);
  check_refused(context, api.run(context, inputs, 2, outputs, n),
                PLM_ERROR_ARGUMENT);
  check_refused(context, api.run(context, NULL, 3, outputs, n),
                PLM_ERROR_ARGUMENT);
  inputs[0].dtype = PLM_F32;
  check_refused(context, api.run(context, inputs, 3, outputs, n),
                PLM_ERROR_DTYPE);
  make_inputs(inputs);
  inputs[1].rank = 1;
  check_refused(context, api.run(context, inputs, 3, outputs, n),
                PLM_ERROR_SHAPE);
  make_inputs(inputs);
  inputs[2].data = NULL;
  check_refused(context, api.run(context, inputs, 3, outputs, n),
                PLM_ERROR_ARGUMENT);
  make_inputs(inputs);
  values[0] = INT64_MAX;
  check_refused(context, api.run(context, inputs, 3, outputs, n),
                PLM_ERROR_VALUE);
  values[0] = first;
  outputs[0].data = small;
  outputs[0].capacity = sizeof small;
  check_refused(context, api.run(context, inputs, 3, outputs, n),
                PLM_ERROR_BUFFER);

  /* None of that spoils the context. */
  memset(outputs, 0, sizeof outputs);
  CHECK(api.run(context, inputs, 3, outputs, n) == PLM_OK);
  CHECK(api.last_error(context)[0] == '\0');
  api.destroy(context);
  api.destroy(NULL);
}

/* Runs in a context of its own, into memory of its own. */
typedef struct job {
  pthread_t thread;
  int32_t threads;
  float *result;
  size_t size; /* in floats */
} job;

static void *work(void *argument) {
  job *mine = (job *)argument;
  plm_context *context = NULL;
  plm_tensor inputs[3], outputs[2];
  int round;
  CHECK(api.create(model, mine->threads, &context) == PLM_OK);
  make_inputs(inputs);
  for (round = 0; round < 20; ++round) {
    memset(outputs, 0, sizeof outputs);
    if (mine->result != NULL) {
      outputs[0].data = mine->result;
      outputs[0].capacity = mine->size * sizeof(float);
    }
    CHECK(api.run(context, inputs, 3, outputs, num_outputs()) == PLM_OK);
    CHECK(outputs[0].dtype == PLM_F32 && outputs[0].rank == 3);
    CHECK(outputs[0].shape[0] == batch && outputs[0].shape[1] == length);
    if (mine->result == NULL) {
      mine->size = count * (size_t)outputs[0].shape[2];
      mine->result = (float *)malloc(mine->size * sizeof(float));
      CHECK(mine->result != NULL);
      memcpy(mine->result, outputs[0].data, mine->size * sizeof(float));
    }
  }
  api.destroy(context);
  return NULL;
}

enum { NUM_JOBS = 8 };

int main(int argc, char **argv) {
  FILE *file;
  job jobs[NUM_JOBS];
  int i;
  CHECK(argc == 6);
  batch = atoll(argv[2]);
  length = atoll(argv[3]);
  count = (size_t)(batch * length);
  values = (int64_t *)malloc(3 * count * sizeof(int64_t));
  CHECK(values != NULL);
  file = fopen(argv[4], "rb");
  CHECK(file != NULL);
  CHECK(fread(values, sizeof(int64_t), 3 * count, file) == 3 * count);
  fclose(file);

  load(argv[1]);
  CHECK(api.abi_version() == PLM_ABI_VERSION);
  CHECK(api.open(PLM_ABI_VERSION, &model) == PLM_OK);
  CHECK(api.last_error(NULL)[0] == '\0');
  CHECK(api.describe(model)[0] == '{');
  check_errors();

  /* The first run alone tells the size; the others are concurrent. */
  memset(jobs, 0, sizeof jobs);
  jobs[0].threads = 1;
  work(&jobs[0]);
  for (i = 1; i < NUM_JOBS; ++i) {
    jobs[i].threads = 1 + i % 3;
    jobs[i].size = jobs[0].size;
    jobs[i].result = (float *)calloc(jobs[i].size, sizeof(float));
    CHECK(jobs[i].result != NULL);
    CHECK(pthread_create(&jobs[i].thread, NULL, work, &jobs[i]) == 0);
  }
  for (i = 1; i < NUM_JOBS; ++i) {
    CHECK(pthread_join(jobs[i].thread, NULL) == 0);
    CHECK(memcmp(jobs[i].result, jobs[0].result,
                 jobs[0].size * sizeof(float)) == 0);
    free(jobs[i].result);
  }

  file = fopen(argv[5], "wb");
  CHECK(file != NULL);
  CHECK(fwrite(jobs[0].result, sizeof(float), jobs[0].size, file) ==
        jobs[0].size);
  CHECK(fclose(file) == 0);
  free(jobs[0].result);
  free(values);
  return 0;
}
