/*===- MachinePeak.h - Between MachinePeak.c and .cpp -------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_LIB_EXECUTION_MACHINEPEAK_H
#define PLMC_LIB_EXECUTION_MACHINEPEAK_H

#ifdef __cplusplus
extern "C" {
#endif

/* plmc::MachinePeak for C. */
typedef struct plmc_peak {
  int width;
  double f32, bf16, int8, read256KB, read4MB, read256MB;
} plmc_peak;

/* 0 if there is no memory of 256 MB. */
int plmc_measure_v2(double secondsEach, plmc_peak *peak);
int plmc_measure_v3(double secondsEach, plmc_peak *peak);
int plmc_measure_v4(double secondsEach, plmc_peak *peak);
int plmc_measure_v4_dot(double secondsEach, plmc_peak *peak);

#ifdef __cplusplus
}
#endif

#endif /* PLMC_LIB_EXECUTION_MACHINEPEAK_H */
