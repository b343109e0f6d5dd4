# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Wall time and peak memory of `plmc compress`, for one or more models.

Only the standard library is imported here: Linux counts into a child's peak what
its parent had resident when it was started.
"""

import argparse
import glob
import json
import os
import statistics
import tempfile
import time

import common
from common import BenchError


def compress_once(plmc, arguments, log):
    """(seconds, peak resident bytes) of one run, its linker's included."""
    start = time.monotonic()
    with open(log, "w", encoding="utf-8") as sink:
        try:
            pid = os.posix_spawn(plmc, [plmc, *arguments], common.clean_env(), file_actions=[
                (os.POSIX_SPAWN_DUP2, sink.fileno(), 1), (os.POSIX_SPAWN_DUP2, sink.fileno(), 2)])
        except OSError as error:
            raise BenchError("cannot run %s: %s; --plmc names it" % (plmc, error.strerror)) \
                from None
        _, status, usage = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        with open(log, encoding="utf-8") as file:
            words = file.read().strip().splitlines() or ["no message"]
        raise BenchError("plmc %s failed (exit %d): %s"
                         % (" ".join(arguments), code, words[-1]))
    return time.monotonic() - start, usage.ru_maxrss * 1024


def input_bytes(model):
    """The file and, by the exporters' custom, what lies beside it as NAME.data."""
    return sum(os.path.getsize(path) for path in [model, *glob.glob(
        glob.escape(model) + ".data*")])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("models", nargs="+", metavar="MODEL.onnx")
    p.add_argument("--plmc", default=os.path.join(common.REPO, "build", "bin", "plmc"))
    p.add_argument("--cpu", default="native")
    p.add_argument("--outputs")
    p.add_argument("--runs", type=int, default=3, help="the median counts (3)")
    p.add_argument("--option", action="append", default=[], metavar="OPT",
                   help="a further option of plmc compress, as --option=--precision=int8")
    p.add_argument("--json", metavar="FILE", help="write the result; -: print it alone")
    a = p.parse_args()
    if a.runs < 1:
        raise BenchError("--runs takes a count from 1 up")
    found = []
    rows = [["", "time, s", "peak memory, MB", "input, MB", "peak / input", "library, MB"]]
    for model in a.models:
        common.need_file(model, "a model")
        with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
            library = os.path.join(folder, "model.so")
            arguments = ["compress", model, "-o", library, "--cpu=" + a.cpu, *a.option]
            if a.outputs:
                arguments.append("--outputs=" + a.outputs)
            runs = [compress_once(a.plmc, arguments, os.path.join(folder, "log"))
                    for _ in range(a.runs)]
            size = os.path.getsize(library)
        seconds = statistics.median(run[0] for run in runs)
        peak, given = max(run[1] for run in runs), input_bytes(model)
        found.append({"model": os.path.basename(model), "seconds": seconds,
                      "seconds_min": min(run[0] for run in runs), "peak_bytes": peak,
                      "input_bytes": given, "library_bytes": size})
        rows.append([os.path.basename(model), "%.2f" % seconds, "%.0f" % (peak / 1e6),
                     "%.1f" % (given / 1e6), "%.2f" % (peak / given), "%.1f" % (size / 1e6)])
    result = {"models": found, "runs": a.runs, "cpu": a.cpu, "table": common.table(rows)}
    if a.json == "-":
        print(json.dumps(result))
        return
    print(common.host_line(common.host_info()) + "\n\n" + result["table"])
    if a.json:
        common.write_json(a.json, result)


if __name__ == "__main__":
    common.run_main(main)
