/*===- FakeModel.h - A hand-written model for tests ---------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * What the compiler would emit, written by hand, to test the runtime and its
 * callers without a compiler:
 *
 *   input_ids       i64 [batch, sequence], in 0 to 99
 *   attention_mask  i64 [batch, sequence]
 *   last_hidden_state  f32 [batch, sequence, 4] = 10 * id + channel, 0 at
 *                      padding
 *   pooled             f32 [batch, 4]: the sum over the kept positions
 *
 * sequence is at most 16; id 77 fails the model's own index check.
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_TEST_UNIT_FAKEMODEL_H
#define PLMC_TEST_UNIT_FAKEMODEL_H

#ifdef __cplusplus
extern "C" {
#endif

#include "Generated.h"

/* plm_generated, but so that a test may change it. */
extern plm_gen_variant fake_variant;
extern plm_gen_model fake_model __asm__("plm_generated");

#ifdef __cplusplus
}
#endif

#endif /* PLMC_TEST_UNIT_FAKEMODEL_H */
