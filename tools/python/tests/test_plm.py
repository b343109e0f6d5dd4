# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python -m unittest discover tools/python/tests

Runs against any encoder with integer inputs: PLM_TEST_LIBRARY names the library
(without it all of this is skipped).
"""

import multiprocessing
import os
import threading
import unittest

import numpy as np

import plm
from plm import _convert

LIBRARY = os.environ.get("PLM_TEST_LIBRARY")


def make_inputs(model, sizes=(2, 5), seed=0):
    """Small token ids, a mask with padding on the right, zeros for the rest."""
    random = np.random.default_rng(seed)
    symbols = {}
    inputs = {}
    for tensor in model.inputs:
        shape = []
        for dim in tensor.dims:
            if not dim.isdigit() and dim not in symbols:
                symbols[dim] = sizes[min(len(symbols), len(sizes) - 1)]
            shape.append(int(dim) if dim.isdigit() else symbols[dim])
        dtype = _convert.DTYPES[tensor.dtype][1]
        if "mask" in tensor.name:
            array = np.ones(shape, dtype)
            if array.ndim == 2 and array.shape[1] > 1:
                array[0, -1] = 0
        elif "type" in tensor.name or dtype.kind == "f":
            array = np.zeros(shape, dtype)
        else:
            array = random.integers(1, 50, shape).astype(dtype)
        inputs[tensor.name] = array
    return inputs


def run_in_child(model, inputs, queue):
    try:
        queue.put([np.asarray(array) for array in model(**inputs).values()])
    except BaseException as error:  # the parent must not wait for ever
        queue.put(repr(error))


@unittest.skipUnless(LIBRARY, "PLM_TEST_LIBRARY is not set")
class ModelTest(unittest.TestCase):
    def setUp(self):
        self.model = plm.Model(LIBRARY, threads=1)
        self.inputs = make_inputs(self.model)
        self.ids = self.model.inputs[0].name

    def assert_same(self, left, right):
        self.assertEqual(list(left), list(right))
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])

    def test_signature(self):
        self.assertTrue(self.model.inputs)
        self.assertTrue(self.model.outputs)
        self.assertEqual(self.model.description["abi"], 1)
        self.assertIn(self.ids, repr(self.model))
        self.assertIn(self.model.outputs[0].name, repr(self.model))

    def test_outputs(self):
        outputs = self.model(**self.inputs)
        self.assertIsInstance(outputs, plm.Outputs)
        self.assertEqual(list(outputs), [t.name for t in self.model.outputs])
        for tensor in self.model.outputs:
            array = outputs[tensor.name]
            self.assertEqual(array.ndim, len(tensor.dims))
            self.assertTrue(array.flags.owndata or array.base.flags.owndata)
            for size, dim in zip(array.shape, tensor.dims):
                if dim.isdigit():
                    self.assertEqual(size, int(dim))
            if array.dtype.kind == "f":
                self.assertTrue(np.isfinite(array).all())
            if tensor.name.isidentifier():
                self.assertIs(getattr(outputs, tensor.name), array)
        with self.assertRaisesRegex(AttributeError, "no output 'nothing'"):
            outputs.nothing

    def test_outputs_outlive_the_next_run(self):
        first = self.model(**self.inputs)
        kept = {name: array.copy() for name, array in first.items()}
        self.model(**make_inputs(self.model, (3, 7), seed=1))
        self.assert_same(first, kept)

    def test_ways_to_pass_inputs(self):
        expected = self.model(**self.inputs)
        arrays = list(self.inputs.values())
        self.assert_same(self.model(*arrays), expected)
        self.assert_same(self.model(*[a.tolist() for a in arrays]), expected)
        rest = dict(list(self.inputs.items())[1:])
        self.assert_same(self.model(arrays[0], **rest), expected)
        strided = {n: np.asfortranarray(a) for n, a in self.inputs.items()}
        self.assert_same(self.model(**strided), expected)
        narrow = dict(self.inputs)
        for dtype in (np.int16, np.int32, np.uint64):
            narrow[self.ids] = self.inputs[self.ids].astype(dtype)
            self.assert_same(self.model(**narrow), expected)

    def test_wrong_names(self):
        with self.assertRaisesRegex(TypeError, "no input 'bogus'; it has .*" + self.ids):
            self.model(bogus=1, **self.inputs)
        rest = dict(list(self.inputs.items())[1:])
        with self.assertRaisesRegex(TypeError, "missing input '%s'" % self.ids):
            self.model(**rest)
        with self.assertRaisesRegex(TypeError, "given twice"):
            self.model(self.inputs[self.ids], **self.inputs)
        with self.assertRaisesRegex(TypeError, "the model has %d" % len(self.inputs)):
            self.model(*([self.inputs[self.ids]] * (len(self.inputs) + 1)))

    def test_wrong_types(self):
        for value in (
            self.inputs[self.ids].astype(np.float32),
            [[1.5, 2.0]],
            [["a", "b"]],
            [[1, 2], [3]],
            None,
            np.array([[2**64 - 1]], np.uint64),
        ):
            wrong = dict(self.inputs)
            wrong[self.ids] = value
            with self.assertRaisesRegex(TypeError, "input '%s'" % self.ids):
                self.model(**wrong)

    def test_the_librarys_errors(self):
        for value in (
            -np.ones_like(self.inputs[self.ids]),
            self.inputs[self.ids][:, :0],
            self.inputs[self.ids][0],
            self.inputs[self.ids][:, :, None, None, None, None, None, None, None],
            [[]],
        ):
            wrong = dict(self.inputs)
            wrong[self.ids] = value
            with self.assertRaisesRegex(plm.Error, "^input '.*'") as caught:
                self.model(**wrong)
            self.assertNotIn("\n", str(caught.exception))
        self.assertTrue(self.model(**self.inputs))

    def test_thread_counts(self):
        expected = self.model(**self.inputs)
        for threads in (0, 2, 3):
            actual = plm.Model(LIBRARY, threads=threads)(**self.inputs)
            for name in expected:
                np.testing.assert_allclose(
                    actual[name], expected[name], rtol=1e-4, atol=1e-5
                )
        with self.assertRaisesRegex(plm.Error, "threads is -1"):
            plm.Model(LIBRARY, threads=-1)

    def test_many_threads(self):
        expected = {
            n: self.model(**make_inputs(self.model, (n, 4), n)) for n in (1, 2, 3)
        }
        failures = []

        def work(n):
            try:
                for _ in range(20):
                    outputs = self.model(**make_inputs(self.model, (n, 4), n))
                    self.assert_same(outputs, expected[n])
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    @unittest.skipUnless(hasattr(os, "fork"), "needs fork")
    def test_fork(self):
        model = plm.Model(LIBRARY, threads=2)
        expected = list(model(**self.inputs).values())
        context = multiprocessing.get_context("fork")
        queue = context.Queue()
        child = context.Process(target=run_in_child, args=(model, self.inputs, queue))
        child.start()
        actual = queue.get(timeout=60)
        child.join(60)
        self.assertNotIsInstance(actual, str, actual)
        for left, right in zip(actual, expected):
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)

    def test_two_models_in_one_process(self):
        other = plm.Model(LIBRARY, threads=2)
        for _ in range(3):
            for name, array in self.model(**self.inputs).items():
                np.testing.assert_allclose(
                    array, other(**self.inputs)[name], rtol=1e-4, atol=1e-5
                )


class FileTest(unittest.TestCase):
    def test_missing(self):
        with self.assertRaisesRegex(FileNotFoundError, "nonexistent.so"):
            plm.Model("nonexistent.so")

    def test_no_library(self):
        with self.assertRaisesRegex(plm.Error, "cannot load .*compress"):
            plm.Model(__file__)

    def test_another_library(self):
        import _ctypes

        path = getattr(_ctypes, "__file__", None)
        if not path:
            self.skipTest("no other library at hand")
        with self.assertRaisesRegex(plm.Error, "no function plm_abi_version"):
            plm.Model(path)


class ConvertTest(unittest.TestCase):
    def test_bf16(self):
        values = [1.0, -2.5, 1.00390625, 3.3895314e38, np.inf, -0.0]
        bits = _convert.to_library("x", values, "bf16")
        self.assertEqual(bits.dtype, np.uint16)
        self.assertEqual(
            bits.tolist(), [0x3F80, 0xC020, 0x3F80, 0x7F7F, 0x7F80, 0x8000]
        )
        self.assertEqual(_convert.to_library("x", [np.nan], "bf16")[0] & 0x7FC0, 0x7FC0)

    def test_integers(self):
        with self.assertRaises(TypeError):
            _convert.to_library("x", [2**31], "i32")
        with self.assertRaises(TypeError):
            _convert.to_library("x", [-1], "u8")
        with self.assertRaises(TypeError):
            _convert.to_library("x", [2], "bool")
        self.assertEqual(_convert.to_library("x", [True, 0], "bool").tolist(), [1, 0])
        self.assertEqual(_convert.to_library("x", True, "i64").shape, ())
        self.assertEqual(_convert.to_library("x", [1, 0], "f32").dtype, np.float32)


if __name__ == "__main__":
    unittest.main()
