# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""onnx_node_tests.py [RESULT.json] [--only PATTERN] [--update] [--jobs N]

Runs the backend node tests of the `onnx` package for the operators of
BERT-family graphs: each model is compiled with plmc, run, and compared with
the test's outputs at the test's tolerance. A test passes when plmc computes
the same or when it refuses the model with the exit code for "unsupported" and
the reason that onnx_node_refused.txt lists for it. So a newly supported test
fails until it is taken off the list, and the list stays true.

docs/onnx-operators.md is generated from the outcome and is compared as well.
--update rewrites both files, except for tests that gave wrong results.

1,500 compilations would take many minutes. Most models are one node, so those
of one operator set are joined into graphs of GROUP tests, renamed apart, which
are compiled and run at once. When anything about a group goes wrong, its
tests are run one by one.

The shape of a Reshape, the axes of a ReduceSum and the like are inputs in the
tests. They become initializers, as exporters write them: plmc wants to know
them at import. So do inputs without elements, since those of a library have at
least one: their operators are folded. And bfloat16, which .npz files do not have, is given as float32
through a Cast.

A test is written in the operator set that its operator was last changed in.
Where plmc does not read that one, but another (11 to 25) has the operator, the
test is run as that: what changed since are element types, which are refused.
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnx.compose
import onnx.helper
import onnx.numpy_helper

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLMC_BUILD", os.path.join(REPO, "build"))
PLMC = os.path.join(BUILD, "bin", "plmc")
REFUSED = os.path.join(REPO, "utils", "check", "onnx_node_refused.txt")
PAGE = os.path.join(REPO, "docs", "onnx-operators.md")

# What BERT-family graphs use: a walk (subgraphs and functions included) over
# the fixtures, over real exports of TorchScript, dynamo, optimum, tf2onnx,
# onnxsim, and over ONNX Runtime's optimized and quantized files; and what the
# function bodies of these operators are written in. Not here: images, audio,
# recurrence, training, strings, sequences, random numbers.
OPERATORS = set("""
Abs Add And ArgMax ArgMin Attention BatchNormalization Cast CastLike Ceil Celu
Clip Concat Constant ConstantOfShape Conv Cos CumSum DequantizeLinear Div Dropout
DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike Flatten Floor
Gather GatherElements GatherND Gelu Gemm Greater GreaterOrEqual HardSigmoid
HardSwish Hardmax Identity If IsInf IsNaN LayerNormalization LeakyRelu Less
LessOrEqual Log LogSoftmax LpNormalization MatMul MatMulInteger Max Mean Min
Mish Mod Mul Neg NonZero Not OneHot Or PRelu Pad Pow QLinearMatMul
QuantizeLinear RMSNormalization Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum
ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
ReduceSumSquare Relu Reshape RotaryEmbedding Round Scatter ScatterElements
ScatterND Selu Shape Sigmoid Sign Sin Size Slice Softmax Softplus Softsign
Split Sqrt Squeeze Sub Sum Swish Tan Tanh ThresholdedRelu Tile TopK
Transpose Trilu Unsqueeze Where Xor
""".split())

# Inputs that must be known at import.
CONSTANT_INPUTS = {
    "ConstantOfShape": {0}, "CumSum": {1}, "Dropout": {2}, "Expand": {1}, "NonZero": {0},
    "OneHot": {1}, "Pad": {1, 3}, "Range": {0, 1, 2}, "Reshape": {1}, "Slice": {1, 2, 3, 4},
    "Split": {1}, "Squeeze": {1}, "Tile": {1}, "TopK": {1}, "Unsqueeze": {1},
}
CONSTANT_INPUTS.update({kind: {1} for kind in OPERATORS if kind.startswith("Reduce")})

MIN_OPSET, MAX_OPSET = 11, 25
GROUP = 24
OTHERS = "bodies of other functions"
UNSUPPORTED = 4  # exit code, docs/cli.md

Case = collections.namedtuple("Case", "name operator model inputs outputs rtol atol")
# kind: passed, refused, wrong (values), failed (crash, other exit codes)
Outcome = collections.namedtuple("Outcome", "kind text")


