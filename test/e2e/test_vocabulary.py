# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""reduce-vocabulary: texts of kept pieces give the same bits, with the new ids."""

import json
import os
import sys
import unittest

import numpy as np
from support import PLMC_OPT, REPO, fixture, plmc, scratch_folder

sys.path.insert(0, os.path.join(REPO, "tools", "python"))
import plm  # noqa: E402

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "ab", "world", "##s", "!",
          "a", "##b"]
TOKENIZERS = os.path.join(REPO, "test", "fixtures", "tokenizers")
MODULE = """plm.parameter @words = dense<1.0> : tensor<ROWSx2xf32>
func.func @forward(%ids: tensor<?x?xi64, #plm.dims<"b", "s">> {plm.name = "input_ids"})
    -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">> {
  %w = plm.get_parameter @words : tensor<ROWSx2xf32>
  %e = plm.embedding %ids, %w : (tensor<?x?xi64, #plm.dims<"b", "s">>, tensor<ROWSx2xf32>)
      -> tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
  return %e : tensor<?x?x2xf32, #plm.dims<"b", "s", "2">>
}
"""
RECIPE = """version: 1
steps:
  - reduce-vocabulary: { method: %s, size: %d, corpus: [%s] }
"""


class VocabularyTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = scratch_folder()
        cls.vocabulary = cls.write("vocab.txt", "\n".join(PIECES) + "\n")
        cls.corpus = cls.write("corpus.txt", "hello worlds !\nhello world\n")

    @classmethod
    def write(cls, name, text):
        path = os.path.join(cls.folder, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    def compress(self, name, model, *options, tokenizer=None):
        path = os.path.join(self.folder, name)
        return path, plmc("compress", model, "-o", path, "--tokenizer",
                          tokenizer or self.vocabulary, *options)

    # One name a library: the dynamic loader knows them by their names.
    def reduced(self, name, method, size, model="bert-ts17-pooler"):
        name += "-" + model
        recipe = self.write(name + ".yaml", RECIPE % (method, size, self.corpus))
        path, done = self.compress(name + ".so", fixture(model), "--recipe", recipe)
        self.assertEqual(done.returncode, 0, done.stderr)
        return plm.Model(path, threads=1)

    def whole(self, model="bert-ts17-pooler"):
        path, done = self.compress("whole-%s.so" % model, fixture(model))
        self.assertEqual(done.returncode, 0, done.stderr)
        return plm.Model(path, threads=1)

    def test_trim_and_alias_give_the_same_bits(self):
        texts = ["hello worlds!", "world", "", "hello hello"]
        expected = self.whole().encode(texts)
        for method in ("trim", "alias"):
            found = self.reduced(method, method, 11).encode(texts)
            self.assertEqual(list(found), list(expected))
            for name in expected:
                np.testing.assert_array_equal(found[name], expected[name])

    def test_outputs_over_the_vocabulary(self):
        for model in ("bert-ts14-mlm", "roberta-ts17-mlm-untied", "bert-dy18-pretrain"):
            whole = next(iter(self.whole(model).encode(["hello world"]).values()))
            trimmed = next(iter(self.reduced("mlm", "trim", 11, model)
                                .encode(["hello world"]).values()))
            kept = [i for i, piece in enumerate(PIECES) if piece != "ab"]
            np.testing.assert_array_equal(trimmed, whole[..., kept])

    def test_files_and_stale_tokenizers(self):
        self.reduced("files", "trim", 11)
        folder = os.path.join(self.folder, "files-bert-ts17-pooler.tokenizer")
        self.assertEqual(sorted(os.listdir(folder)), ["ids.tsv", "tokenizer.json", "vocab.txt"])
        recipe = self.write("stale.yaml", RECIPE % ("trim", 11, self.corpus))
        model = os.path.join(self.folder, "reduced.mlir")
        with open(recipe) as file:
            text = file.read().replace("method", "tokenizer: %s, method" % self.vocabulary)
        recipe = self.write("stale.yaml", text)
        done = plmc("compress", fixture("bert-ts17-pooler"), "-o", model, "--recipe", recipe,
                    "--elide-weights=false")
        self.assertEqual(done.returncode, 0, done.stderr)
        _, done = self.compress("stale.so", model)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("--tokenizer: its vocabulary (12 pieces", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)
        fresh, done = self.compress("fresh.so", model, tokenizer=os.path.join(
            self.folder, "reduced.tokenizer"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_library(fresh)

    def check_library(self, library):
        """Ids that are made elsewhere can be told from stale ones."""
        folder = os.path.join(self.folder, "reduced.tokenizer")
        done = plmc("tokenize", "--tokenizer", folder, "--for", library, "--text", "hello")
        self.assertEqual(done.stdout, "2 5 3\n", done.stderr)
        done = plmc("tokenize", "--tokenizer", self.vocabulary, "--for", library,
                    "--text", "hello")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertRegex(done.stderr, r"^plmc: error: --tokenizer: its vocabulary \(.*\n$")
        model = plm.Model(library, threads=1)
        with open(os.path.join(folder, "vocab.txt")) as file:
            pieces = file.read().split("\n")[:-1]
        model.check_tokenizer({piece: i for i, piece in enumerate(pieces)})
        with self.assertRaisesRegex(plm.Error, "is .*, the model's .*: take the tokenizer"):
            model.check_tokenizer({piece: i for i, piece in enumerate(PIECES)})

    def test_new_pieces(self):
        corpus = self.write("new.txt", "abba baab abba\nabab abba\n" * 3)
        pieces = PIECES[:5] + ["a", "b", "##a", "##b", "ab", "abab"]
        vocabulary = self.write("letters.txt", "\n".join(pieces) + "\n")
        recipe = self.write("new.yaml", RECIPE % ("new", 11, corpus))
        path, done = self.compress("new.so", fixture("bert-ts17-pooler"), "--recipe", recipe,
                                   "--report", os.path.join(self.folder, "new.json"),
                                   tokenizer=vocabulary)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(self.folder, "new.tokenizer", "vocab.txt")) as file:
            found = file.read().split("\n")[:-1]
        # a ##b and ##b ##a come twelve times; once ab is a piece, ##b ##a and ab ##b nine.
        self.assertEqual(found, pieces[:9] + ["ab", "##ba"])
        with open(os.path.join(self.folder, "new.json")) as file:
            report = json.load(file)
        self.assertEqual(report["steps"][0]["counters"], {
            "rows copied": 10,
            "rows that are means: a start for distillation, not a trained model": 1})
        self.assertEqual(plm.Model(path, threads=1).encode(["abba"])["last_hidden_state"].shape[1],
                         4)

    def test_texts_calibrate_the_steps_after(self):
        corpus = self.write("calibration.txt", "hello worlds !\nworld hello\n" * 8)
        recipe = self.write("both.yaml", RECIPE % ("trim", 11, corpus) +
                            "  - quantize: { bits: 4, min-elements: 1 }\n")
        _, done = self.compress("both.so", fixture("bert-ts17-pooler"), "--recipe", recipe,
                                "--calibration", corpus)
        self.assertEqual(done.returncode, 0, done.stderr)
        arrays = os.path.join(self.folder, "ids.npz")
        np.savez(arrays, input_ids=np.full((8, 4), 5))
        path, done = self.compress("ids.so", fixture("bert-ts17-pooler"), "--recipe", recipe,
                                   "--calibration", arrays)
        self.assertIn("the calibration data has the ids of the vocabulary before", done.stderr)
        self.assertFalse(os.path.exists(path))

    def test_a_run_that_fails_leaves_the_tokenizer_alone(self):
        folder = os.path.join(self.folder, "alone.tokenizer")
        fails = self.write("fails.yaml", RECIPE % ("trim", 11, self.corpus) +
                           "  - factorize-linear: { rank: 9999, min-elements: 1 }\n")
        calibration = self.write("some.txt", "hello worlds !\nworld hello\n" * 8)
        options = ("--calibration", calibration)
        _, done = self.compress("alone.so", fixture("bert-ts17-pooler"), "--recipe", fails,
                                *options)
        self.assertIn("rank=9999 is over the width", done.stderr)
        self.assertFalse(os.path.exists(folder))
        recipe = self.write("alone.yaml", RECIPE % ("trim", 12, self.corpus))
        _, done = self.compress("alone.so", fixture("bert-ts17-pooler"), "--recipe", recipe)
        self.assertEqual(done.returncode, 0, done.stderr)

        def contents():
            found = {}
            for name in os.listdir(folder):
                with open(os.path.join(folder, name)) as file:
                    found[name] = file.read()
            return found
        before = contents()
        _, done = self.compress("alone.so", fixture("bert-ts17-pooler"), "--recipe", fails,
                                *options)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertEqual(contents(), before)

    def test_tokenizers(self):
        """Kept pieces are cut as before, nothing becomes unknown."""
        lines = ["Hello world, the cats sat.", "low lower newest widest", "a b  c"]
        corpus = self.write("lines.txt", "\n".join(lines) + "\n")
        random = np.random.default_rng(0)
        for name in ("bert-uncased", "bert-cased", "roberta", "unigram-bytes"):
            tokenizer = os.path.join(TOKENIZERS, name + ".json")
            with open(tokenizer) as file:
                content = json.load(file)
            vocabulary = content["model"]["vocab"]
            # Unigram has pairs with scores.
            pieces = [piece if isinstance(piece, str) else piece[0] for piece in vocabulary]
            added = [token["id"] + 1 for token in content.get("added_tokens", [])]
            module = self.write(name + ".mlir", MODULE.replace("ROWS", str(
                max([len(pieces)] + added))))
            small = os.path.join(self.folder, name)
            done = plmc(module, "-o", os.devnull, "--plm-reduce-vocabulary=method=trim min-count=1 "
                        "tokenizer=%s corpus=%s output-tokenizer=%s" % (tokenizer, corpus, small),
                        tool=PLMC_OPT)
            self.assertEqual(done.returncode, 0, name + done.stderr)
            characters = sorted(set("".join(p for p in pieces if p[0] not in "[<"))) + [" "] * 40
            noise = self.write("noise.txt", "\n".join(
                "".join(random.choice(characters, 60)) for _ in range(100)) + "\n")

            def cut(file, *options, of=tokenizer):
                done = plmc("tokenize", "--tokenizer", of, file, "--json", "--pieces", *options)
                self.assertEqual(done.returncode, 0, done.stderr)
                return [json.loads(line) for line in done.stdout.splitlines()]

            with open(os.path.join(small, "ids.tsv")) as file:
                ids = dict(map(int, line.split()) for line in file)
            self.assertLess(max(ids.values()) + 1, len(ids), name)
            for old, new in zip(cut(corpus), cut(corpus, of=small)):
                self.assertEqual(old["pieces"], new["pieces"])
                self.assertEqual([ids[i] for i in old["ids"]], new["ids"])
            for old, new in zip(cut(noise), cut(noise, of=small)):
                for unknown in ("[UNK]", "<unk>"):
                    self.assertLessEqual(new["pieces"].count(unknown),
                                         old["pieces"].count(unknown), name)


if __name__ == "__main__":
    unittest.main()
