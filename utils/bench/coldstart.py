# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From a fresh process to the first answer, for a compiled model and its peers.

Counted apart: importing the runtime's Python package; opening the model (dlopen,
plm_open and a context, or creating a session); the first run; a run when warm.
The files are in the page cache (a first opening that is not counted sees to
that) unless --evict asks the kernel to drop them before each process.
"""

import argparse
import os
import statistics
import tempfile

import cases
import common
import single
from worker import Worker


def evict(path):
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)  # only clean pages are dropped
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)


def one_process(name, path, outputs, case, threads):
    with Worker(name, path, threads, outputs) as worker:
        first = worker.prepare(case)["first_ms"]
        return {
            "import_ms": worker.ready["import_ms"],
            "open_ms": worker.ready["open_ms"],
            "first_run_ms": first,
            "first_answer_ms": worker.ready["open_ms"] + first,
            "warm_run_ms": statistics.median(worker.time(20, untimed=5)),
        }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    single.add_arguments(p)
    p.add_argument("--shape", default="1x8")
    p.add_argument("--processes", type=int, default=7, help="of each peer (7)")
    p.add_argument("--evict", action="store_true", help="files out of the page cache first")
    a = single.check_arguments(p.parse_args())
    taken = {name: [] for name in a.paths}
    with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
        (batch, length), = cases.parse_shapes(a.shape)
        case = cases.rectangle(folder, single.library_inputs(a), a.vocabulary, batch, length)
        for turn in range(a.processes + 1):
            for name, path in a.paths.items():
                if a.evict:
                    evict(path)
                times = one_process(name, path, a.outputs, case, a.threads)
                if turn:
                    taken[name].append(times)
    medians = {name: {key: statistics.median(t[key] for t in all_times)
                      for key in all_times[0]} for name, all_times in taken.items()}
    keys = ["import_ms", "open_ms", "first_run_ms", "first_answer_ms", "warm_run_ms"]
    table = common.table(
        [["%s, ms" % a.shape, "import", "open", "first run", "open + first run", "warm run"]]
        + [[name] + ["%.2f" % m[key] for key in keys] for name, m in medians.items()])
    single.finish(a, {"shape": a.shape, "threads": a.threads, "processes": a.processes,
                      "evicted": a.evict, "medians": medians, "table": table})


if __name__ == "__main__":
    common.run_main(main)
