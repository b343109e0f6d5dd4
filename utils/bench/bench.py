# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Measures a compiled model beside other runtimes, in turns. README.md has the use."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

import cases
import common
import report as reports
import rounds
from common import BenchError
from peers import PEERS
from worker import Worker


def parse_arguments():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True, help="the ONNX model that the peers run")
    p.add_argument("--library", help="made from it by plmc compress; else it is made")
    p.add_argument("--plmc", default=os.path.join(common.REPO, "build", "bin", "plmc"),
                   help="the tool (default: build/bin/plmc)")
    p.add_argument("--cpu", default="native", help="of plmc compress (native)")
    p.add_argument("--precision", default="f32", help="of plmc compress (f32)")
    p.add_argument("--outputs", help="outputs that everyone computes, a,b (all)")
    p.add_argument("--peers", default="ort,openvino",
                   help="of: " + ", ".join(name for name in PEERS if name != "plmc"))
    p.add_argument("--peer-model", action="append", default=[], metavar="PEER=FILE",
                   help="a model of its own for one peer (e.g. quantized)")
    p.add_argument("--threads", default="1,2", help="thread counts (1,2)")
    p.add_argument("--shapes", default="1x8,1x32,1x128,1x384,8x64")
    p.add_argument("--ragged", type=int, default=0, metavar="N",
                   help="also batches of N sentences, padded to the longest")
    p.add_argument("--ragged-batches", type=int, default=1, metavar="K",
                   help="how many of them make one run (1; 0: all)")
    p.add_argument("--ragged-sorted", action="store_true",
                   help="the same sentences sorted by length as well")
    p.add_argument("--sentences", default=cases.SENTENCES, help="one a line")
    p.add_argument("--tokenizer", help="the model's tokenizer.json or vocab.txt")
    p.add_argument("--vocabulary", type=int, help="ids, where plmc cannot say")
    p.add_argument("--seconds", type=float, default=4, help="a peer and case (4)")
    p.add_argument("--pin", action="store_true", help="hold N threads to the first N CPUs")
    p.add_argument("--all", action="store_true",
                   help="also peaks, cold start, memory and compile time")
    p.add_argument("--json", help="write everything measured")
    p.add_argument("--markdown", help="write the tables, or put them between a file's marks")
    p.add_argument("--plot", help="write a picture, .png or .svg")
    return p.parse_args()


def check_arguments(a):
    """Everything that can be known to be wrong before an hour of measuring."""
    a.model = common.need_file(a.model, "--model")
    if a.library:
        a.library = common.need_file(a.library, "--library")
    a.outputs = a.outputs.split(",") if a.outputs else None
    a.shapes = cases.parse_shapes(a.shapes) if a.shapes else []
    if not a.shapes and not a.ragged:
        raise BenchError("nothing to run: give --shapes or --ragged")
    try:
        a.threads = [int(t) for t in a.threads.split(",")]
    except ValueError:
        a.threads = []
    if not a.threads or min(a.threads) < 1:
        raise BenchError("--threads takes counts from 1 up, such as 1,2")
    if not a.seconds > 0:
        raise BenchError("--seconds must be over 0")
    a.peers = [name for name in a.peers.split(",") if name]
    for name in a.peers:
        if name not in PEERS or name == "plmc":
            raise BenchError("no peer '%s'; there are: %s" % (
                name, ", ".join(n for n in PEERS if n != "plmc")))
    a.peer_models = {}
    for text in a.peer_model:
        name, equals, path = text.partition("=")
        if not equals or name not in a.peers:
            raise BenchError("--peer-model %s: PEER=FILE, PEER one of --peers" % text)
        a.peer_models[name] = common.need_path(path, "--peer-model")
    for name in a.peers:
        if PEERS[name].own_model and name not in a.peer_models:
            raise BenchError("%s needs --peer-model %s=FILE" % (name, name))
    if a.plot and not a.peers:
        raise BenchError("--plot shows ratios: it needs a peer")
    for path in (a.json, a.markdown, a.plot):
        if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise BenchError("no such folder: " + os.path.dirname(path))


def model_facts(a):
    """`plmc inspect --json`, or what little is needed without the tool."""
    if os.path.exists(a.plmc):
        facts = common.inspect(a.plmc, a.model)
    elif a.library and a.vocabulary:
        facts = {}
    else:
        raise BenchError("no plmc at %s: give --plmc, or --library and --vocabulary"
                         % a.plmc)
    if a.vocabulary:
        facts["vocabularySize"] = a.vocabulary
    if not facts.get("vocabularySize"):
        raise BenchError("plmc found no vocabulary in the model: give --vocabulary")
    return facts


