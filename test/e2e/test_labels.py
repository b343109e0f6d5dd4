# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plmc compress --eval: scores of answers, against the same in NumPy."""

import json
import os
import sys
import unittest

import numpy as np
from support import REPO, fixture, plmc, scratch_folder

sys.path.insert(0, os.path.join(REPO, "tools", "python"))
import plm  # noqa: E402

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c", "d", "e", "f", "g"]
TEXTS = ["a b c", "d e", "f", "g g g a", "b d f", "c c", "e", "a g", "b", "f e d c b a"]


def ranks(values):
    values = np.asarray(values)
    return np.array([(values < v).sum() + ((values == v).sum() - 1) / 2 for v in values])


class LabelsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch_folder()
        cls.vocabulary = cls.write("vocab.txt", PIECES)

    @classmethod
    def write(cls, name, lines):
        path = os.path.join(cls.folder, name)
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        return path

    def compress(self, name, model, data, *options):
        path = os.path.join(self.folder, name + ".so")
        return path, plmc("compress", fixture(model), "-o", path, "--tokenizer", self.vocabulary,
                          "--eval", data, *options)

    def scores(self, name, model, data, *options):
        report = os.path.join(self.folder, name + ".json")
        path, done = self.compress(name, model, data, "--report", report, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(report) as file:
            return plm.Model(path, threads=1), json.load(file)["labels"]

    def test_classes(self):
        labels = [i * 7 % 3 % 2 for i in range(len(TEXTS))]
        data = self.write("cls.tsv", ["label\tsentence"] +
                          ["%d\t%s" % pair for pair in zip(labels, TEXTS)])
        model, report = self.scores("cls", "bert-dy23-cls", data, "--precision=int8")
        found = model.encode(TEXTS)["logits"].argmax(1)
        self.assertEqual(report["texts"], len(TEXTS))
        self.assertAlmostEqual(report["after"]["accuracy"], np.mean(found == labels))
        self.assertEqual(sorted(report["before"]), ["accuracy", "f1", "matthews"])

    def test_pairs_of_a_classifier(self):
        data = self.write("nli.tsv", ["%s\t%s\t%d" % (t, t[::-1], i % 2)
                                      for i, t in enumerate(TEXTS)])
        model, report = self.scores("nli", "bert-dy23-cls", data)
        found = model.encode(TEXTS, pairs=[t[::-1] for t in TEXTS])["logits"].argmax(1)
        expected = np.mean(found == np.arange(len(TEXTS)) % 2)
        self.assertAlmostEqual(report["after"]["accuracy"], expected)
        self.assertEqual(report["before"], report["after"])

    def test_similarity(self):
        others, labels = TEXTS[3:] + TEXTS[:3], [i * i % 7 / 2 for i in range(len(TEXTS))]
        data = self.write("sts.tsv", ["sentence1\tsentence2\tscore"] +
                          ["%s\t%s\t%g" % row for row in zip(TEXTS, others, labels)])
        model, report = self.scores("sts", "bert-ts17-pooler", data)

        def mean(text):  # one by one: no padding
            vector = model.encode(text)["last_hidden_state"][0].mean(0)
            return vector / np.linalg.norm(vector)

        cosines = [float(mean(a) @ mean(b)) for a, b in zip(TEXTS, others)]
        self.assertEqual((report["pairs"], report["output"]), (len(TEXTS), "last_hidden_state"))
        self.assertAlmostEqual(report["after"]["pearson"], np.corrcoef(labels, cosines)[0, 1], 5)
        self.assertAlmostEqual(report["after"]["spearman"],
                               np.corrcoef(ranks(labels), ranks(cosines))[0, 1], 5)

    def test_of_another_vocabulary(self):
        """Texts of pieces that stay are scored with the new ids, to the same bits."""
        corpus = self.write("corpus.txt", TEXTS)
        recipe = self.write("trim.yaml", [
            "version: 1", "steps:",
            "  - reduce-vocabulary: { method: trim, size: 13, corpus: [%s] }" % corpus])
        texts = self.write("more.txt", PIECES[:5] + ["ab"] + PIECES[5:] + ["##b"])
        data = self.write("trim.tsv", ["a b\tc d\t1", "b c\td a\t2", "d\ta a\t4", "c\tb\t3"])
        path = os.path.join(self.folder, "trim.so")
        report = os.path.join(self.folder, "trim.json")
        done = plmc("compress", fixture("bert-ts17-pooler"), "-o", path, "--tokenizer", texts,
                    "--recipe", recipe, "--eval", data, "--report", report)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(report) as file:
            labels = json.load(file)["labels"]
        self.assertEqual(labels["before"], labels["after"])

    def test_conditions(self):
        data = self.write("fail.tsv", ["%s\t%d" % (t, i % 2) for i, t in enumerate(TEXTS)])
        path, done = self.compress("fail", "bert-dy23-cls", data, "--fail-if", "accuracy<=1")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("--fail-if: accuracy is 0.", done.stderr)
        self.assertTrue(os.path.exists(path))

    def refused(self, data, expected, *options, model="bert-dy23-cls"):
        path, done = self.compress("refused", model, data, *options)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(expected, done.stderr)
        self.assertFalse(os.path.exists(path))

    def test_refusals(self):
        good = self.write("good.tsv", ["a\t1", "b\t0"])
        self.refused(self.write("word.tsv", ["a\tpos"]), "word.tsv:1: which cells")
        self.refused(self.write("class.tsv", ["a\t1", "b\t9"]), "class.tsv:2: the label is 9")
        self.refused(os.path.join(self.folder, "none.tsv"), "none.tsv")
        self.refused(good, "labels of single texts need", model="bert-ts17-pooler")
        self.refused(good, "give accuracy, f1, matthews", "--fail-if=spearman<1")
        big = self.write("big.txt", PIECES + ["w%d" % i for i in range(9000)])
        done = plmc("compress", fixture("bert-dy23-cls"), "-o", os.path.join(self.folder, "m.mlir"),
                    "--tokenizer", big, "--eval", good)
        self.assertIn("rows: it is another model's", done.stderr)
        done = plmc("compress", fixture("bert-dy23-cls"), "-o", os.path.join(self.folder, "n.so"),
                    "--eval", good)
        self.assertIn("--eval reads texts: give", done.stderr)


if __name__ == "__main__":
    unittest.main()
