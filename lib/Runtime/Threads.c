/*===- Threads.c - The threads of a context and their barrier -----*- C -*-===*
 *
 * Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * Generated code is SPMD: every thread runs the whole program and takes its
 * share of each step, with a barrier between steps that depend on one another.
 * A run of a small model has tens of barriers within a millisecond or less, so
 * a barrier must cost well under a microsecond when all threads are running,
 * yet must not burn a CPU when one of them is not (more threads than CPUs,
 * another process on the machine, a context at rest).
 *
 * Hence one centralised barrier: a counter of arrivals and a phase number. The
 * last to arrive resets the counter and moves the phase on; the others spin
 * for a bounded while on the phase and then sleep on it (futex). A context
 * with more threads than CPUs does not spin at all.
 *
 * The same barrier also starts and ends a run. Workers rest at it between
 * runs: the caller's arrival, being the last, lets them go. When the caller
 * has passed the barrier at the end, all of them are done. So there is one
 * protocol to get right:
 *
 *   worker:  loop { barrier; stop? -> exit; run; barrier }
 *   caller:         barrier;                run; barrier
 *
 * No wake-up is lost: a sleeper announces itself (sleepers) before the kernel
 * compares the phase, the last arrival changes the phase before it looks for
 * sleepers, and all four accesses are sequentially consistent: either the
 * sleeper is seen, or it sees the new phase and does not sleep.
 *
 * Threads do not survive fork(). A child that runs an inherited context would
 * wait for them for ever, so the process id is compared first.
 *===----------------------------------------------------------------------===*/

#include "Internal.h"

/* How long to spin, in ticks of the time stamp counter (2 to 4 a nanosecond):
 * 50 to 100 microseconds, which is longer than threads that share a step evenly
 * differ, and about what a sleep and a wake-up cost. Counting `pause` would not
 * do: it takes 10 cycles on one CPU and 140 on another. */
#define PLM_RT_SPIN_TICKS 200000

static uint64_t ticks(void) {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  uint64_t count; /* of 25 to 1000 MHz: scaled to be about as fast */
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(count));
  return count * 8;
#endif
}

static void pause_cpu(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Counts one arrival; true if it was the last, which releases the others. */
static bool barrier_arrive(plm_rt_barrier_state *barrier) {
  uint32_t arrived = atomic_fetch_add(&barrier->arrived, 1) + 1;
  if (arrived != barrier->participants)
    return false;
  atomic_store(&barrier->arrived, 0);
  atomic_fetch_add(&barrier->phase, 1);
  if (atomic_load(&barrier->sleepers) != 0)
    syscall(PLM_RT_SYS_FUTEX, &barrier->phase, PLM_RT_FUTEX_WAKE_PRIVATE,
            (long)INT32_MAX, NULL, NULL, 0L);
  return true;
}

static void barrier_wait(plm_rt_barrier_state *barrier) {
  /* The phase cannot move before this thread has arrived. */
  uint32_t phase = atomic_load(&barrier->phase);
  if (barrier_arrive(barrier))
    return;
  if (barrier->spin) {
    uint64_t start = ticks();
    do {
      if (atomic_load_explicit(&barrier->phase, memory_order_acquire) != phase)
        return;
      pause_cpu();
    } while (ticks() - start < PLM_RT_SPIN_TICKS);
  }
  atomic_fetch_add(&barrier->sleepers, 1);
  while (atomic_load(&barrier->phase) == phase)
    syscall(PLM_RT_SYS_FUTEX, &barrier->phase, PLM_RT_FUTEX_WAIT_PRIVATE,
            (long)phase, NULL, NULL, 0L);
  atomic_fetch_sub(&barrier->sleepers, 1);
}

void plm_rt_barrier(plm_frame *frame, int64_t threads) {
  if (threads > 1)
    barrier_wait(frame->barrier);
}

int32_t plm_rt_available_cpus(void) {
  /* 8192 CPUs; the kernel refuses a mask that is too short. */
  uint64_t mask[128] = {0};
  if (sched_getaffinity(0, sizeof(mask), mask) < 0)
    return 1;
  int32_t count = 0;
  for (int i = 0; i < 128; ++i)
    for (uint64_t bits = mask[i]; bits; bits &= bits - 1)
      ++count;
  return count ? count : 1;
}

static void *worker_main(void *argument) {
  plm_rt_worker *worker = argument;
  plm_rt_pool *pool = worker->pool;
  for (;;) {
    barrier_wait(&pool->barrier);
    if (pool->stop)
      return NULL;
    pool->run(pool->frame, worker->index, pool->threads);
    barrier_wait(&pool->barrier);
  }
}

plm_status plm_rt_pool_create(plm_rt_pool *pool, int32_t threads,
                              plm_rt_message *message) {
  int32_t cpus = plm_rt_available_cpus();
  if (threads == 0)
    threads = cpus < PLM_RT_MAX_THREADS ? cpus : PLM_RT_MAX_THREADS;
  pool->threads = threads;
  if (threads == 1)
    return PLM_OK;
  pool->pid = getpid();
  pool->barrier.participants = (uint32_t)threads;
  pool->barrier.spin = threads <= cpus;
  pool->workers =
      plm_rt_allocate_zeroed(sizeof(plm_rt_worker) * (size_t)(threads - 1));
  if (!pool->workers)
    return plm_rt_fail(message, PLM_ERROR_MEMORY,
                       "not enough memory for a context with %d threads",
                       threads);
  /* Signals are the host program's business: workers take none. They inherit
   * the mask. */
  uint64_t all[16], old[16];
  memset(all, 0xff, sizeof(all));
  memset(old, 0, sizeof(old));
  pthread_sigmask(PLM_RT_SIG_SETMASK, all, old);
  int failure = 0;
  for (int32_t i = 0; i < threads - 1 && !failure; ++i) {
    pool->workers[i].pool = pool;
    pool->workers[i].index = i + 1;
    failure = pthread_create(&pool->workers[i].handle, NULL, worker_main,
                             &pool->workers[i]);
    if (!failure)
      ++pool->created;
  }
  pthread_sigmask(PLM_RT_SIG_SETMASK, old, NULL);
  if (!failure)
    return PLM_OK;
  int32_t created = pool->created;
  plm_rt_pool_destroy(pool);
  return plm_rt_fail(message, PLM_ERROR_MEMORY,
                     "cannot create thread %d of %d (system error %d): ask "
                     "for fewer threads",
                     created + 2, threads, failure);
}

bool plm_rt_pool_usable(const plm_rt_pool *pool) {
  return pool->threads == 1 || pool->pid == getpid();
}

void plm_rt_pool_destroy(plm_rt_pool *pool) {
  if (pool->workers && plm_rt_pool_usable(pool)) {
    pool->stop = true;
    /* Workers that could not be created are missed at the barrier. */
    for (int32_t i = pool->created; i < pool->threads; ++i)
      barrier_arrive(&pool->barrier);
    for (int32_t i = 0; i < pool->created; ++i)
      pthread_join(pool->workers[i].handle, NULL);
  }
  free(pool->workers);
  pool->workers = NULL;
}

void plm_rt_pool_run(plm_rt_pool *pool,
                     void (*run)(plm_frame *, int64_t, int64_t),
                     plm_frame *frame) {
  if (pool->threads == 1) {
    run(frame, 0, 1);
    return;
  }
  pool->run = run;
  pool->frame = frame;
  barrier_wait(&pool->barrier);
  run(frame, 0, pool->threads);
  barrier_wait(&pool->barrier);
}