def make_cases(a, folder, inputs, facts):
    ids, longest = facts["vocabularySize"], facts.get("maxPositions") or 512
    made = []
    for batch, length in a.shapes:
        if length > longest:
            raise BenchError("%dx%d: the model has %d positions" % (batch, length, longest))
        made.append(cases.rectangle(folder, inputs, ids, batch, length))
    if a.ragged:
        if "attention_mask" not in inputs:
            raise BenchError("--ragged needs a model with the input attention_mask")
        rows = cases.tokenize(cases.read_sentences(a.sentences), a.tokenizer, ids, longest)
        for by_length in [False, True] if a.ragged_sorted else [False]:
            made.append(cases.ragged(folder, inputs, rows, a.ragged, a.ragged_batches,
                                     by_length))
    return made


def measure_threads(a, threads, folder, facts, report):
    """All cases at one thread count, printed as they come."""
    workers = []
    try:
        for name in ["plmc"] + a.peers:
            path = a.library if name == "plmc" else a.peer_models.get(name, a.model)
            # Outputs in plmc's order and number, so that all do the same work.
            wanted = workers[0].ready["outputs"] if workers else a.outputs
            workers.append(Worker(name, path, threads, wanted, a.pin))
            report["versions"][name] = workers[-1].ready["version"]
        for case in make_cases(a, folder, workers[0].ready["inputs"], facts):
            measured = rounds.measure(workers, case, folder, a.seconds, threads,
                                      {name: PEERS[name].tolerance for name in a.peers})
            measured["flops"] = case.flops(facts)
            report["cases"].append(measured)
            print("%d thread%s %-10s %s" % (
                threads, " " if threads == 1 else "s", case.name, "  ".join(
                    "%s %.2f ms" % (name, r["median_ms"])
                    + (" (x%.2f)" % r["ratio"] if name != "plmc" else "")
                    for name, r in measured["results"].items())), flush=True)
    finally:
        for worker in workers:
            worker.close()


def script(name, *arguments):
    """Another script of this folder, in a process of its own; its JSON."""
    done = subprocess.run(
        [sys.executable, os.path.join(common.HERE, name), "--json", "-", *arguments],
        stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise BenchError("%s failed (exit %d)" % (name, done.returncode))
    return json.loads(done.stdout)


def peaks(a):
    if not os.path.exists(a.plmc):
        return []
    return script("peak.py", "--plmc", a.plmc, "--cores", ",".join(map(str, a.threads)))


def measure_rest(a, report):
    """What the other scripts of this folder measure, into the same report."""
    same = ["--model", a.model, "--library", a.library, "--peers", ",".join(a.peers)]
    same += [w for n, path in a.peer_models.items() for w in ("--peer-model", n + "=" + path)]
    if a.outputs:
        same += ["--outputs", ",".join(a.outputs)]
    same += ["--vocabulary", str(report["vocabulary"])]
    tables = report.setdefault("extra_tables", [])
    wanted = [("cold_start", "Cold start", "coldstart.py", same),
              ("memory", "Memory", "memory.py", same)]
    if os.path.exists(a.plmc):
        outputs = ["--outputs", ",".join(a.outputs)] if a.outputs else []
        wanted.append(("compile", "plmc compress", "compile_time.py",
                       ["--plmc", a.plmc, "--cpu", a.cpu,
                        "--option=--precision=" + a.precision,
                        *outputs, a.model]))
    for key, title, name, arguments in wanted:
        print(title + " ...", flush=True)
        report[key] = script(name, *arguments)
        tables.append((title, report[key].pop("table")))


def main():
    a = parse_arguments()
    check_arguments(a)
    facts = model_facts(a)
    with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
        if not a.library:
            a.library = common.compress(a.plmc, a.model, os.path.join(folder, "model.so"),
                                        a.cpu, a.outputs, a.precision)
        # "cpu" from the library itself, by way of the tool where there is one.
        about = common.inspect(a.plmc, a.library) if os.path.exists(a.plmc) else {}
        report = {
            "date": time.strftime("%Y-%m-%d"), "host": common.host_info(),
            "model": os.path.splitext(os.path.basename(a.model))[0],
            "precision": a.precision,
            "library": {"cpu": about.get("cpu", "cpu unknown"),
                        "bytes": os.path.getsize(a.library)},
            "versions": {}, "peers": a.peers, "seconds": a.seconds, "pinned": a.pin,
            "vocabulary": facts["vocabularySize"], "cases": [],
        }
        print(common.host_line(report["host"]), flush=True)
        if a.all:  # peaks before and after, the better: neighbours only lower them
            report["peaks"] = peaks(a)
        for threads in a.threads:
            measure_threads(a, threads, folder, facts, report)
        if a.all:
            report["peaks"] = [{k: max(v, new[k]) for k, v in old.items()}
                               for old, new in zip(report["peaks"], peaks(a))]
            measure_rest(a, report)
    report["load_average_after"] = common.load_average()
    text = reports.markdown(report)
    print("\n" + text)
    if a.json:
        common.write_json(a.json, report)
    if a.markdown:
        reports.write_markdown(a.markdown, text, [
            report["model"] + " " + a.precision, a.precision])
    if a.plot:
        reports.plot(report, a.plot)


if __name__ == "__main__":
    common.run_main(main)
