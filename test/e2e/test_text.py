# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Libraries with a tokenizer: from Python, and by plmc run --text."""

import os
import sys
import unittest

import numpy as np
from support import REPO, fixture, plmc, scratch_folder

sys.path.insert(0, os.path.join(REPO, "tools", "python"))
import plm  # noqa: E402

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "##s", "!"]
MODEL = "bert-ts17-pooler"


class TextTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch_folder()
        cls.vocabulary = os.path.join(cls.folder, "vocab.txt")
        with open(cls.vocabulary, "w") as file:
            file.write("\n".join(PIECES) + "\n")
        cls.library = os.path.join(cls.folder, "text.so")
        done = plmc("compress", fixture(MODEL), "-o", cls.library,
                    "--tokenizer", cls.vocabulary)
        assert done.returncode == 0, done.stderr
        cls.model = plm.Model(cls.library, threads=2)

    def run_ids(self, rows, types=None):
        length = max(map(len, rows))
        pad = [[0] * (length - len(row)) for row in rows]
        values = {
            "input_ids": [row + p for row, p in zip(rows, pad)],
            "attention_mask": [[1] * len(row) + p for row, p in zip(rows, pad)],
            "token_type_ids": [t + p for t, p in zip(types or [[0] * len(r) for r in rows], pad)],
        }
        return self.model(**{t.name: values[t.name] for t in self.model.inputs})

    def assert_same(self, left, right):
        self.assertEqual(list(left), list(right))
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])

    def test_texts(self):
        self.assert_same(
            self.model.encode(["Hello worlds!", b"", "w\u00f6rld \u2603"]),
            self.run_ids([[2, 5, 6, 7, 8, 3], [2, 3], [2, 6, 1, 3]]),
        )
        self.assert_same(self.model.encode("hello"), self.run_ids([[2, 5, 3]]))

    def test_many_texts(self):
        texts = ["hello " * (i % 5) for i in range(50)]
        self.assert_same(
            self.model.encode(texts), self.run_ids([[2] + [5] * (i % 5) + [3] for i in range(50)])
        )

    def test_pairs_and_lengths(self):
        self.assert_same(
            self.model.encode(["hello"], pairs=["world!"]),
            self.run_ids([[2, 5, 3, 6, 8, 3]], [[0, 0, 0, 1, 1, 1]]),
        )
        self.assert_same(
            self.model.encode("hello hello hello", max_length=4), self.run_ids([[2, 5, 5, 3]])
        )
        longest = self.model.encode("hello " * 5000)  # the position table ends it
        self.assertLess(next(iter(longest.values())).shape[1], 5000)

    def test_refusals(self):
        with self.assertRaisesRegex(plm.Error, "limited to 1 ids"):
            self.model.encode("hello", max_length=1)
        with self.assertRaisesRegex(plm.Error, "there are no texts"):
            self.model.encode([])
        with self.assertRaisesRegex(TypeError, "texts must be strings"):
            self.model.encode([1])
        with self.assertRaisesRegex(TypeError, "2 texts and 1 pairs"):
            self.model.encode(["a", "b"], pairs=["c"])
        plain = os.path.join(self.folder, "plain.so")
        self.assertEqual(plmc("compress", fixture(MODEL), "-o", plain).returncode, 0)
        with self.assertRaisesRegex(plm.Error, "the library has no tokenizer"):
            plm.Model(plain).encode("hello")

    def test_description(self):
        record = self.model.description["build"]["tokenizer"]
        self.assertEqual((record["kind"], record["ids"]), ("WordPiece", len(PIECES)))
        self.assertEqual(len(record["vocabulary"]), 16)

    def test_command_line(self):
        out = os.path.join(self.folder, "out.npz")
        done = plmc("run", self.library, "--text", "hello", "--text", "world!", "--outputs", out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        with np.load(out) as arrays:
            expected = self.model.encode(["hello", "world!"])
            for name in expected:
                np.testing.assert_array_equal(arrays[name], expected[name])

    def test_too_many_ids(self):
        path = os.path.join(self.folder, "large.txt")
        with open(path, "w") as file:
            file.write("\n".join(PIECES + ["p%d" % i for i in range(200)]) + "\n")
        library = os.path.join(self.folder, "large.so")
        done = plmc("compress", fixture(MODEL), "-o", library, "--tokenizer", path)
        self.assertEqual(done.returncode, 4)
        self.assertRegex(done.stderr, "tokenizer has ids up to 208, the model's embedding "
                                      "table has 100 rows")
        self.assertFalse(os.path.exists(library))
        done = plmc("compress", fixture(MODEL), "-o", library[:-2] + "onnx", "--tokenizer", path)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main()
