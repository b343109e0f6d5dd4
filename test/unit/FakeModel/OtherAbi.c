/*===- OtherAbi.c - A library of another ABI version --------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "plm/model.h"

uint32_t plm_abi_version(void) { return PLM_ABI_VERSION + 1; }
