# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the tests of hostile files share: tiny models, and runs with a rule."""

import os
import subprocess
import sys
import tempfile
import time
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from support import PLMC, plmc, scratch_folder

OK, INTERNAL, USAGE, BAD_INPUT, UNSUPPORTED, VERIFICATION_FAILED = range(6)
REFUSED = (BAD_INPUT, UNSUPPORTED)

# What a run may take. plmc itself needs 95 to 130 MB with LLVM and MLIR mapped;
# a node of 33 bytes becomes 1.6 KB of IR, the worst there is.
BASE_BYTES = 160 << 20
BYTES_PER_INPUT_BYTE = 64
SECONDS = 120  # of CPU time: the machine may have more to do
# A process's peak counts what its parent had when it was started: start it from
# a small one.
MEASURE = """
import os, sys
pid = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
os.write(int(sys.argv[1]), b"%d %d %d" % (os.waitstatus_to_exitcode(status), usage.ru_maxrss,
                                          1000 * (usage.ru_utime + usage.ru_stime)))
"""
SANITIZED = bool(os.environ.get("PLMC_SANITIZED"))


def info(name, dims, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, dims)


def weight(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def model(nodes, weights=(), inputs=None, outputs=("y",), opset=17, ir=8, functions=()):
    """x is f32 [n, 4] unless inputs are given."""
    graph = helper.make_graph(
        list(nodes), "graph", inputs if inputs is not None else [info("x", ["n", 4])],
        [info(name, None) for name in outputs], list(weights))
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir,
                             functions=list(functions))


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = scratch_folder()

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, data):
        if not isinstance(data, bytes):
            data = data.SerializeToString()
        with open(self.path(name), "wb") as file:
            file.write(data)
        return self.path(name)

    def run_limited(self, *args, megabytes=None):
        """(exit code, stdout, stderr); checks time and peak memory. Leaves the
        CPU time in self.seconds."""
        size = sum(os.path.getsize(a) for a in args if os.path.isfile(a))
        with tempfile.TemporaryFile() as measured:
            done = subprocess.run(
                [sys.executable, "-ISc", MEASURE, str(measured.fileno()), PLMC, *args],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True, pass_fds=[measured.fileno()], timeout=10 * SECONDS)
            self.assertEqual(done.returncode, 0, done.stderr)
            measured.seek(0)
            code, kilobytes, milliseconds = map(int, measured.read().split())
        self.seconds = milliseconds / 1000
        self.assertLess(self.seconds, SECONDS * (10 if SANITIZED else 1), args)
        if not SANITIZED:
            limit = megabytes << 20 if megabytes else BASE_BYTES + BYTES_PER_INPUT_BYTE * size
            self.assertLess(kilobytes << 10, limit, (args, size))
        return code, done.stdout, done.stderr

    def ends_well(self, *args, codes=(OK, *REFUSED), **kwargs):
        """Runs plmc: one of the codes, one line if refused, nothing left."""
        before = set(os.listdir(self.folder))
        code, out, err = self.run_limited(*args, **kwargs)
        self.assertIn(code, codes, (args, err))
        if code != OK:
            self.assertEqual(err.count("\n"), 1, (args, err))
            self.assertTrue(err.startswith("plmc: error: "), (args, err))
            self.assertTrue(err.strip().isprintable(), (args, err))
            self.assertEqual(set(os.listdir(self.folder)), before, args)
        return code, out, err

    def refused(self, name, data, codes=REFUSED, says=(), **kwargs):
        """A model that inspect and compress refuse in the same line, which
        names the file."""
        path = self.write(name, data)
        says = (says,) if isinstance(says, str) else says
        _, _, line = self.ends_well("inspect", path, codes=codes, **kwargs)
        _, _, again = self.ends_well("compress", path, "-o", self.path("out.so"),
                                     codes=codes, **kwargs)
        self.assertEqual(line, again)
        for part in (name, *says):
            self.assertIn(part, line)
        return line

    def compiles(self, name, data, *options, **kwargs):
        """Compiles, verified; returns the library and what was said on stderr."""
        path = self.write(name, data)
        library = self.path(name.rsplit(".", 1)[0] + ".so")
        _, _, err = self.ends_well("compress", path, "-o", library, *options,
                                   codes=(OK,), **kwargs)
        return library, err


__all__ = [name for name in dir() if not name.startswith("_")]
