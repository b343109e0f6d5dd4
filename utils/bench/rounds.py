# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Peers taking turns, and what is made of their times.

On a shared machine the clock frequency and the neighbours change from second to
second, so two runtimes measured one after the other are not compared at all.
Here they take turns of a few runs each: A B C, C B A, A B C, ... A change that
lasts longer than a round meets them all, and the ratio is taken within each
round before its median is taken over the rounds. Each turn opens with a run
that is not counted, for what the one before left in the caches.
"""

import statistics
import time

import numpy as np

from common import BenchError, load_average

TURN_SECONDS = 0.1
LEAST_ROUNDS = 5
# After a turn with more than one thread: longer than idle threads spin.
SETTLE_SECONDS = 0.02


def check_agreement(workers, case, folder, tolerances):
    """Runs the case everywhere; greatest difference to the first worker's outputs.

    As a share of each output's scale, at the kept positions. BenchError above a
    peer's tolerance: times of different results are not worth comparing.
    """
    results = []
    for worker in workers:
        path = "%s/out-%s.npz" % (folder, worker.name)
        worker.prepare(case, outputs=path)
        with np.load(path) as arrays:
            results.append({name: arrays[name] for name in arrays.files})
    differences = {}
    for worker, result in zip(workers[1:], results[1:]):
        worst = 0.0
        for key, ours in results[0].items():
            theirs = result.get(key)
            if theirs is None or theirs.shape != ours.shape:
                raise BenchError("%s and %s differ in the shape of output %s at %s"
                                 % (workers[0].name, worker.name, key, case.name))
            mask = case.masks[int(key.split("/")[0])]
            if ours.shape[:2] == mask.shape:
                ours, theirs = ours[mask == 1], theirs[mask == 1]
            if not np.isfinite(theirs).all() or not np.isfinite(ours).all():
                raise BenchError("output %s at %s is not finite" % (key, case.name))
            scale = max(float(np.abs(theirs).max()), 1e-30)
            worst = max(worst, float(np.abs(ours - theirs).max()) / scale)
        limit = tolerances[worker.name]
        if limit is not None and worst > limit:
            raise BenchError("%s and %s differ by %.2g of the scale at %s (limit %.0e)"
                             % (workers[0].name, worker.name, worst, case.name, limit))
        differences[worker.name] = worst
    return differences


def take_turns(workers, seconds, threads):
    """Rounds of times: a list of {worker name: [milliseconds]}."""
    turn = min(TURN_SECONDS, seconds / LEAST_ROUNDS)
    runs = {}
    for worker in workers:
        warm = min(worker.time(2, untimed=2))
        runs[worker.name] = max(1, int(turn * 1e3 / warm))
    rounds = []
    end = time.monotonic() + seconds * len(workers)
    while len(rounds) < LEAST_ROUNDS or time.monotonic() < end:
        order = workers if len(rounds) % 2 == 0 else workers[::-1]
        this = {}
        for worker in order:
            this[worker.name] = worker.time(runs[worker.name])
            if threads > 1:
                time.sleep(SETTLE_SECONDS)
        rounds.append(this)
    return rounds


def summarize(rounds, baseline):
    """Per worker: median, minimum, and two ratios to the baseline.

    A ratio above 1 says that the baseline is faster. ratio_of_medians: over all
    runs; ratio: the median over the rounds of each round's ratio of medians.
    """
    everything = {name: [ms for r in rounds for ms in r[name]] for name in rounds[0]}
    base = statistics.median(everything[baseline])
    result = {}
    for name, times in everything.items():
        per_round = sorted(statistics.median(r[name]) / statistics.median(r[baseline])
                           for r in rounds)
        result[name] = {
            "median_ms": statistics.median(times),
            "min_ms": min(times),
            "runs": len(times),
            "ratio": statistics.median(per_round),
            "ratio_quartiles": [per_round[len(per_round) // 4],
                                per_round[(3 * len(per_round)) // 4]],
            "ratio_of_medians": statistics.median(times) / base,
        }
    return result


def measure(workers, case, folder, seconds, threads, tolerances):
    """A case of the report; the first worker is the baseline."""
    before = load_average()
    differences = check_agreement(workers, case, folder, tolerances)
    rounds = take_turns(workers, seconds, threads)
    return {
        "case": case.name, "threads": threads, "tokens": case.tokens,
        "padded_tokens": case.padded, "batches": case.count, "rounds": len(rounds),
        "load_average": [before[0], load_average()[0]],
        "differences": differences,
        "results": summarize(rounds, workers[0].name),
    }
