# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""quickstart.py student.so model.onnx OUTPUT

Embeds a few sentences with the compiled library and with ONNX Runtime, and
prints how alike the sentences are, how far the two differ and how long each
takes.
"""

import json
import os
import statistics
import sys
import time

import numpy as np
import onnxruntime

import plm


def load_sentences():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sentences.json")
    with open(path, encoding="utf-8") as file:
        sentences = json.load(file)["sentences"]
    return [s["text"] for s in sentences], [s["ids"] for s in sentences]


def pad(rows):
    ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
    mask = np.zeros_like(ids)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def onnx_runtime(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])


def print_similarities(texts, embeddings):
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosine = unit @ unit.T
    width = max(map(len, texts))
    print("cosine similarity".ljust(width + 4) + "".join("%6d" % (i + 1) for i in range(len(texts))))
    for i, text in enumerate(texts):
        row = "".join("%6.2f" % value for value in cosine[i])
        print("%d  %s %s" % (i + 1, text.ljust(width), row))


def median_times(calls, seconds=0.5):
    """Milliseconds a call, the calls taking turns so that both see the same machine."""
    samples = [[] for _ in calls]
    for call in calls:
        call()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(samples[0]) < 5:
        for call, times in zip(calls, samples):
            start = time.perf_counter()
            call()
            times.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(times) for times in samples]


def main():
    library, model, output = sys.argv[1:]
    texts, rows = load_sentences()
    inputs = pad(rows)

    student = plm.Model(library, threads=1)
    session = onnx_runtime(model)
    embeddings = student(**inputs)[output]
    expected = session.run([output], inputs)[0]
    print_similarities(texts, embeddings)

    error = np.abs(embeddings - expected).max() / np.abs(expected).max()
    print()
    print("largest difference from ONNX Runtime %s: %.1e of the output's scale"
          % (onnxruntime.__version__, error))
    cases = [("one sentence of %d tokens" % len(rows[0]), pad(rows[:1])),
             ("%d sentences, padded to %d" % (len(rows), inputs["input_ids"].shape[1]), inputs)]
    print("milliseconds, one thread      student.so   ONNX Runtime")
    for name, case in cases:
        ours, theirs = median_times([
            lambda: student(**case),
            lambda: session.run([output], case),
        ])
        print("  %-26s %10.2f %14.2f" % (name, ours, theirs))
    if not error <= 2e-5:
        sys.exit("quickstart: the library differs from ONNX Runtime")


if __name__ == "__main__":
    main()
