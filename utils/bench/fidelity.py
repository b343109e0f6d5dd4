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
    pairs = read_pairs(a.pairs)
    sentences = [s for pair in pairs for s in pair[1:]]
    tokenizer = Tokenizer.from_file(need_file(a.tokenizer, "--tokenizer"))
    prepared = list(batches(tokenizer, sentences))
    reduced = prepared
    if a.library_tokenizer:
        reduced = list(batches(Tokenizer.from_file(
            need_file(a.library_tokenizer, "--library-tokenizer")), sentences))
    session = onnxruntime.InferenceSession(need_file(a.model, "MODEL"),
                                           providers=["CPUExecutionProvider"])
    first = session.get_outputs()[0].name
    reference = embed(lambda feed: session.run([first], feed)[0],
                      [i.name for i in session.get_inputs()], prepared, len(sentences))

    def spearman(vectors):
        cosines = (vectors[0::2] * vectors[1::2]).sum(1)
        return float(spearmanr(cosines, [pair[0] for pair in pairs]).statistic)

    results = [{"name": "f32, ONNX Runtime", "bytes": os.path.getsize(a.model),
                "cosine_mean": 1.0, "cosine_min": 1.0, "spearman": spearman(reference)}]
    for path in a.library:
        library = Plmc()
        library.load(need_file(path, "LIBRARY"), 0, None, {})
        if first not in library.outputs:
            raise BenchError("%s has no output %s" % (path, first))
        place = library.outputs.index(first)
        vectors = embed(lambda feed: library.run(feed)[place], library.inputs, reduced,
                        len(sentences))
        cosines = (vectors * reference).sum(1)
        results.append({"name": os.path.basename(path), "bytes": os.path.getsize(path),
                        "cosine_mean": float(cosines.mean()),
                        "cosine_min": float(cosines.min()), "spearman": spearman(vectors)})
    rows = [["", "MB", "cosine, mean", "least", "Spearman"]]
    rows += [[r["name"], "%.1f" % (r["bytes"] / 1e6), "%.5f" % r["cosine_mean"],
              "%.4f" % r["cosine_min"], "%.4f" % r["spearman"]] for r in results]
    print(common.table(rows))
    if a.json:
        common.write_json(a.json, results)


if __name__ == "__main__":
    common.run_main(main)
