# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled libraries through the plm package, against ONNX Runtime's outputs."""

import os
import threading
import unittest

import numpy as np

import plm
from support import assert_matches, cases, compiled, fixture_names, scratch_folder


class FixturesTest(unittest.TestCase):
    """Fixtures of each exporter, every case: the numbers of ONNX Runtime. (All of
    them are compiled by EndToEndTest.)"""

    def check(self, name, padding, *options):
        model = plm.Model(compiled(name, "so", *options), threads=1)
        for key, inputs, expected in cases(name):
            with self.subTest(model=name, case=key, padding=padding):
                outputs = model(**inputs)
                self.assertEqual(list(outputs), list(expected))
                for output, value in expected.items():
                    assert_matches(self, outputs[output], value, inputs.get("attention_mask"),
                                   "%s %s %s" % (name, key, output), padding)

    def test_there_are_fixtures(self):
        self.assertGreaterEqual(len(fixture_names()), 20)

    def test_all(self):
        exporters = ("ts14", "ts17", "dy18", "dy23")
        for name in fixture_names():
            family, exporter, *rest = name.split("-")
            if (family in ("bert", "albert", "distilbert") and exporter in exporters
                    and len(rest) == 1):
                with self.subTest(model=name):
                    self.check(name, "zero")

    def test_every_level(self):
        """A level that this machine lacks is refused at load; others give the numbers."""
        for level in ("x86-64-v2", "x86-64-v3", "x86-64-v4"):
            for name in ("bert-ts17-pooler", "albert-dy23-embed"):
                with self.subTest(level=level, model=name):
                    library = compiled(name, "so", "--cpu=" + level)
                    try:
                        plm.Model(library)
                    except plm.Error as error:
                        self.assertEqual(error.status, 6)  # PLM_ERROR_CPU
                        self.assertIn("x86-64-v", str(error))
                        continue
                    self.check(name, "zero", "--cpu=" + level)

    def test_computed_padding(self):
        """--padding=compute: positions that are masked hold the graph's values."""
        name = "bert-ts17-hidden-pruned"
        model = plm.Model(compiled(name, "so", "--padding=compute"), threads=1)
        for key, inputs, expected in cases(name):
            if not inputs["attention_mask"].any(axis=1).all():
                continue
            with self.subTest(case=key):
                actual = model(**inputs)["last_hidden_state"]
                assert_matches(self, actual, expected["last_hidden_state"], None, key)


class TwoModelsTest(unittest.TestCase):
    NAMES = ("bert-ts17-pooler", "distilbert-ts14-embed")

    def test_threads(self):
        """Two models in one process, each called from many threads at once."""
        models = {name: plm.Model(compiled(name), threads=1) for name in self.NAMES}
        alone = {(name, key): models[name](**inputs)
                 for name in self.NAMES for key, inputs, _ in cases(name)}
        failures = []

        def work(seed):
            order = np.random.default_rng(seed)
            jobs = [(name, key, inputs) for name in self.NAMES for key, inputs, _ in cases(name)]
            try:
                for index in order.integers(0, len(jobs), 60):
                    name, key, inputs = jobs[index]
                    outputs = models[name](**inputs)
                    for output, value in alone[name, key].items():
                        np.testing.assert_array_equal(outputs[output], value)
            except BaseException as error:  # reported by the main thread
                failures.append("%d: %r" % (seed, error))

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_many_threads_in_a_context(self):
        for name in self.NAMES:
            model = plm.Model(compiled(name), threads=4)
            for key, inputs, expected in cases(name):
                with self.subTest(model=name, case=key):
                    outputs = model(**inputs)
                    for output, value in expected.items():
                        assert_matches(self, outputs[output], value,
                                       inputs["attention_mask"], output)


class ErrorsTest(unittest.TestCase):
    """Every mistake is an exception with one clear line; the model stays usable."""

    def setUp(self):
        self.model = plm.Model(compiled("bert-ts17-pooler"), threads=1)
        self.inputs = {name: np.ones((2, 5), np.int64) for name in
                       ("input_ids", "attention_mask", "token_type_ids")}

    def refused(self, status, *words, **changes):
        with self.assertRaises(plm.Error) as caught:
            self.model(**{**self.inputs, **changes})
        message = str(caught.exception)
        self.assertEqual(caught.exception.status, status, message)
        self.assertEqual(len(message.splitlines()), 1, message)
        for word in words:
            self.assertIn(word, message)
        self.assertTrue(np.isfinite(self.model(**self.inputs)["pooler_output"]).all())

    def test_token_id(self):
        ids = self.inputs["input_ids"].copy()
        for bad in (-1, 100, 2**40):
            ids[1, 3] = bad
            self.refused(4, "input_ids", str(bad), input_ids=ids)

    def test_token_type(self):
        self.refused(4, "token_type_ids", token_type_ids=np.full((2, 5), 2))

    def test_mask_value(self):
        self.refused(4, "attention_mask", attention_mask=np.full((2, 5), 3))

    def test_rank(self):
        self.refused(3, "input_ids", input_ids=np.ones(5, np.int64))

    def test_dimensions_disagree(self):
        self.refused(3, "attention_mask", attention_mask=np.ones((2, 6), np.int64))

    def test_length_over_position_table(self):
        long = {name: np.ones((1, 65), np.int64) for name in self.inputs}
        self.refused(3, "64", **long)

    def test_float_ids(self):
        with self.assertRaises(TypeError):
            self.model(**{**self.inputs, "input_ids": np.ones((2, 5), np.float32)})

    def test_names(self):
        with self.assertRaisesRegex(TypeError, "attention_mask"):
            self.model(input_ids=self.inputs["input_ids"])
        with self.assertRaisesRegex(TypeError, "no input 'ids'"):
            self.model(**self.inputs, ids=1)

    def test_files(self):
        folder = scratch_folder()
        text = os.path.join(folder, "text.so")
        with open(text, "w", encoding="utf-8") as file:
            file.write("not a library")
        for path in (os.path.join(folder, "missing.so"), text, "/usr/lib/x86_64-linux-gnu/libc.so.6"):
            with self.subTest(path=path):
                with self.assertRaises((plm.Error, FileNotFoundError)) as caught:
                    plm.Model(path)
                self.assertIn(path, str(caught.exception))

    def test_thread_count(self):
        with self.assertRaises(plm.Error):
            plm.Model(compiled("bert-ts17-pooler"), threads=-1)


if __name__ == "__main__":
    unittest.main()
