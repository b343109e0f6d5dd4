# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models written back as ONNX: valid, and the same numbers in ONNX Runtime."""

import unittest

import numpy
import onnx
import onnxruntime

import plm
from support import assert_matches, cases, compiled, fixture_names, plmc, scratch_folder


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    # What the file says: optimised, 8-bit products become integer kernels, which
    # saturate on CPUs without VNNI.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


class ExportTest(unittest.TestCase):
    def test_all_fixtures(self):
        for name in fixture_names():
            with self.subTest(model=name):
                path = compiled(name, "onnx")
                onnx.checker.check_model(path, full_check=True)
                runtime = session(path)
                key, inputs, expected = cases(name)[0]
                self.assertEqual([i.name for i in runtime.get_inputs()], list(inputs))
                self.assertEqual([o.name for o in runtime.get_outputs()], list(expected))
                for key, inputs, expected in cases(name):
                    outputs = runtime.run(list(expected), inputs)
                    for (output, value), actual in zip(expected.items(), outputs):
                        assert_matches(self, actual, value, inputs.get("attention_mask"),
                                       "%s %s %s" % (name, key, output), padding="any")

    def test_exported_model_compiles(self):
        """ONNX to ONNX to library: the numbers survive the round trip."""
        for name in ("bert-ts14-hidden", "albert-dy18-hidden", "distilbert-dy23-mlm"):
            with self.subTest(model=name):
                library = scratch_folder() + "/again.so"
                done = plmc("compress", compiled(name, "onnx"), "-o", library)
                self.assertEqual(done.returncode, 0, done.stderr)
                model = plm.Model(library, threads=1)
                for key, inputs, expected in cases(name):
                    outputs = model(**inputs)
                    for output, value in expected.items():
                        assert_matches(self, outputs[output], value, inputs["attention_mask"],
                                       "%s %s %s" % (name, key, output), padding="zero")

    def test_tables_of_codes(self):
        """Codebooks in 8 bits, and an alias map: what no fixture has."""
        folder = scratch_folder()
        with open(folder + "/codes.mlir", "w") as file:
            file.write(CODES)
        for suffix in ("onnx", "so"):
            done = plmc("compress", folder + "/codes.mlir", "-o", folder + "/codes." + suffix)
            self.assertEqual(done.returncode, 0, done.stderr)
        onnx.checker.check_model(folder + "/codes.onnx", full_check=True)
        ids = numpy.array([[0, 1, 2], [6, 5, 3]], numpy.int64)
        inputs = {"ids": ids, "mask": numpy.ones_like(ids)}
        expected = session(folder + "/codes.onnx").run(["out"], inputs)[0]
        self.assertEqual(expected[1, 0].tolist(), [0.5, 1.0, -1.5, -2.0])  # row 0, codes 0 and 1
        actual = plm.Model(folder + "/codes.so", threads=1)(**inputs)["out"]
        numpy.testing.assert_allclose(actual, expected, rtol=1e-6)


CODES = """
!ids = tensor<?x?xi64, #plm.dims<"b", "s">>
!x = tensor<?x?x4xf32, #plm.dims<"b", "s", "4">>
plm.parameter @codes = dense<[[0, 1], [2, 0], [1, 1]]> : tensor<3x2xui8>
plm.parameter @books = dense<[[[1, 2], [3, 4], [5, 6]], [[-7, 8], [-6, -8], [9, 0]]]> : tensor<2x3x2xi8>
plm.parameter @scales = dense<[0.5, 0.25]> : tensor<2xf32>
plm.parameter @map = dense<[2, 0, 1, 1, 2, -2, 0]> : tensor<7xi32>
func.func @forward(%ids: !ids {plm.name = "ids"}, %mask: !ids {plm.name = "mask"}) -> (!x {plm.name = "out"}) {
  %c = plm.get_parameter @codes : tensor<3x2xui8>
  %b8 = plm.get_parameter @books : tensor<2x3x2xi8>
  %s = plm.get_parameter @scales : tensor<2xf32>
  %m = plm.get_parameter @map : tensor<7xi32>
  %b = plm.dequantize %b8 scale %s : (tensor<2x3x2xi8>, tensor<2xf32>) -> tensor<2x3x2xf32>
  %rows = plm.codebook_lookup %c, %b : (tensor<3x2xui8>, tensor<2x3x2xf32>) -> tensor<3x4xf32>
  %t = plm.gather %rows, %m axis 0 : (tensor<3x4xf32>, tensor<7xi32>) -> tensor<7x4xf32>
  %e = plm.embedding %ids, %t : (!ids, tensor<7x4xf32>) -> !x
  %f = plm.activation relu %e : (!x) -> !x
  %z = plm.constant dense<-1.0> : tensor<f32> : tensor<f32>
  %g = plm.binary mul %e, %z : (!x, tensor<f32>) -> !x
  %h = plm.activation relu %g : (!x) -> !x
  %r = plm.binary sub %f, %h : (!x, !x) -> !x
  return %r : !x
}
"""


if __name__ == "__main__":
    unittest.main()
