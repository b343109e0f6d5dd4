# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What all the scripts share: the host, errors, running plmc."""

import json
import os
import platform
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
PACKAGE = os.path.join(REPO, "tools", "python")  # this checkout's `plm`

# Settings of the surroundings that would hold a runtime back, or push it.
_UNSET = (
    "OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS",
    "MKL_NUM_THREADS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA",
)


class BenchError(Exception):
    """What the user did or can mend: printed as one line."""


def run_main(main):
    """Runs `main`, turning BenchError into one line and exit status 2."""
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(_report(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _report(error):
    print("%s: error: %s" % (os.path.basename(sys.argv[0]), error), file=sys.stderr)
    return 2


def need_path(path, what):
    if path and os.path.isdir(path):  # some runtimes read folders
        return os.path.abspath(path)
    return need_file(path, what)


def need_file(path, what):
    if not path or not os.path.isfile(path):
        raise BenchError("no such file: %s (%s)" % (path, what) if path
                         else "no file given (%s)" % what)
    return os.path.abspath(path)


def clean_env(extra=None):
    env = {k: v for k, v in os.environ.items() if k not in _UNSET}
    env.update(extra or {})
    return env


def host_info():
    """The machine and how busy it is, as a dict."""
    cpu, flags = platform.processor() or "unknown", set()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                cpu = value.strip()
            elif key.strip() == "flags" and not flags:
                flags = set(value.split())
    interesting = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16",
                   "amx_tile")
    return {
        "cpu": cpu,
        "features": [name for name in interesting if name in flags],
        "cpus": len(os.sched_getaffinity(0)),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": load_average(),
    }


def load_average():
    return [round(value, 2) for value in os.getloadavg()]


def host_line(host):
    return "%s, %d CPUs, %s; load average %s" % (
        host["cpu"], host["cpus"], " ".join(host["features"]) or "no AVX2",
        " ".join(map(str, host["load_average"])))


def run_plmc(plmc, arguments):
    """Runs the tool; gives its standard output. BenchError with its own words."""
    try:
        done = subprocess.run([plmc] + arguments, capture_output=True, text=True,
                              env=clean_env())
    except OSError as error:
        raise BenchError("cannot run %s: %s; --plmc names it" % (plmc, error.strerror)) \
            from None
    if done.returncode != 0:
        words = done.stderr.strip().splitlines() or ["no message"]
        raise BenchError("plmc %s failed (exit %d): %s"
                         % (arguments[0], done.returncode, words[-1]))
    return done.stdout


def compress(plmc, model, library, cpu="native", outputs=None, precision="f32"):
    arguments = ["compress", model, "-o", library, "--cpu=" + cpu,
                 "--precision=" + precision]
    if outputs:
        arguments.append("--outputs=" + ",".join(outputs))
    run_plmc(plmc, arguments)
    return library


def inspect(plmc, model):
    return json.loads(run_plmc(plmc, ["inspect", "--json", model]))


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def table(rows):
    """A Markdown table; the first row is the head, numbers to the right."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for index, row in enumerate(rows):
        cells = [str(c).ljust(w) if i == 0 else str(c).rjust(w)
                 for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("| " + " | ".join(cells) + " |")
        if index == 0:
            lines.append("|" + "|".join(
                "-" * (w + 2) if i == 0 else "-" * (w + 1) + ":"
                for i, w in enumerate(widths)) + "|")
    return "\n".join(lines)
