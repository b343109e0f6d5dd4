# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compressed models written as ONNX: standard types and operators, and ONNX
Runtime computes what the library does."""

import unittest

import numpy as np
import onnx
import onnxruntime

import plm
from support import cases, fixture, plmc, scratch_folder

MODEL = "bert-ts14-hidden"
INT8, UINT8, UINT4, INT4 = (onnx.TensorProto.INT8, onnx.TensorProto.UINT8,
                            onnx.TensorProto.UINT4, onnx.TensorProto.INT4)

QUANTIZE = "quantize: { min-elements: 0, method: rtn, %s }"
PRECISION = "set-precision: { min-elements: 0, %s }"
# name: steps, types of the integer weights, whether there are blocks
RECIPES = {
    "int8": ([PRECISION % "precision: int8"], {INT8}, False),
    "int4": ([PRECISION % "precision: int4, group-size: 32"], {INT4}, True),
    "int4 columns, int8 tables":
        ([PRECISION % "precision: int4, group-size: 0, table-bits: 8"], {INT4, INT8}, False),
    "int4 asymmetric":
        ([QUANTIZE % "bits: 4, group-size: 32, grid: asymmetric"], {INT4}, True),
    "int4 by calibration":
        (["quantize: { min-elements: 0, bits: 4 }", PRECISION % "precision: int8"],
         {INT4, INT8}, False),
    "int3": ([QUANTIZE % "bits: 3, group-size: 32", PRECISION % "precision: int8"],
             {INT4, INT8}, True),
    "int2": ([QUANTIZE % "bits: 2, grid: symmetric"], {INT4}, False),
    "mixed": ([QUANTIZE % "bits: 4, mixed: '8:intermediate;0:query'"], {INT4, INT8}, False),
    "codebooks": (["product-quantize: { codes: 16, weighting: none }",
                   PRECISION % "precision: int8"], {INT8, UINT8}, False),
    "alias": (["reduce-vocabulary: { size: 40 }", PRECISION % "precision: int4"],
              {INT4}, False),
    "factors": (["factorize-embedding: { rank: 8, weighting: none }",
                 PRECISION % "precision: int8"], {INT8}, False),
    "bf16": ([PRECISION % "precision: bf16"], set(), False),
}


def run(path, inputs, level):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = level
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"]).run(None, inputs)[0]


class QuantizedExportTest(unittest.TestCase):
    def build(self, name):
        folder = scratch_folder()
        rng = np.random.default_rng(1)
        np.savez(folder + "/calib.npz", input_ids=rng.integers(0, 60, (20, 12)))
        with open(folder + "/recipe.yaml", "w") as file:
            file.write("version: 1\ncalibration: { file: calib.npz }\nsteps:\n")
            for step in RECIPES[name][0]:
                file.write("  - %s\n" % step)
        for suffix in ("onnx", "so"):
            done = plmc("compress", fixture(MODEL), "-o", folder + "/m." + suffix,
                        "--recipe=" + folder + "/recipe.yaml")
            self.assertEqual(done.returncode, 0, done.stderr)
        return folder

    def test_numbers(self):
        levels = onnxruntime.GraphOptimizationLevel
        for name in RECIPES:
            with self.subTest(recipe=name):
                folder = self.build(name)
                onnx.checker.check_model(folder + "/m.onnx", full_check=True)
                library = plm.Model(folder + "/m.so", threads=1)
                for key, inputs, _ in cases(MODEL):
                    mask = inputs["attention_mask"] != 0
                    if not mask.any():
                        continue
                    want = list(library(**inputs).values())[0][mask]
                    for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL):
                        found = run(folder + "/m.onnx", inputs, level)[mask]
                        # A number between two integers may be rounded either way.
                        limit = 0.03 * np.abs(want).max()
                        self.assertLessEqual(np.abs(found - want).max(), limit, key)
                        self.assertLessEqual(np.abs(found - want).mean(), 0.1 * limit, key)

    def test_what_is_stored(self):
        for name, (_, types, blocks) in RECIPES.items():
            with self.subTest(recipe=name):
                model = onnx.load(self.build(name) + "/m.onnx")
                weights = {t.name: t for t in model.graph.initializer}
                stored = set()
                found = False
                for node in model.graph.node:
                    if node.op_type != "DequantizeLinear":
                        continue
                    tensor = weights[node.input[0]]
                    stored.add(tensor.data_type)
                    count = int(np.prod(tensor.dims))
                    half = tensor.data_type in (INT4, UINT4)
                    self.assertEqual(len(tensor.raw_data), (count + 1) // 2 if half else count)
                    if len(node.input) > 2:
                        zero = weights[node.input[2]]
                        self.assertEqual(zero.data_type, tensor.data_type)
                        self.assertEqual(zero.dims, weights[node.input[1]].dims)
                    block = [a.i for a in node.attribute if a.name == "block_size"]
                    if block:
                        found = True
                        self.assertEqual(block, [32])
                if name == "codebooks":
                    stored.add(weights["embeddings.word_embeddings.weight.codes"].data_type
                               if "embeddings.word_embeddings.weight.codes" in weights else UINT8)
                self.assertEqual(stored, types)
                self.assertEqual(found, blocks)


if __name__ == "__main__":
    unittest.main()
