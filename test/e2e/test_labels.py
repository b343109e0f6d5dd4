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

    def hidden(self, text):
        """The ids of a text, and which tokens are hidden: the 4th, 11th, ..."""
        ids = [PIECES.index(piece) if piece in PIECES else 1 for piece in text.split()]
        known = [i for i, id in enumerate(ids) if id != 1]
        return np.array([2] + ids + [3]), np.array(known[3::7], dtype=int) + 1

    def perplexity(self, path, texts):
        model = plm.Model(path, threads=1)
        logs = []
        for text in texts:
            ids, places = self.hidden(text)
            seen = ids.copy()
            seen[places] = 4
            logits = model(input_ids=seen[None], attention_mask=np.ones_like(ids)[None],
                           token_type_ids=np.zeros_like(ids)[None])
            logits = next(iter(logits.values()))[0, places].astype(np.float64)
            logits -= logits.max(1, keepdims=True)
            logs.extend((logits - np.log(np.exp(logits).sum(1, keepdims=True)))
                        [np.arange(len(places)), ids[places]])
        return np.exp(-np.mean(logs)), len(logs)

    def test_perplexity(self):
        texts = ["a b c d e f g a b c d e", "f e d zz c", "a b", "b d f a", "g g g c"]
        data = self.write("plain.txt", texts)
        _, report = self.scores("mlm", "bert-ts14-mlm", data)
        expected, count = self.perplexity(os.path.join(self.folder, "mlm.so"), texts)
        self.assertEqual(count, 5)  # two of the first, none of the third
        self.assertEqual((report["texts"], list(report["after"])), (5, ["perplexity"]))
        self.assertAlmostEqual(report["after"]["perplexity"] / expected, 1, 5)
        self.assertEqual(report["before"], report["after"])
        # The text column of a table, with labels or without, is the same.
        for name, rows in (("named.tsv", ["id\ttext"] + ["x\t" + t for t in texts]),
                           ("labelled.tsv", ["label\ttext"] + ["1\t" + t for t in texts])):
            again = self.scores(name, "bert-ts14-mlm", self.write(name, rows))[1]
            self.assertEqual(again["after"], report["after"])
        _, done = self.compress("mlm", "bert-ts14-mlm", data, "--fail-if", "perplexity>1.5")
        self.assertEqual(done.returncode, 6, done.stderr)
        self.assertIn("--fail-if: perplexity is ", done.stderr)
        _, done = self.compress("mlm", "bert-ts14-mlm", data, "--fail-if", "perplexity<1.5")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_perplexity_of_another_vocabulary(self):
        """Trimmed, ids and columns are others; texts of pieces that stay are as hard to tell."""
        corpus = self.write("corpus.txt", TEXTS)
        recipe = self.write("trim-mlm.yaml", [
            "version: 1", "steps:",
            "  - reduce-vocabulary: { method: trim, size: 13, corpus: [%s] }" % corpus])
        vocabulary = self.write("more-mlm.txt", PIECES[:5] + ["ab"] + PIECES[5:] + ["##b"])
        data = self.write("trim-mlm.txt", ["a b c d e f g", "g f e d"])
        report = os.path.join(self.folder, "trim-mlm.json")
        done = plmc("compress", fixture("bert-ts14-mlm"), "-o",
                    os.path.join(self.folder, "trim-mlm.so"), "--tokenizer", vocabulary,
                    "--recipe", recipe, "--eval", data, "--report", report)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(report) as file:
            labels = json.load(file)["labels"]
        # There are fewer to choose among.
        self.assertLess(labels["after"]["perplexity"], labels["before"]["perplexity"])
        self.assertGreater(labels["after"]["perplexity"], 1)

    def test_perplexity_with_aliases(self):
        """The decoder has a column for each of the old ids: all of them are labels."""
        corpus = self.write("corpus.txt", ["a b c"])
        recipe = self.write("alias-mlm.yaml", [
            "version: 1", "steps:",
            "  - reduce-vocabulary: { method: alias, size: 9, corpus: [%s] }" % corpus])
        data = self.write("alias-mlm.txt", ["a b c d e f g", "g f e d"])
        path, report = self.scores("alias", "roberta-ts17-mlm-untied", data, "--recipe", recipe)
        self.assertEqual(list(report["after"]), ["perplexity"])
        self.assertNotEqual(report["after"], report["before"])

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
        plain = self.write("short.txt", ["a b", "c"])
        self.refused(plain, "there are no labels in it")
        self.refused(plain, "has no logits of tokens", model="bert-ts17-pooler")
        self.refused(plain, "no text has the 4 tokens", model="bert-ts14-mlm")
        self.refused(good, "give perplexity", "--fail-if=accuracy<1", model="bert-ts14-mlm")
        self.refused(good, "give accuracy, f1, matthews", "--fail-if=perplexity>9")
        unmasked = self.write("unmasked.txt", PIECES[:4] + ["m"] + PIECES[5:])
        done = plmc("compress", fixture("bert-ts14-mlm"), "-o", os.path.join(self.folder, "u.so"),
                    "--tokenizer", unmasked, "--eval", self.write("u.txt", ["a b c d"]))
        self.assertIn("no token that hides others", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
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
