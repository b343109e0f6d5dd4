# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The limits of this machine's cores: f32, bf16 and int8 peaks, reading rates.

Runs `plmc peak` on one core, or on several at once (the sum is given): memory
and, on some machines, the clock are shared among cores.
"""

import argparse
import json
import os
import subprocess
import sys

import common
from common import BenchError


def run(plmc, cores, seconds):
    """Sums of `cores` processes that run at the same time, one on each CPU."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed):
        raise BenchError("--cores %d: this process may use %d" % (cores, len(allowed)))
    started = [subprocess.Popen(
        [plmc, "peak", "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True,
        # All but one core: there the scheduler may move it from a busy CPU.
        preexec_fn=(lambda cpu=cpu: os.sched_setaffinity(0, [cpu])) if cores > 1 else None)
        for cpu in allowed[:cores]]
    results = [json.loads(process.communicate()[0]) for process in started
               if process.wait() == 0]
    if len(results) != cores:
        raise BenchError("plmc peak failed")
    total = {key: round(sum(r[key] for r in results), 1) for key in results[0]}
    return {**total, "width": results[0]["width"], "cores": cores}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--plmc", default=os.path.join(common.REPO, "build", "bin", "plmc"),
                   help="the tool (default: build/bin/plmc)")
    p.add_argument("--cores", default="1,2", help="how many at once (1,2)")
    p.add_argument("--seconds", type=float, default=0.3, help="a figure (0.3)")
    p.add_argument("--json", metavar="FILE", help="write the result; -: print it alone")
    a = p.parse_args()
    common.need_file(a.plmc, "--plmc")
    try:
        counts = [int(count) for count in a.cores.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise BenchError("--cores takes counts from 1 up, such as 1,2")
    result = [run(a.plmc, cores, a.seconds) for cores in counts]
    if a.json == "-":
        json.dump(result, sys.stdout)
        return
    keys = [key for key in result[0] if key not in ("cores", "width")]
    print(common.host_line(common.host_info()) + "\n\n" + common.table(
        [["cores"] + keys] + [[r["cores"]] + [r[key] for key in keys] for r in result]))
    if a.json:
        common.write_json(a.json, result)


if __name__ == "__main__":
    common.run_main(main)
