# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Memory of processes that run one model: resident, private and shared.

Several processes open the same file, run it, and are asked while all are alive.
What Python, NumPy and the runtime's own package took before the model was
opened is subtracted. Private: pages that no other process can share, the cost
of each further process. PSS: a shared page counts 1/N in each of N processes.
"""

import argparse
import os
import statistics
import tempfile

import cases
import common
import single
from worker import Worker


def measure(name, path, a, case):
    workers = []
    try:
        for _ in range(a.processes):
            workers.append(Worker(name, path, a.threads, a.outputs))
            workers[-1].prepare(case)
            workers[-1].time(3)
        now = [worker.ask(do="memory") for worker in workers]
    finally:
        for worker in workers:
            worker.close()
    private = lambda m: m["private_dirty"] + m["private_clean"]  # noqa: E731
    # Another process's start changes who shares Python's pages, so that the
    # before of the private sum is only right for dirty ones.
    before = [worker.ready["memory_before"] for worker in workers]
    return {
        "file": os.path.getsize(path),
        "rss": statistics.median(m["rss"] - b["rss"] for m, b in zip(now, before)),
        "private": statistics.median(m["private_dirty"] - b["private_dirty"]
                                     for m, b in zip(now, before)),
        "pss_total": sum(m["pss"] for m in now),
        "rss_process": statistics.median(m["rss"] for m in now),
        "private_process": statistics.median(private(m) for m in now),
    }


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    single.add_arguments(p)
    p.add_argument("--shape", default="1x128")
    p.add_argument("--processes", type=int, default=4, help="at the same time (4)")
    a = single.check_arguments(p.parse_args())
    with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
        (batch, length), = cases.parse_shapes(a.shape)
        case = cases.rectangle(folder, single.library_inputs(a), a.vocabulary, batch, length)
        found = {name: measure(name, path, a, case) for name, path in a.paths.items()}
    rows = [["%s, MB" % a.shape, "file", "RSS of the model", "private of it",
             "process RSS", "PSS of %d processes" % a.processes]]
    for name, m in found.items():
        rows.append([name] + ["%.1f" % (m[key] / 1e6) for key in
                              ("file", "rss", "private", "rss_process", "pss_total")])
    single.finish(a, {"shape": a.shape, "threads": a.threads, "processes": a.processes,
                      "bytes": found, "table": common.table(rows)})


if __name__ == "__main__":
    common.run_main(main)
