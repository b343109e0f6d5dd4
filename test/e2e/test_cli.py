# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plmc on bad files and as part of a script.

test/Tools has the wording of each message; here it is the rule that counts:
one line that names the file, the documented exit code, nothing left behind.
"""

import json
import os
import random
import shlex
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

from support import (PLMC_OPT, assert_matches, cases, compiled, fixture, plmc, scratch_folder)

OK, INTERNAL, USAGE, BAD_INPUT, UNSUPPORTED, VERIFICATION_FAILED = range(6)
MODEL = "bert-ts17-pooler"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = scratch_folder()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def refused(self, codes, *args, names=None):
        """Runs plmc, which must fail in the agreed way; returns its message."""
        before = set(os.listdir(self.folder))
        done = plmc(*args)
        message = done.stderr
        self.assertIn(done.returncode, codes, (args, message))
        self.assertTrue(message.startswith("plmc: error: "), (args, message))
        self.assertEqual(message.count("\n"), 1, (args, message))
        if names is not None:
            self.assertIn(names, message)
        self.assertEqual(set(os.listdir(self.folder)), before, args)
        return message


class BadFilesTest(Case):
    def compress(self, path, codes=(BAD_INPUT,)):
        for extension in ("so", "onnx"):
            self.refused(codes, "compress", path, "-o", self.path("out." + extension),
                         names=os.path.basename(path))

    def test_missing(self):
        self.compress(self.path("missing.onnx"))

    def test_empty(self):
        self.compress(self.write("empty.onnx", b""))

    def test_no_onnx(self):
        for name, data in (("text.onnx", b"hello\n" * 100), ("zeros.onnx", bytes(4096)),
                           ("elf.onnx", b"\x7fELF" + bytes(100)), ("ones.onnx", b"\xff" * 4096)):
            with self.subTest(file=name):
                self.compress(self.write(name, data))

    def test_truncated_anywhere(self):
        with open(fixture(MODEL), "rb") as file:
            data = file.read()
        for size in [1, 2, 10, 100] + list(range(1000, len(data), len(data) // 23)):
            with self.subTest(size=size):
                path = self.write("cut.onnx", data[:size])
                self.refused((BAD_INPUT, UNSUPPORTED), "compress", path, "-o",
                             self.path("out.so"), names="cut.onnx")

    def test_damaged_anywhere(self):
        """A changed byte may go unnoticed (a weight, a name), but never crashes."""
        with open(fixture("bert-dy23-cls"), "rb") as file:
            data = bytearray(file.read())
        generator = random.Random(7)
        for _ in range(60):
            changed = bytearray(data)
            for _ in range(generator.choice((1, 1, 4))):
                changed[generator.randrange(len(changed))] = generator.randrange(256)
            path = self.write("damaged.onnx", bytes(changed))
            done = plmc("compress", path, "-o", self.path("out.mlir"))
            self.assertIn(done.returncode, (OK, BAD_INPUT, UNSUPPORTED), done.stderr)
            if done.returncode == OK:
                os.remove(self.path("out.mlir"))
            else:
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertFalse(os.path.exists(self.path("out.mlir")))

    def test_external_data(self):
        """bert-dy23-hidden keeps its weights in a file of its own."""
        name = "bert-dy23-hidden"
        with open(fixture(name), "rb") as file:
            path = self.write(name + ".onnx", file.read())
        self.refused((BAD_INPUT,), "compress", path, "-o", self.path("out.so"),
                     names=name + ".onnx.data")
        self.write(name + ".onnx.data", b"short")
        self.refused((BAD_INPUT,), "compress", path, "-o", self.path("out.so"),
                     names=name + ".onnx.data")

    def test_libraries(self):
        text = self.write("text.so", b"no library")
        for path in (self.path("missing.so"), text):
            with self.subTest(path=path):
                self.refused((BAD_INPUT,), "bench", path, names=os.path.basename(path))
                self.refused((BAD_INPUT,), "verify", path, fixture(MODEL),
                             names=os.path.basename(path))

    def test_arrays(self):
        outputs = self.path("out.npz")
        for name, data in (("empty.npz", b""), ("text.npz", b"no archive at all")):
            path = self.write(name, data)
            self.refused((BAD_INPUT,), "run", compiled(MODEL), "--inputs", path, "--outputs",
                         outputs, names=name)
        self.refused((BAD_INPUT,), "run", compiled(MODEL), "--inputs", self.path("no.npz"),
                     "--outputs", outputs, names="no.npz")


class UnsupportedTest(Case):
    def model(self, node, domains=()):
        graph = helper.make_graph(
            [node], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        opsets = [helper.make_opsetid("", 17)] + [helper.make_opsetid(d, 1) for d in domains]
        path = self.path("model.onnx")
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
        return path

    def test_unknown_operator(self):
        path = self.model(helper.make_node("Frobnicate", ["x"], ["y"], name="strange one"))
        message = self.refused((UNSUPPORTED, BAD_INPUT), "compress", path, "-o",
                               self.path("out.so"), names="Frobnicate")
        self.assertIn("strange one", message)

    def test_unknown_domain(self):
        path = self.model(helper.make_node("Relu", ["x"], ["y"], domain="com.example"),
                          ("com.example",))
        self.refused((UNSUPPORTED,), "compress", path, "-o", self.path("out.so"),
                     names="com.example")

    def test_operator_beyond_us(self):
        path = self.model(helper.make_node("Det", ["x"], ["y"], name="d"))
        self.refused((UNSUPPORTED,), "compress", path, "-o", self.path("out.so"), names="Det")


class UsageTest(Case):
    def test_usage(self):
        out = self.path("out.so")
        for args, word in (
            ((), "compress"),
            (("compres", fixture(MODEL)), "compress"),
            (("compress", fixture(MODEL)), "-o"),
            (("compress", fixture(MODEL), "-o", out, "--cpuu=native"), "--cpuu"),
            (("compress", fixture(MODEL), "-o", out, "--cpu=pdp11"), "pdp11"),
            (("compress", fixture(MODEL), "-o", out, "--outputs=nothing"), "nothing"),
            (("compress", fixture(MODEL), "-o", self.path("out.txt")), "out.txt"),
            (("compress", fixture(MODEL), "-o", self.path("no/out.so")), "no"),
            (("run", compiled(MODEL), "--inputs", "x.npz"), "--outputs"),
            (("bench", compiled(MODEL), "--shapes", "8by8"), "8by8"),
        ):
            with self.subTest(args=args):
                self.refused((USAGE,), *args, names=word)

    def test_help_and_version(self):
        for args in (("--help",), ("compress", "--help"), ("--version",)):
            done = plmc(*args)
            self.assertEqual((done.returncode, done.stderr), (OK, ""))
            self.assertIn("plmc", done.stdout)


class ScriptTest(Case):
    def test_compress_run_verify(self):
        library, report = self.path("model.so"), self.path("report.json")
        done = plmc("compress", fixture(MODEL), "-o", library, "--verify", "--report", report)
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        self.assertIn("verified", done.stdout)
        with open(report, encoding="utf-8") as file:
            self.assertTrue(json.load(file)["verification"]["passed"])
        for key, inputs, expected in cases(MODEL):
            given, made = self.path("in.npz"), self.path("out.npz")
            np.savez(given, **inputs)
            done = plmc("run", library, "--inputs", given, "--outputs", made, "--threads", "1")
            self.assertEqual((done.returncode, done.stderr), (OK, ""))
            with np.load(made) as outputs:
                self.assertEqual(set(outputs.files), set(expected))
                for name, value in expected.items():
                    assert_matches(self, outputs[name], value, inputs["attention_mask"],
                                   "%s %s" % (key, name))
        self.assertEqual(plmc("verify", library, fixture(MODEL)).returncode, OK)

    def test_verification_fails(self):
        """The library of a model in which one weight was changed."""
        model = onnx.load(fixture(MODEL))
        weight = max(model.graph.initializer, key=lambda t: len(t.raw_data))
        values = np.frombuffer(weight.raw_data, np.float32).copy()
        values[:] *= 1.01
        weight.raw_data = values.tobytes()
        changed = self.path("changed.onnx")
        onnx.save(model, changed)
        self.refused((VERIFICATION_FAILED,), "verify", compiled(MODEL), changed)

    def test_same_bytes(self):
        libraries = []
        for folder in ("a", "b"):
            os.mkdir(self.path(folder))
            library = self.path(folder + "/model.so")
            done = plmc("compress", fixture(MODEL), "-o", library, "--cpu=x86-64-v3")
            self.assertEqual(done.returncode, OK, done.stderr)
            with open(library, "rb") as file:
                libraries.append(file.read())
        self.assertEqual(libraries[0], libraries[1])

    def test_printed_pipeline(self):
        """--print-pipeline's options are plmc-opt's."""
        done = plmc("compress", fixture(MODEL), "-o", self.path("out.mlir"), "--print-pipeline")
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        line = [l for l in done.stdout.splitlines() if l.startswith("plmc-opt ")]
        self.assertEqual(len(line), 1, done.stdout)
        options = [word for word in shlex.split(line[0])[1:] if word.startswith("-")]
        self.assertTrue(any("plm-recognize-attention" in option for option in options))
        done = plmc(self.path("out.mlir"), *options, tool=PLMC_OPT)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn("plm.attention", done.stdout)

    def test_dump(self):
        dump = self.path("dump")
        done = plmc("compress", fixture(MODEL), "-o", self.path("out.so"), "--dump-ir=" + dump)
        self.assertEqual((done.returncode, done.stderr), (OK, ""))
        names = sorted(os.listdir(dump))
        stages = [name for name in names if name.endswith(".mlir")]
        self.assertGreater(len(stages), 5)
        numbers = [int(name.split("-")[0]) for name in stages]
        self.assertEqual(numbers, sorted(set(numbers)))  # a gap: nothing changed
        self.assertEqual(len(names), len(stages) + 1, names)  # and the index
        for stage in stages:
            done = plmc(os.path.join(dump, stage), tool=PLMC_OPT)
            self.assertEqual(done.returncode, OK, stage + "\n" + done.stderr)

    def test_existing_output_survives_a_failure(self):
        out = self.write("out.so", b"precious")
        self.refused((BAD_INPUT,), "compress", self.path("missing.onnx"), "-o", out)
        with open(out, "rb") as file:
            self.assertEqual(file.read(), b"precious")


if __name__ == "__main__":
    unittest.main()
