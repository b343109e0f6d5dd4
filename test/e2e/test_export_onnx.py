# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models written back as ONNX: valid, and the same numbers in ONNX Runtime."""

import unittest

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


if __name__ == "__main__":
    unittest.main()
