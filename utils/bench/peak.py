# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The limits of this machine's cores: f32, bf16 and int8 peaks, reading rates.

Compiles peak.c for the host and runs it on one core, or on several at once (the
sum is given): memory and, on some machines, the clock are shared among cores.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile

import common
from common import BenchError

_COMPILERS = ("clang-22", "clang", "/usr/lib/llvm-22/bin/clang")


def build(compiler, folder):
    found = shutil.which(compiler) if compiler else next(
        filter(None, map(shutil.which, _COMPILERS)), None)
    if not found:
        raise BenchError("no %s; --compiler names a clang" % (compiler or "clang-22"))
    program = os.path.join(folder, "peak")
    done = subprocess.run(
        [found, "-O3", "-march=native", "-ffp-contract=fast",
         os.path.join(common.HERE, "peak.c"), "-o", program],
        stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BenchError("%s cannot compile peak.c: %s"
                         % (found, (done.stderr.splitlines() or ["no message"])[0]))
    return program


def run(program, cores, seconds):
    """Sums of `cores` processes that run at the same time, one on each CPU."""
    allowed = sorted(os.sched_getaffinity(0))
    if cores > len(allowed):
        raise BenchError("--cores %d: this process may use %d" % (cores, len(allowed)))
    started = [subprocess.Popen(
        [program, str(seconds)], stdout=subprocess.PIPE, text=True,
        # All but one core: there the scheduler may move it from a busy CPU.
        preexec_fn=(lambda cpu=cpu: os.sched_setaffinity(0, [cpu])) if cores > 1 else None)
        for cpu in allowed[:cores]]
    results = [json.loads(process.communicate()[0]) for process in started
               if process.wait() == 0]
    if len(results) != cores:
        raise BenchError("peak ended early; is there 256 MB of memory for each core?")
    total = {key: round(sum(r[key] for r in results), 1) for key in results[0]}
    return {**total, "width": results[0]["width"], "cores": cores}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--cores", default="1,2", help="how many at once (1,2)")
    p.add_argument("--seconds", type=float, default=0.3, help="a figure (0.3)")
    p.add_argument("--compiler", help="clang of version 15 or later (clang-22)")
    p.add_argument("--json", metavar="FILE", help="write the result; -: print it alone")
    a = p.parse_args()
    try:
        counts = [int(count) for count in a.cores.split(",")]
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise BenchError("--cores takes counts from 1 up, such as 1,2")
    with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
        program = build(a.compiler, folder)
        result = [run(program, cores, a.seconds) for cores in counts]
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
