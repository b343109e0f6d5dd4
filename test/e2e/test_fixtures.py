# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The fixtures' bookkeeping: manifest, stored outputs and docs/support.md agree."""

import os
import re
import unittest

import onnx

from support import REPO, cases, fixture, fixture_names, manifest


class FixtureFilesTest(unittest.TestCase):
    def test_manifest_lists_what_is_there(self):
        self.assertEqual(sorted(manifest()), fixture_names())

    def test_a_wide_tolerance_has_a_reason(self):
        for name, entry in manifest().items():
            with self.subTest(model=name):
                self.assertGreater(entry["tolerance"], 0)
                self.assertEqual(entry["tolerance"] > 2e-5, "reason" in entry)

    def test_stored_arrays_are_the_models(self):
        for name in fixture_names():
            with self.subTest(model=name):
                graph = onnx.load(fixture(name), load_external_data=False).graph
                weights = {tensor.name for tensor in graph.initializer}
                inputs = [i.name for i in graph.input if i.name not in weights]
                outputs = {o.name: onnx.helper.tensor_dtype_to_np_dtype(
                    o.type.tensor_type.elem_type) for o in graph.output}
                self.assertGreaterEqual(len(cases(name)), 5)
                for key, given, expected in cases(name):
                    self.assertEqual(sorted(given), sorted(inputs), key)
                    self.assertEqual({k: v.dtype for k, v in expected.items()}, outputs, key)

    def test_files_are_small(self):
        for name in fixture_names():
            self.assertLess(os.path.getsize(fixture(name)), 130_000, name)

    def test_the_page_has_every_fixture(self):
        with open(os.path.join(REPO, "docs", "support.md")) as file:
            rows = re.findall(r"^\| ([a-z0-9-]+) \| \d+ \|", file.read(), re.MULTILINE)
        self.assertEqual(rows, fixture_names())


if __name__ == "__main__":
    unittest.main()
