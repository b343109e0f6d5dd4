# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""One runtime in a process of its own, and the handle to it.

A process each, because runtimes in one process would share an allocator,
environment variables and perhaps a thread pool, and because the memory that
each takes can then be told apart. The parent says when to run, so that they
take turns (rounds.py).

Lines of JSON go both ways. The process answers on its original standard output;
what a runtime prints goes to standard error.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time

from common import BenchError, clean_env


def memory():
    """Resident, proportional and private bytes of this process."""
    names = {"Rss": "rss", "Pss": "pss", "Private_Dirty": "private_dirty",
             "Private_Clean": "private_clean"}
    result = {}
    with open("/proc/self/smaps_rollup", encoding="ascii") as file:
        for line in file:
            key = line.split(":")[0]
            if key in names:
                result[names[key]] = int(line.split()[1]) * 1024
    return result


class Worker:
    """A running peer. `ready` holds its version and how long it took to load."""

    def __init__(self, name, path, threads, outputs=None, pin=False):
        from peers import PEERS
        self.name = name
        arguments = [sys.executable, os.path.abspath(__file__), name, path,
                     "--threads", str(threads)]
        if outputs:
            arguments += ["--outputs", json.dumps(outputs)]
        if pin:
            arguments.append("--pin")
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_env(PEERS[name].env))
        self.ready = self._answer("loading %s" % path)

    def ask(self, **command):
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        return self._answer(command["do"])

    def prepare(self, case, outputs=None):
        """Loads a case's arrays and runs it once; `outputs`: file to write them to."""
        return self.ask(do="prepare", path=case.path, count=case.count, outputs=outputs)

    def time(self, runs, untimed=1):
        """Milliseconds of each of `runs` runs, after some that are not counted."""
        return self.ask(do="time", runs=runs, untimed=untimed)["ms"]

    def _answer(self, what):
        line = self._process.stdout.readline()
        if not line:
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 else "exit status %d" % code
            raise BenchError("%s ended (%s) while %s" % (self.name, how, what))
        answer = json.loads(line)
        if "error" in answer:
            self.close()
            raise BenchError("%s, %s: %s" % (self.name, what, answer["error"]))
        return answer

    def close(self):
        if self._process.poll() is None:
            self._process.stdin.close()
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# -- The process's side ---------------------------------------------------------


def _load(arguments):
    from peers import PEERS
    if arguments.pin:
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[: arguments.threads])
    import numpy  # noqa: F401  not part of what a runtime takes to load
    start = time.perf_counter()
    peer = PEERS[arguments.peer]
    runtime = peer.runtime()
    imported = time.perf_counter()
    before = memory()
    opening = time.perf_counter()
    runtime.load(arguments.path, arguments.threads, json.loads(arguments.outputs),
                 peer.options)
    opened = time.perf_counter()
    return runtime, {
        "version": runtime.version(), "inputs": runtime.inputs,
        "outputs": runtime.outputs, "memory_before": before,
        "import_ms": (imported - start) * 1e3, "open_ms": (opened - opening) * 1e3,
    }


def _prepare(runtime, command):
    import numpy
    with numpy.load(command["path"]) as arrays:
        feeds = [{name: arrays["%d/%s" % (i, name)] for name in runtime.inputs}
                 for i in range(command["count"])]
    start = time.perf_counter()
    results = [runtime.run(feed) for feed in feeds[:1]]
    first = (time.perf_counter() - start) * 1e3
    if command["outputs"]:
        # Copies: OpenVINO's outputs are overwritten by its next run.
        results = [[numpy.array(a) for a in results[0]]]
        results += [[numpy.array(a) for a in runtime.run(feed)] for feed in feeds[1:]]
        numpy.savez(command["outputs"], **{
            "%d/%s" % (i, name): array
            for i, arrays in enumerate(results)
            for name, array in zip(runtime.outputs, arrays)})
    return feeds, {"first_ms": first}


def _time(runtime, feeds, command):
    for _ in range(command["untimed"]):
        for feed in feeds:
            runtime.run(feed)
    taken = []
    for _ in range(command["runs"]):
        start = time.perf_counter_ns()
        for feed in feeds:
            runtime.run(feed)
        taken.append((time.perf_counter_ns() - start) / 1e6)
    return {"ms": taken}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer")
    parser.add_argument("path")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--outputs", default="null")
    parser.add_argument("--pin", action="store_true")
    arguments = parser.parse_args()
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(value):
        channel.write(json.dumps(value) + "\n")
        channel.flush()

    try:
        runtime, answer = _load(arguments)
        say(answer)
        feeds = []
        for line in sys.stdin:
            command = json.loads(line)
            if command["do"] == "prepare":
                feeds, answer = _prepare(runtime, command)
            elif command["do"] == "time":
                answer = _time(runtime, feeds, command)
            else:
                answer = memory()
            say(answer)
    except ImportError as error:
        say({"error": "%s; utils/bench/setup.sh installs the peers" % error})
    except Exception as error:  # a runtime's own errors have no common base
        say({"error": " ".join(str(error).split()) or repr(error)})


if __name__ == "__main__":
    main()
