#!/usr/bin/env python3
# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a compressed sentence encoder has lost, on pairs of real sentences.

    fidelity.py MODEL.onnx LIBRARY.so... --tokenizer tokenizer.json --pairs sts-dev.tsv

Every sentence becomes the mean of its token vectors (the model's first output),
of length 1. For each library: the cosine between its vector and the one of
ONNX Runtime with the uncompressed model, mean and least over all sentences; and
Spearman's correlation of the pairs' cosines with what people said (0 to 5).

The pairs are the STS Benchmark's own files (sts-dev.tsv): tab separated, without
quoting or a header, the score in column 5, the sentences in columns 6 and 7.
"""

import argparse
import os

import numpy as np
import onnxruntime
from scipy.stats import spearmanr
from tokenizers import Tokenizer

import common
from common import BenchError, need_file
from peers import Plmc


def read_pairs(path):
    pairs = []
    with open(need_file(path, "--pairs"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            cells = line.rstrip("\n").split("\t")
            try:
                pairs.append((float(cells[4]), cells[5], cells[6]))
            except (IndexError, ValueError):
                raise BenchError("%s, line %d: no score and two sentences in columns "
                                 "5 to 7" % (path, number)) from None
    return pairs


def batches(tokenizer, sentences, size=32, longest=256):
    """(places, ids, mask) of sentences of similar length, padded."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    rows = [encoding.ids for encoding in tokenizer.encode_batch(sentences)]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    for start in range(0, len(order), size):
        places = order[start:start + size]
        width = max(len(rows[i]) for i in places)
        ids = np.zeros((len(places), width), np.int64)
        mask = np.zeros_like(ids)
        for row, i in enumerate(places):
            ids[row, :len(rows[i])] = rows[i]
            mask[row, :len(rows[i])] = 1
        yield places, ids, mask


def embed(run, inputs, prepared, count):
    result = None
    for places, ids, mask in prepared:
        given = {"input_ids": ids, "attention_mask": mask,
                 "token_type_ids": np.zeros_like(ids)}
        states = run({name: given[name] for name in inputs})
        kept = mask[..., None].astype(np.float64)
        vectors = (states * kept).sum(1) / kept.sum(1)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        if result is None:
            result = np.empty((count, vectors.shape[1]))
        result[places] = vectors
    return result


class Fidelity:
    """Scores libraries against the uncompressed model."""

    def __init__(self, model, tokenizer, pairs, library_tokenizer=None):
        """`library_tokenizer`: the libraries', where the vocabulary was reduced."""
        self.pairs = read_pairs(pairs)
        sentences = [s for pair in self.pairs for s in pair[1:]]
        tokenizer = Tokenizer.from_file(need_file(tokenizer, "--tokenizer"))
        prepared = list(batches(tokenizer, sentences))
        self.prepared = prepared
        if library_tokenizer:
            own = Tokenizer.from_file(need_file(library_tokenizer, "--library-tokenizer"))
            self.prepared = list(batches(own, sentences))
        session = onnxruntime.InferenceSession(need_file(model, "MODEL"),
                                               providers=["CPUExecutionProvider"])
        self.first = session.get_outputs()[0].name
        self.reference = embed(lambda feed: session.run([self.first], feed)[0],
                               [i.name for i in session.get_inputs()], prepared,
                               len(sentences))
        self.original = self._row("f32, ONNX Runtime", model, self.reference)

    def _row(self, name, path, vectors):
        similarities = (vectors[0::2] * vectors[1::2]).sum(1)
        spearman = spearmanr(similarities, [pair[0] for pair in self.pairs]).statistic
        cosines = np.minimum((vectors * self.reference).sum(1), 1.0)
        return {"name": name, "bytes": os.path.getsize(path),
                "cosine_mean": float(cosines.mean()), "cosine_min": float(cosines.min()),
                "spearman": float(spearman)}

    def score(self, path):
        library = Plmc()
        library.load(need_file(path, "LIBRARY"), 0, None, {})
        if self.first not in library.outputs:
            raise BenchError("%s has no output %s" % (path, self.first))
        place = library.outputs.index(self.first)
        vectors = embed(lambda feed: library.run(feed)[place], library.inputs,
                        self.prepared, len(self.reference))
        return self._row(os.path.basename(path), path, vectors)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", help="the uncompressed model, ONNX")
    p.add_argument("library", nargs="+", help="made by plmc compress")
    p.add_argument("--tokenizer", required=True, help="the model's tokenizer.json")
    p.add_argument("--pairs", required=True, help="e.g. sts-dev.tsv")
    p.add_argument("--library-tokenizer", metavar="FILE",
                   help="the libraries' tokenizer.json, where the vocabulary was reduced")
    p.add_argument("--json", metavar="FILE", help="write the result")
    a = p.parse_args()
    fidelity = Fidelity(a.model, a.tokenizer, a.pairs, a.library_tokenizer)
    results = [fidelity.original] + [fidelity.score(path) for path in a.library]
    rows = [["", "MB", "cosine, mean", "least", "Spearman"]]
    rows += [[r["name"], "%.1f" % (r["bytes"] / 1e6), "%.5f" % r["cosine_mean"],
              "%.4f" % r["cosine_min"], "%.4f" % r["spearman"]] for r in results]
    print(common.table(rows))
    if a.json:
        common.write_json(a.json, results)


if __name__ == "__main__":
    common.run_main(main)
