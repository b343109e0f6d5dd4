# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""big_model.py FOLDER [--layers N] [--hidden N] [--vocabulary N] [--keep]

Models over 2 GB: an encoder of the size of XLM-RoBERTa-large (2.2 GB) is written
twice, with its weights in a second file and with all in one .onnx; both are
compiled and run, and compared with ONNX Runtime (which reads only the first).
Prints times, sizes and peak memory. Needs 10 GB of disk and 6 GB of memory; not
part of utils/check.sh. PLMC_BUILD names another build folder than build.
"""

import argparse
import os
import subprocess
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLMC = os.path.join(os.environ.get("PLMC_BUILD", os.path.join(REPO, "build")), "bin", "plmc")
CHUNK = 1 << 24  # floats written at a time


class Encoder:
    """Nodes and the shapes of weights of a post-LN encoder."""

    def __init__(self, layers, hidden, vocabulary, positions=514):
        self.nodes, self.weights, self.constants = [], {}, {}
        self.hidden, self.heads = hidden, hidden // 64
        self.constant("eps", np.float32(0.70710678))
        self.constant("half", np.float32(0.5))
        self.constant("one", np.float32(1))
        self.constant("scale", np.float32(1 / 8))
        self.constant("ninf", np.float32(-3.4e38))
        self.constant("split", np.int64([0, 0, self.heads, 64]))
        self.constant("merge", np.int64([0, 0, hidden]))
        self.constant("axes", np.int64([1, 2]))
        self.constant("zero_i", np.int64([0]))
        self.constant("first", np.int64(1))
        self.weights["words"] = (vocabulary, hidden)
        self.weights["positions"] = (positions, hidden)
        self.embed()
        for i in range(layers):
            self.layer(f"l{i}")
        self.nodes[-1].output[0] = "last_hidden_state"

    def constant(self, name, value):
        self.constants[name] = np.asarray(value)

    def op(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def norm(self, x, name):
        self.weights[name + ".gamma"] = self.weights[name + ".beta"] = (self.hidden,)
        return self.op("LayerNormalization", [x, name + ".gamma", name + ".beta"], name,
                       axis=-1, epsilon=1e-5)

    def linear(self, x, name, width_in, width_out):
        self.weights[name + ".w"] = (width_in, width_out)
        self.weights[name + ".b"] = (width_out,)
        return self.op("Add", [self.op("MatMul", [x, name + ".w"], name + ".mm"), name + ".b"], name)

    def embed(self):
        words = self.op("Gather", ["words", "input_ids"], "embed.words")
        shape = self.op("Shape", ["input_ids"], "embed.shape")
        length = self.op("Gather", [shape, "first"], "embed.length")
        end = self.op("Unsqueeze", [length, "zero_i"], "embed.end")
        table = self.op("Slice", ["positions", "zero_i", end, "zero_i"], "embed.positions")
        self.x = self.norm(self.op("Add", [words, table], "embed.sum"), "embed.norm")
        mask = self.op("Cast", [self.op("Unsqueeze", ["attention_mask", "axes"], "mask.4d")],
                       "mask.float", to=TensorProto.FLOAT)
        self.mask = self.op("Mul", [self.op("Sub", ["one", mask], "mask.not"), "ninf"], "mask")

    def layer(self, name):
        hidden, x = self.hidden, self.x

        def heads(kind, permutation):
            y = self.op("Reshape", [self.linear(x, f"{name}.{kind}", hidden, hidden), "split"],
                        f"{name}.{kind}.split")
            return self.op("Transpose", [y], f"{name}.{kind}.heads", perm=permutation)

        q, k, v = heads("q", [0, 2, 1, 3]), heads("k", [0, 2, 3, 1]), heads("v", [0, 2, 1, 3])
        scores = self.op("Mul", [self.op("MatMul", [q, k], name + ".qk"), "scale"], name + ".scaled")
        p = self.op("Softmax", [self.op("Add", [scores, self.mask], name + ".masked")],
                    name + ".p", axis=-1)
        context = self.op("Transpose", [self.op("MatMul", [p, v], name + ".pv")], name + ".context",
                          perm=[0, 2, 1, 3])
        y = self.linear(self.op("Reshape", [context, "merge"], name + ".merged"), name + ".o",
                        hidden, hidden)
        x = self.norm(self.op("Add", [y, x], name + ".residual"), name + ".norm1")
        y = self.linear(x, name + ".up", hidden, 4 * hidden)
        erf = self.op("Erf", [self.op("Mul", [y, "eps"], name + ".by_root")], name + ".erf")
        half = self.op("Mul", [self.op("Mul", [y, self.op("Add", [erf, "one"], name + ".plus")],
                                       name + ".gelu2"), "half"], name + ".gelu")
        y = self.linear(half, name + ".down", 4 * hidden, hidden)
        self.x = self.norm(self.op("Add", [y, x], name + ".residual2"), name + ".norm2")


def values(name, shape):
    """The same for both files, a chunk at a time."""
    random = np.random.default_rng(list(name.encode()))
    left = int(np.prod(shape))
    while left:
        count = min(left, CHUNK)
        chunk = random.standard_normal(count, np.float32)
        yield chunk * np.float32(0.02) + np.float32(name.endswith("gamma"))
        left -= count


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def graph_without_weights(encoder):
    def info(name, dims, dtype):
        return helper.make_tensor_value_info(name, dtype, dims)
    ids = ["batch", "sequence"]
    constants = [onnx.numpy_helper.from_array(v, k) for k, v in encoder.constants.items()]
    return helper.make_graph(
        encoder.nodes, "big", [info("input_ids", ids, TensorProto.INT64),
                               info("attention_mask", ids, TensorProto.INT64)],
        [info("last_hidden_state", [*ids, encoder.hidden], TensorProto.FLOAT)], constants)


def write_external(encoder, path):
    graph = graph_without_weights(encoder)
    offset = 0
    with open(path + ".data", "wb") as data:
        for name, shape in encoder.weights.items():
            size = 4 * int(np.prod(shape))
            tensor = graph.initializer.add(name=name, data_type=TensorProto.FLOAT, dims=shape,
                                           data_location=TensorProto.EXTERNAL)
            for key, value in (("location", os.path.basename(path) + ".data"),
                               ("offset", offset), ("length", size)):
                tensor.external_data.add(key=key, value=str(value))
            for chunk in values(name, shape):
                chunk.tofile(data)
            offset += size
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with open(path, "wb") as file:
        file.write(model.SerializeToString())


def write_single(encoder, path):
    """By hand: protobuf refuses to write more than 2 GB."""
    start = graph_without_weights(encoder).SerializeToString()
    heads = {}
    total = len(start)
    for name, shape in encoder.weights.items():
        size = 4 * int(np.prod(shape))
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        head = tensor.SerializeToString() + varint(9 << 3 | 2) + varint(size)
        heads[name] = varint(5 << 3 | 2) + varint(len(head) + size) + head
        total += len(heads[name]) + size
    with open(path, "wb") as file:
        file.write(b"\x08\x08" + field(8, b"\x10\x11") + varint(7 << 3 | 2) + varint(total) + start)
        for name, shape in encoder.weights.items():
            file.write(heads[name])
            for chunk in values(name, shape):
                chunk.tofile(file)


MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
print("PEAK", usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measured(*args):
    """Runs plmc; prints and returns seconds and peak memory in MB."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-ISc", MEASURE, PLMC, *args], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"plmc {' '.join(args)}: exit code {done.returncode}\n{done.stderr}")
    peak = int(done.stdout.rsplit("PEAK", 1)[1]) / 1024
    print(f"  plmc {args[0]}: {time.monotonic() - start:.1f} s, peak {peak:.0f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("folder")
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--vocabulary", type=int, default=250002)
    parser.add_argument("--keep", action="store_true", help="leave the files there")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    encoder = Encoder(options.layers, options.hidden, options.vocabulary)

    def path(name):
        return os.path.join(options.folder, name)
    ids = np.random.default_rng(0).integers(0, options.vocabulary, (2, 9))
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    np.savez(path("in.npz"), input_ids=ids, attention_mask=mask)
    made, results = [path("in.npz")], {}
    for kind, write in (("external", write_external), ("single", write_single)):
        model = path(kind + ".onnx")
        write(encoder, model)
        files = [f for f in (model, model + ".data") if os.path.exists(f)]
        size = sum(map(os.path.getsize, files))
        print(f"{kind}: {size / 1e9:.2f} GB", flush=True)
        measured("compress", model, "-o", path(kind + ".so"))
        print(f"  library {os.path.getsize(path(kind + '.so')) / 1e9:.2f} GB")
        measured("run", path(kind + ".so"), "--inputs", path("in.npz"), "--outputs", path("out.npz"))
        with np.load(path("out.npz")) as outputs:
            results[kind] = outputs["last_hidden_state"]
        os.remove(path(kind + ".so"))
        made += [*files, path("out.npz")]
        if kind == "single" and not options.keep:
            os.remove(model)
    assert np.array_equal(results["external"], results["single"]), "the two differ"
    try:
        import onnxruntime
    except ImportError:
        print("no ONNX Runtime to compare with")
    else:
        session = onnxruntime.InferenceSession(path("external.onnx"),
                                               providers=["CPUExecutionProvider"])
        [expected] = session.run(None, {"input_ids": ids, "attention_mask": mask})
        keep = mask != 0
        error = np.abs(results["external"] - expected)[keep].max() / np.abs(expected[keep]).max()
        print(f"max error {error:.2e} of the output's scale")
        assert error < 2e-5
    if not options.keep:
        for file in made:
            if os.path.exists(file):
                os.remove(file)


if __name__ == "__main__":
    main()
