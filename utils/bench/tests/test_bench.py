# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Of the arithmetic, not of any time. Needs NumPy alone:

    python3 -m unittest discover utils/bench/tests
"""

import os
import sys
import tempfile
import unittest

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import cases  # noqa: E402
import common  # noqa: E402
import rounds  # noqa: E402


class FakeWorker:
    """Answers with set outputs and times, and writes down when it was asked."""

    def __init__(self, name, log, outputs=None, ms=1.0):
        self.name, self.log, self.outputs, self.ms = name, log, outputs, ms

    def prepare(self, case, outputs=None):
        np.savez(outputs, **self.outputs)

    def time(self, runs, untimed=1):
        self.log.append(self.name)
        return [self.ms] * runs


class Statistics(unittest.TestCase):
    def test_ratio_is_taken_within_rounds(self):
        # The machine is three times slower in the last two rounds, and the
        # peer got most of its runs there.
        taken = [{"plmc": [1, 1, 1], "x": [2]}, {"plmc": [3], "x": [6, 6, 6]},
                 {"plmc": [3], "x": [6, 6, 6]}]
        result = rounds.summarize(taken, "plmc")
        self.assertEqual(result["x"]["ratio"], 2)
        self.assertEqual(result["x"]["ratio_of_medians"], 6)
        self.assertEqual(result["x"]["median_ms"], 6)
        self.assertEqual(result["plmc"]["min_ms"], 1)
        self.assertEqual(result["plmc"]["ratio"], 1)

    def test_turns_alternate(self):
        log = []
        taken = rounds.take_turns([FakeWorker("a", log), FakeWorker("b", log)], 1e-6, 1)
        self.assertEqual(len(taken), rounds.LEAST_ROUNDS)
        self.assertEqual(log[2:8], ["a", "b", "b", "a", "a", "b"])


class Cases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.names = ["input_ids", "attention_mask"]

    def agreement(self, theirs, limit):
        mask = np.array([[1, 1, 0]])
        case = cases.Case("c", self.folder, [{"input_ids": mask}], [mask])
        ours = np.array([[[1.0], [2.0], [0.0]]])
        workers = [FakeWorker("plmc", [], {"0/y": ours}), FakeWorker("x", [], {"0/y": theirs})]
        return rounds.check_agreement(workers, case, self.folder, {"x": limit})["x"]

    def test_padding_is_not_compared(self):
        self.assertEqual(self.agreement(np.array([[[1.0], [2.0], [9.0]]]), 1e-4), 0)

    def test_wrong_result_is_refused(self):
        with self.assertRaisesRegex(common.BenchError, "differ by 0.5"):
            self.agreement(np.array([[[2.0], [2.0], [0.0]]]), 1e-4)
        with self.assertRaisesRegex(common.BenchError, "not finite"):
            self.agreement(np.array([[[np.nan], [2.0], [0.0]]]), None)

    def test_ragged_counts(self):
        case = cases.ragged(self.folder, self.names, [[5] * n for n in (1, 2, 3, 6)], 2, 0, True)
        self.assertEqual((case.count, case.tokens, case.padded), (2, 12, 4))
        self.assertEqual(case.flops({"macsPerToken": 10, "attentionMacsPerTokenAndKey": 1}),
                         2 * (120 + 1 + 4 + 9 + 36))
        with np.load(case.path) as arrays:
            self.assertEqual(arrays["0/attention_mask"].tolist(), [[1, 0], [1, 1]])

    def test_bad_shapes(self):
        for text in ("8", "0x8", "1x8,", "axb"):
            with self.assertRaises(common.BenchError):
                cases.parse_shapes(text)

    def test_unknown_input_is_named(self):
        with self.assertRaisesRegex(common.BenchError, "pixel_values"):
            cases.rectangle(self.folder, ["pixel_values"], 10, 1, 1)

    def test_sentences(self):
        lengths = [len(s.split()) for s in cases.read_sentences(cases.SENTENCES)]
        self.assertEqual(len(lengths) % 32, 0)
        self.assertTrue(4 <= min(lengths) and max(lengths) <= 60)


if __name__ == "__main__":
    unittest.main()
