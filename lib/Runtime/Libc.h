/*===- Libc.h - What the runtime uses of libc ---------------------*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Declared by hand: the runtime is compiled for other machines without their
 * headers. What differs between machines (pthread_mutex_t, struct layouts) is
 * therefore not used: the runtime sleeps on futexes.
 *
 * All of this is in libc.so.6 from glibc 2.34 on.
 *===----------------------------------------------------------------------===*/

#ifndef PLMC_RUNTIME_LIBC_H
#define PLMC_RUNTIME_LIBC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);
int vsnprintf(char *restrict buffer, size_t size, const char *restrict format,
              va_list arguments);

/* pthread_t is an unsigned long in glibc on every 64-bit machine. */
int pthread_join(unsigned long thread, void **result);
/* Signal sets have 1024 bits. */
int pthread_sigmask(int how, const void *set, void *old);
int sched_getaffinity(int pid, size_t size, void *mask);
int getpid(void);
long syscall(long number, ...);
char *getenv(const char *name);

#ifdef PLM_RT_TEST_HOOKS
/* Unit tests count and fail what the runtime asks of the system. */
#define aligned_alloc plm_test_aligned_alloc
#define free plm_test_free
#define pthread_create plm_test_pthread_create
#endif
void *aligned_alloc(size_t alignment, size_t size);
void free(void *memory);
int pthread_create(unsigned long *thread, const void *attributes,
                   void *(*start)(void *), void *argument);

#define PLM_RT_SIG_SETMASK 2
#if defined(__x86_64__)
#define PLM_RT_SYS_FUTEX 202
#elif defined(__aarch64__)
#define PLM_RT_SYS_FUTEX 98
#else
#error "the runtime does not know this machine"
#endif
#define PLM_RT_FUTEX_WAIT_PRIVATE 128
#define PLM_RT_FUTEX_WAKE_PRIVATE 129

#endif /* PLMC_RUNTIME_LIBC_H */
