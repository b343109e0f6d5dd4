# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compressed models written as ONNX: standard types and operators, and ONNX
Runtime computes what the library does."""

import unittest

import numpy as np
import onnx
import onnxruntime

import plm
from support import plmc, scratch_folder

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
    "mixed": ([QUANTIZE % "bits: 4, mixed: '8:up;4:down'"], {INT4, INT8}, False),
    "codebooks": (["product-quantize: { codes: 16, weighting: none }",
                   PRECISION % "precision: int8"], {INT8, UINT8}, False),
    "alias": (["reduce-vocabulary: { size: 40 }", PRECISION % "precision: int4"],
              {INT4}, True),
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


def model_text():
    """A word table and two products: groups of 32 fit, and few numbers are rounded
    in a row, so that what two programs compute stays together."""
    rng = np.random.default_rng(5)

    def parameter(name, *shape):
        values = rng.normal(0, shape[0] ** -0.5 if len(shape) > 1 else 0.1, shape)
        rows = ["[%s]" % ", ".join("%.6f" % x for x in row) for row in np.atleast_2d(values)]
        text = "[%s]" % ", ".join(rows) if len(shape) > 1 else rows[0]
        return "plm.parameter @%s = dense<%s> : tensor<%sxf32>\n" % (
            name, text, "x".join(map(str, shape)))

    return """!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x64xf32, #plm.dims<"b", "s", "64">>
!y = tensor<?x?x40xf32, #plm.dims<"b", "s", "40">>
""" + parameter("words", 90, 64) + parameter("up", 64, 64) + parameter("bias", 64) + parameter(
        "down", 40, 64) + """
func.func @forward(%ids: !ids {plm.name = "input_ids"}) -> (!y {plm.name = "y"}) {
  %t = plm.get_parameter @words : tensor<90x64xf32>
  %u = plm.get_parameter @up : tensor<64x64xf32>
  %b = plm.get_parameter @bias : tensor<64xf32>
  %d = plm.get_parameter @down : tensor<40x64xf32>
  %0 = plm.embedding %ids, %t : (!ids, tensor<90x64xf32>) -> !x
  %1 = plm.linear %0, %u bias %b : (!x, tensor<64x64xf32>, tensor<64xf32>) -> !x
  %2 = plm.activation gelu %1 : (!x) -> !x
  %3 = plm.linear %2, %d transposed : (!x, tensor<40x64xf32>) -> !y
  return %3 : !y
}
"""


class QuantizedExportTest(unittest.TestCase):
    def build(self, name):
        folder = scratch_folder()
        with open(folder + "/model.mlir", "w") as file:
            file.write(model_text())
        rng = np.random.default_rng(1)
        np.savez(folder + "/calib.npz", input_ids=rng.integers(0, 90, (40, 12)))
        with open(folder + "/recipe.yaml", "w") as file:
            file.write("version: 1\ncalibration: { file: calib.npz }\nsteps:\n")
            for step in RECIPES[name][0]:
                file.write("  - %s\n" % step)
        for suffix in ("onnx", "so"):
            done = plmc("compress", folder + "/model.mlir", "-o", folder + "/m." + suffix,
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
                ids = np.arange(90, dtype=np.int64).reshape(6, 15)
                want = library(input_ids=ids)["y"]
                for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL):
                    found = run(folder + "/m.onnx", {"input_ids": ids}, level)
                    # A number between two integers may be rounded either way, and
                    # optimised, products are integer kernels of another precision.
                    limit = 1e-2 if level == levels.ORT_DISABLE_ALL else 5e-2
                    scale = np.abs(want).max()
                    self.assertLessEqual(np.abs(found - want).max(), limit * scale)
                    self.assertLessEqual(np.abs(found - want).mean(), 0.1 * limit * scale)
                # And plmc reads it again.
                done = plmc("compress", folder + "/m.onnx", "-o", folder + "/again.so")
                self.assertEqual(done.returncode, 0, done.stderr)
                again = plm.Model(folder + "/again.so", threads=1)(input_ids=ids)["y"]
                self.assertLessEqual(np.abs(again - want).max(), 1e-2 * scale)

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
                    stored |= {t.data_type for t in weights.values() if t.data_type == UINT8}
                self.assertEqual(stored, types)
                self.assertEqual(found, blocks)


if __name__ == "__main__":
    unittest.main()
