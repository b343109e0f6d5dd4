# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time and peak memory of each compression pass on one model.

Each pass runs alone, in a `plmc compress` of its own. Its time is the one of the
report, so without import and code generation; the memory is the whole process's,
against the size of the model's file.

Only the standard library is imported here (compile_time.py says why).
"""

import argparse
import json
import os
import subprocess
import tempfile

import common
from common import BenchError
from compile_time import compress_once, input_bytes

# A label, and steps with options; CALIBRATION becomes the file. It is given to each
# step and not to the recipe, so that nothing is measured on it beside the pass.
PASSES = [
    ("none", []),
    ("prune-outputs", ["prune-outputs: { outputs: [last_hidden_state] }"]),
    ("set-precision int8", ["set-precision: { precision: int8 }"]),
    ("set-precision int4", ["set-precision: { precision: int4 }"]),
    ("quantize, 4 bits by rounding", ["quantize: { bits: 4, method: rtn }"]),
    ("quantize, 4 bits by GPTQ", ["quantize: { bits: 4, calibration: CALIBRATION }"]),
    ("quantize, 3 bits by GPTQ, groups",
     ["quantize: { bits: 3, group-size: 64, calibration: CALIBRATION }"]),
    ("smooth-activations", ["smooth-activations: { copy-norms: true, calibration: CALIBRATION }"]),
    ("static-activations", ["set-precision: { precision: int8 }",
                            "static-activations: { method: mse, calibration: CALIBRATION }"]),
    ("product-quantize", ["product-quantize: { calibration: CALIBRATION }"]),
    ("factorize-embedding", ["factorize-embedding: { rank: 128, calibration: CALIBRATION }"]),
    ("factorize-linear", ["factorize-linear: { calibration: CALIBRATION }"]),
    ("reduce-vocabulary", ["reduce-vocabulary: { size: 8000, calibration: CALIBRATION }"]),
    ("prune-neurons, half", ["prune-neurons: { keep: 0.5, calibration: CALIBRATION }"]),
    ("prune-heads", ["prune-heads: { calibration: CALIBRATION }"]),
    ("prune-width", ["prune-width: { calibration: CALIBRATION }"]),
    ("drop-layers, a named one", ["drop-layers: { layers: [2], calibration: CALIBRATION }"]),
    ("drop-layers, a chosen one", ["drop-layers: { count: 1, calibration: CALIBRATION }"]),
    ("share-layers", ["share-layers: { calibration: CALIBRATION }"]),
]


def known_steps(plmc):
    done = subprocess.run([plmc, "steps", "--json"], stdout=subprocess.PIPE, check=True)
    return {step["name"] for step in json.loads(done.stdout) if step["available"]}


def measure(a, steps, folder):
    recipe, report = os.path.join(folder, "recipe.yaml"), os.path.join(folder, "report.json")
    library = os.path.join(folder, "model.so")
    calibration = json.dumps(os.path.abspath(a.calibration))
    with open(recipe, "w", encoding="utf-8") as file:
        file.write("version: 1\nsteps:%s\n" % ("".join(
            "\n  - " + step.replace("CALIBRATION", calibration) for step in steps) or " []"))
    seconds, peak = compress_once(
        a.plmc, ["compress", a.model, "-o", library, "--cpu=" + a.cpu, "--recipe=" + recipe,
                 "--report=" + report], os.path.join(folder, "log"))
    with open(report, encoding="utf-8") as file:
        done = json.load(file)["steps"]
    return {"seconds": seconds, "peak_bytes": peak,
            "pass_seconds": done[-1]["seconds"] if done else 0,
            "library_bytes": os.path.getsize(library)}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", metavar="MODEL.onnx")
    p.add_argument("--calibration", required=True, metavar="FILE.npz")
    p.add_argument("--plmc", default=os.path.join(common.REPO, "build", "bin", "plmc"))
    p.add_argument("--cpu", default="native")
    p.add_argument("--only", metavar="TEXT", help="passes whose label has this in it")
    p.add_argument("--json", metavar="FILE")
    a = p.parse_args()
    common.need_file(a.model, "a model")
    common.need_file(a.calibration, "--calibration")
    known, given = known_steps(a.plmc), input_bytes(a.model)
    found = []
    rows = [["", "pass, s", "all, s", "peak, MB", "peak / file", "library, MB"]]
    for label, steps in PASSES:
        if not {step.split(":")[0] for step in steps} <= known or (a.only or "") not in label:
            continue
        with tempfile.TemporaryDirectory(prefix="plm-bench-") as folder:
            try:
                one = measure(a, steps, folder)
            except BenchError as error:
                print("%s: %s" % (label, error), flush=True)
                continue
        found.append({"pass": label, **one})
        rows.append([label, "%.1f" % one["pass_seconds"], "%.1f" % one["seconds"],
                     "%.0f" % (one["peak_bytes"] / 1e6), "%.2f" % (one["peak_bytes"] / given),
                     "%.1f" % (one["library_bytes"] / 1e6)])
        print("%s: %s s of %s s, %s MB, %s / file, library %s MB" % tuple(rows[-1]), flush=True)
    print(common.host_line(common.host_info()) + "\n\n" + common.table(rows))
    if a.json:
        common.write_json(a.json, {"passes": found, "input_bytes": given})


if __name__ == "__main__":
    common.run_main(main)
