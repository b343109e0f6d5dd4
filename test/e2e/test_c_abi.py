# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The C ABI as C11 and C++ programs see it, and what a library needs and exports."""

import os
import re
import shutil
import subprocess
import unittest

import numpy as np

from support import LLVM, REPO, assert_matches, cases, compiled, plmc, scratch_folder

SOURCE = os.path.join(REPO, "test", "e2e", "test_c_abi.c")
MODEL = "bert-ts17-pooler"
STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-I", os.path.join(REPO, "include")]
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
FUNCTIONS = {"plm_abi_version", "plm_open", "plm_describe", "plm_context_create",
             "plm_context_destroy", "plm_context_profile", "plm_run", "plm_run_text", "plm_last_error"}


class ProgramTest(unittest.TestCase):
    def build(self, compiler, *options):
        program = os.path.join(scratch_folder(), "program")
        done = plmc(*options, "-o", program, "-lpthread", "-ldl", tool=compiler)
        self.assertEqual(done.returncode, 0, done.stderr)
        return program

    def check(self, program, library=""):
        folder = scratch_folder()
        given, made = os.path.join(folder, "in"), os.path.join(folder, "out")
        for key, inputs, expected in cases(MODEL):
            with self.subTest(case=key):
                np.stack([inputs[name] for name in INPUTS]).astype("<i8").tofile(given)
                batch, length = inputs["input_ids"].shape
                done = plmc(library, str(batch), str(length), given, made, tool=program)
                self.assertEqual(done.returncode, 0, done.stderr)
                value = expected["last_hidden_state"]
                actual = np.fromfile(made, "<f4").reshape(value.shape)
                assert_matches(self, actual, value, inputs["attention_mask"], key)

    def test_c11(self):
        program = self.build("clang-22", "-std=c11", *STRICT, SOURCE)
        self.check(program, compiled(MODEL))

    def test_cpp(self):
        program = self.build("clang++-22", "-x", "c++", "-std=c++11", *STRICT, SOURCE)
        self.check(program, compiled(MODEL))

    def test_linked_object(self):
        program = self.build("clang-22", "-std=c11", *STRICT, "-DPLM_TEST_LINKED", SOURCE,
                             compiled(MODEL, "o"))
        self.check(program)

    def test_linked_archive(self):
        program = self.build("clang-22", "-std=c11", *STRICT, "-DPLM_TEST_LINKED", SOURCE,
                             compiled(MODEL, "a"))
        self.check(program)

    def test_linked_library(self):
        library = compiled(MODEL)
        program = self.build("clang-22", "-std=c11", *STRICT, "-DPLM_TEST_LINKED", SOURCE,
                             library, "-Wl,-rpath," + os.path.dirname(library))
        self.check(program)


class LibraryTest(unittest.TestCase):
    def readelf(self, *options):
        done = subprocess.run([os.path.join(LLVM, "llvm-readelf"), *options, compiled(MODEL)],
                              check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout

    def test_needs_libc_alone(self):
        needed = re.findall(r"\(NEEDED\)\s+Shared library: \[(.*)\]", self.readelf("-d"))
        self.assertLessEqual(set(needed), {"libc.so.6", "ld-linux-x86-64.so.2"})

    def test_exports_the_abi_alone(self):
        exported = set()
        for line in self.readelf("--dyn-syms", "-W").splitlines():
            fields = line.split()
            if len(fields) >= 8 and fields[4] in ("GLOBAL", "WEAK") and fields[6] != "UND":
                exported.add(fields[7].split("@")[0])
        self.assertEqual(exported, FUNCTIONS)

    def test_memory_is_never_writable_and_executable(self):
        flags = re.findall(r"^ +(LOAD|GNU_STACK) .* ([RWE ]{3}) 0x", self.readelf("-lW"), re.M)
        self.assertGreaterEqual(len(flags), 4)
        for kind, flag in flags:
            self.assertFalse("E" in flag and ("W" in flag or kind == "GNU_STACK"), flags)
        self.assertNotIn("TEXTREL", self.readelf("-d"))

    def test_loads_from_anywhere(self):
        """A copy under another name, and with no other file about."""
        copy = os.path.join(scratch_folder(), "renamed.so")
        shutil.copy(compiled(MODEL), copy)
        done = plmc("inspect", copy)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