def graph_operators(graph):
    for node in graph.node:
        yield node.domain, node.op_type
        for attribute in node.attribute:
            for inner in [attribute.g] * attribute.HasField("g") + list(attribute.graphs):
                yield from graph_operators(inner)


def lift_opset(model):
    """The model as one of an operator set that plmc reads."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            wanted = min(max(entry.version, MIN_OPSET), MAX_OPSET)
            if wanted < entry.version or all(
                    onnx.defs.get_schema(kind, entry.version).since_version ==
                    onnx.defs.get_schema(kind, wanted).since_version
                    for _, kind in graph_operators(model.graph)):
                entry.version = wanted
    return model


def as_array(value):
    """The types that NumPy does not have come as messages."""
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def with_constants(model, inputs):
    """The model with the inputs of CONSTANT_INPUTS as initializers, bfloat16 as
    float32; and the inputs left."""
    names = {node.input[index] for node in model.graph.node
             for index in CONSTANT_INPUTS.get(node.op_type, ()) if index < len(node.input)}
    rest, infos = [], list(model.graph.input)
    del model.graph.input[:]
    for info, array in zip(infos, inputs):
        if info.name in names or np.size(array) == 0:
            model.graph.initializer.append(onnx.numpy_helper.from_array(array, info.name))
        elif info.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16:
            name, info.name = info.name, info.name + "_as_float"
            info.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
            model.graph.node.insert(0, onnx.helper.make_node(
                "Cast", [info.name], [name], to=onnx.TensorProto.BFLOAT16))
            model.graph.input.append(info)
            rest.append(array.astype(np.float32))
        else:
            model.graph.input.append(info)
            rest.append(array)
    return model, rest


def load_cases(pattern):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.loader import load_model_tests
        tests = load_model_tests(kind="node")
    operator_of = {}  # of tests that are no function bodies
    for test in tests:
        if len(test.model.graph.node) == 1:
            operator_of[test.name] = test.model.graph.node[0].op_type
    for test in tests:
        used = set(graph_operators(test.model.graph))
        if any(domain not in ("", "ai.onnx") or kind not in OPERATORS for domain, kind in used):
            continue
        operator = operator_of.get(test.name)
        if operator is None:  # "..._expanded", "..._expanded_ver18"
            operator = operator_of.get(test.name.split("_expanded")[0], OTHERS)
        if operator not in OPERATORS:
            operator = OTHERS
        if fnmatch.fnmatch(test.name, pattern):
            inputs, outputs = ([as_array(value) for value in values]
                               for values in test.data_sets[0])
            model, inputs = with_constants(lift_opset(test.model), inputs)
            yield Case(test.name, operator, model, inputs, outputs, test.rtol, test.atol)


def opset_of(case):
    return max(e.version for e in case.model.opset_import if e.domain in ("", "ai.onnx"))


def describe_exit(done):
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else "exit code %d without a message" % done.returncode


def run_tool(*args):
    return subprocess.run([PLMC, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, errors="replace", timeout=600)


def storable(array):
    return isinstance(array, (np.ndarray, np.generic)) and np.asarray(array).dtype.kind in "biuf"


def compile_and_run(folder, model, inputs):
    """{output name: array}, or the Outcome that stopped it."""
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    library = os.path.join(folder, "model.so")
    done = run_tool("compress", path, "-o", library, "--padding=compute")
    if done.returncode:
        text = describe_exit(done).replace(path + ": ", "").replace("plmc: error: ", "")
        return Outcome("refused" if done.returncode == UNSUPPORTED else "failed", text)
    if not all(storable(array) for array in inputs.values()):
        return Outcome("refused", "the test data is not numbers of an .npz file")
    np.savez(os.path.join(folder, "in.npz"), **inputs)
    result = os.path.join(folder, "out.npz")
    done = run_tool("run", library, "--inputs", os.path.join(folder, "in.npz"), "--outputs",
                    result, "--threads=2")
    if done.returncode:
        return Outcome("failed", "run: " + describe_exit(done).replace("plmc: error: ", ""))
    with np.load(result) as arrays:
        return dict(arrays)


def compare(case, results):
    for info, wanted in zip(case.model.graph.output, case.outputs):
        rtol = case.rtol
        if getattr(wanted, "dtype", None) == "bfloat16":
            # plmc run widens it, and plmc computes in float32: the expected
            # values were rounded to 8 bits at every step.
            wanted, rtol = wanted.astype(np.float32), max(rtol, 2**-6)
        if not storable(wanted):
            return Outcome("refused", "the test data is not numbers of an .npz file")
        wanted, got = np.asarray(wanted), results[info.name]
        if got.dtype != wanted.dtype or got.shape != wanted.shape:
            return Outcome("wrong", "%s is %s%s, expected %s%s" % (
                info.name, got.dtype, list(got.shape), wanted.dtype, list(wanted.shape)))
        try:
            np.testing.assert_allclose(got, wanted, rtol=rtol, atol=case.atol)
        except AssertionError as error:
            lines = [line for line in str(error).splitlines() if line.strip()]
            return Outcome("wrong", "%s: %s" % (info.name, "; ".join(lines[1:4])))
    return Outcome("passed", "")


def named_inputs(case, prefix=""):
    return {prefix + info.name: array for info, array in zip(case.model.graph.input, case.inputs)}


def run_alone(case):
    with tempfile.TemporaryDirectory(prefix="plmc-node-") as folder:
        results = compile_and_run(folder, case.model, named_inputs(case))
        return results if isinstance(results, Outcome) else compare(case, results)


def join(cases):
    """One model that computes all of them; names start with t0_, t1_, ..."""
    joined = onnx.ModelProto()
    joined.CopyFrom(onnx.compose.add_prefix(cases[0].model, "t0_"))
    for index, case in enumerate(cases[1:], 1):
        model = onnx.compose.add_prefix(case.model, "t%d_" % index)
        joined.ir_version = max(joined.ir_version, model.ir_version)
        for field in ("node", "input", "output", "initializer"):
            getattr(joined.graph, field).extend(getattr(model.graph, field))
    return joined


def run_group(cases):
    """[Outcome]; alone when the group does not come through."""
    if len(cases) > 1:
        with tempfile.TemporaryDirectory(prefix="plmc-node-") as folder:
            inputs = {}
            for index, case in enumerate(cases):
                inputs.update(named_inputs(case, "t%d_" % index))
            results = compile_and_run(folder, join(cases), inputs)
            if not isinstance(results, Outcome):
                outcomes = []
                for index, case in enumerate(cases):
                    prefix = "t%d_" % index
                    own = {name[len(prefix):]: array for name, array in results.items()
                           if name.startswith(prefix)}
                    outcomes.append(compare(case, own))
                return [outcome if outcome.kind == "passed" else run_alone(case)
                        for case, outcome in zip(cases, outcomes)]
    return [run_alone(case) for case in cases]


def groups(cases, alone):
    """Tests that are likely to pass, by operator set; the others one by one."""
    by_opset = collections.defaultdict(list)
    for case in cases:
        if case.name in alone or case.model.functions or not all(map(storable, case.inputs)):
            yield [case]
        else:
            by_opset[opset_of(case)].append(case)
    for opset in sorted(by_opset):
        members = by_opset[opset]
        for start in range(0, len(members), GROUP):
            yield members[start:start + GROUP]


def read_refused():
    refused = {}
    with open(REFUSED, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                name, _, reason = line.rstrip("\n").partition(": ")
                refused[name] = reason
    return refused


def short_reason(outcome):
    """The message without file, node and remedy."""
    text = outcome.text
    if text.startswith("node ") and "): " in text:
        text = text.partition("): ")[2]
    return text.partition("; ")[0]


def page_reason(outcome):
    """short_reason without names of values, and all absent element types alike."""
    reason = short_reason(outcome)
    if "element type" in reason or "of an .npz file" in reason or "not a tensor" in reason:
        return "types that plmc does not have"
    return re.sub(r"^(input|tensor) '[^']*':? ", "", reason)


HEADER = """\
# ONNX backend node tests that plmc refuses, and why: TEST: REASON.
# Written by utils/check/onnx_node_tests.py --update; a listed test that passes
# is a failure of the suite, so take it off.
"""


def page(cases, outcomes):
    rows = collections.defaultdict(lambda: [0, 0, collections.Counter()])
    for case in cases:
        row, outcome = rows[case.operator], outcomes[case.name]
        row[0] += outcome.kind == "passed"
        row[1] += 1
        if outcome.kind != "passed":
            row[2][page_reason(outcome)] += 1
    passed, total = sum(r[0] for r in rows.values()), sum(r[1] for r in rows.values())
    lines = [
        "<!-- Generated by utils/check/onnx_node_tests.py --update. -->",
        "",
        "# ONNX operators",
        "",
        "What plmc reads: operator sets 11 to 25, and of them the operators below. They",
        "are those of BERT-family graphs; the numbers are tests of the ONNX backend test",
        "suite (`onnx` %s) that compile and give the expected values, of all that use no"
        % onnx.__version__,
        "other operators. What is refused is refused with one line, at import. An",
        "operator that is not listed may still be supported: `plmc inspect` tells.",
        "",
        "%d of %d tests pass." % (passed, total),
        "",
        "| operator | since | passed | of | refused |",
        "| --- | --- | --- | --- | --- |",
    ]
    for operator in sorted(rows):
        good, count, reasons = rows[operator]
        since = "" if operator == OTHERS else str(
            onnx.defs.get_schema(operator, MAX_OPSET).since_version
            if onnx.defs.has(operator) else "")
        notes = "; ".join("%s (%d)" % (reason, n) for reason, n in sorted(reasons.items()))
        lines.append("| %s | %s | %d | %d | %s |" % (operator, since, good, count,
                                                    notes.replace("|", "\\|")))
    lines += ["", "`since`: the operator set that last changed the operator.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("result", nargs="?")
    parser.add_argument("--only", default="*")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_args()

    cases = list(load_cases(args.only))
    refused = read_refused() if os.path.exists(REFUSED) else {}
    outcomes, ends = {}, {}
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        jobs = list(groups(cases, refused))
        for members, results in zip(jobs, pool.map(run_group, jobs)):
            for case, outcome in zip(members, results):
                outcomes[case.name] = outcome
    for case in cases:
        outcome, listed = outcomes[case.name], refused.get(case.name)
        if listed is None:
            good = outcome.kind == "passed"
        else:
            good = outcome.kind == "refused" and short_reason(outcome) == listed
        ends[case.name] = "passed" if good else "failed"
        if not good:
            print("%s (%s): %s: %s%s" % (
                case.name, case.operator, outcome.kind, outcome.text,
                "" if listed is None else " -- listed as refused: " + listed), flush=True)
    if args.only == "*":
        text = page(cases, outcomes)
        if args.update:
            with open(PAGE, "w", encoding="utf-8") as file:
                file.write(text)
            with open(REFUSED, "w", encoding="utf-8") as file:
                file.write(HEADER)
                for case in sorted(cases, key=lambda case: case.name):
                    if outcomes[case.name].kind == "refused":
                        file.write("%s: %s\n" % (case.name, short_reason(outcomes[case.name])))
        for name in set(refused) - set(outcomes):
            ends[name + " (listed as refused) exists"] = "failed"
        current = os.path.exists(PAGE) and open(PAGE, encoding="utf-8").read() == text
        ends["docs/onnx-operators.md is current"] = "passed" if current else "failed"
    if args.result:
        with open(args.result, "w", encoding="utf-8") as file:
            json.dump(ends, file, indent=1)
    kinds = collections.Counter(outcome.kind for outcome in outcomes.values())
    print(", ".join("%d %s" % (kinds[kind], kind) for kind in sorted(kinds)))
    return 0 if all(end == "passed" for end in ends.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
