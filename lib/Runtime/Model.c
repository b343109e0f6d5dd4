/*===- Model.c - Opening and describing ---------------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The library has one model, which is constant data: there is nothing to open
 * but the question whether it may run here.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

uint32_t plm_abi_version(void) { return PLM_ABI_VERSION; }

const plm_gen_variant *plm_rt_own_variant(plm_rt_message *message) {
  const char *wanted = getenv("PLM_CPU");
  uint64_t available = plm_rt_granted_features(
      &plm_generated, plm_rt_cpu_features(), wanted, plm_rt_ask_for_tiles);
  return plm_rt_choose_variant(&plm_generated, available, wanted, message);
}

plm_status plm_open(uint32_t abi_version, const plm_model **model) {
  plm_rt_message *message = plm_rt_thread_message();
  if (!model)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT, "plm_open: model is NULL");
  *model = NULL;
  if (abi_version != PLM_ABI_VERSION)
    return plm_rt_fail(message, PLM_ERROR_ARGUMENT,
                       "the program was compiled for version %u of the plm "
                       "ABI, this library has version %u: use the plm/model.h "
                       "that belongs to it",
                       (unsigned)abi_version, (unsigned)PLM_ABI_VERSION);
  if (!plm_rt_own_variant(message))
    return PLM_ERROR_CPU;
  message->text[0] = 0;
  *model = (const plm_model *)&plm_generated;
  return PLM_OK;
}

const char *plm_describe(const plm_model *model) {
  (void)model; /* there is only one */
  return plm_generated.description;
}

const char *plm_last_error(const plm_context *context) {
  if (!context)
    return plm_rt_thread_message()->text;
  /* While another thread runs the context its message is not ours to read. */
  if (*plm_rt_thread_refused() == context)
    return "the context is running in another thread: create one context a "
           "thread";
  return context->message.text;
}
