#!/usr/bin/env python3
# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A classifier on a frozen sentence encoder, as one ONNX model.

    classifier.py ENCODER.onnx --tokenizer T --train sst2/train.tsv.gz -o sst2.onnx
    classifier.py --score sst2.onnx LIBRARY.so... --tokenizer T --test sst2/dev.tsv

Logistic regression on the mean of the token vectors (the encoder's first output),
the features scaled to unit variance; then mean, scale and weights become nodes
behind the encoder, and the model has one output, `logits` [batch, classes].

The TSV has a header; the columns are a sentence and a label from 0 up.
"""

import argparse
import csv
import gzip
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from scipy.optimize import minimize
from scipy.special import log_softmax
from tokenizers import Tokenizer

import common
from common import BenchError, need_file
from fidelity import batches
from peers import Plmc


def read_labelled(path, what, limit=None):
    """(sentences, labels), the first `limit` of them."""
    opener = gzip.open if need_file(path, what).endswith(".gz") else open
    sentences, labels = [], []
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows, None)
        for number, row in enumerate(rows, 2):
            if len(row) != 2 or not row[1].isdigit():
                raise BenchError("%s, line %d: not a sentence and a label" % (path, number))
            sentences.append(row[0])
            labels.append(int(row[1]))
            if limit and len(labels) == limit:
                break
    if not labels:
        raise BenchError("%s has no rows" % path)
    return sentences, np.array(labels)


def feeds(inputs, tokenizer, sentences):
    """(places, feed, mask) by batches of sentences of similar length."""
    for places, ids, mask in batches(tokenizer, sentences):
        given = {"input_ids": ids, "attention_mask": mask,
                 "token_type_ids": np.zeros_like(ids)}
        yield places, {name: given[name] for name in inputs}, mask


def features(model, tokenizer, sentences):
    """[sentences, H]: means of token vectors, by ONNX Runtime."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    inputs = [i.name for i in session.get_inputs()]
    first = session.get_outputs()[0].name
    result = None
    for places, feed, mask in feeds(inputs, tokenizer, sentences):
        states = session.run([first], feed)[0]
        kept = mask[..., None].astype(np.float32)
        means = (states * kept).sum(1) / kept.sum(1)
        if result is None:
            result = np.empty((len(sentences), means.shape[1]), np.float32)
        result[places] = means
    return result


def fit(x, labels, ridge=1e-4):
    """(weight [H, classes], bias [classes]) for unscaled features."""
    classes = int(labels.max()) + 1
    shift, scale = x.mean(0), x.std(0) + 1e-6
    z = (x - shift) / scale
    wanted = np.eye(classes)[labels]

    def loss(flat):
        weight = flat[:-classes].reshape(-1, classes)
        logits = log_softmax(z @ weight + flat[-classes:], axis=1)
        error = (np.exp(logits) - wanted) / len(z)
        gradient = np.concatenate([(z.T @ error + 2 * ridge * weight).ravel(),
                                   error.sum(0)])
        return -(wanted * logits).sum() / len(z) + ridge * (weight ** 2).sum(), gradient

    found = minimize(loss, np.zeros(z.shape[1] * classes + classes), jac=True,
                     method="L-BFGS-B", options={"maxiter": 500}).x
    weight = found[:-classes].reshape(-1, classes) / scale[:, None]
    return weight.astype(np.float32), \
        (found[-classes:] - shift @ weight).astype(np.float32)


def attach(model, weight, bias):
    """The encoder with mean and classifier behind it, and `logits` alone."""
    graph = model.graph
    states = graph.output[0].name
    mask = next((i.name for i in graph.input if "mask" in i.name), None)
    if mask is None:
        raise BenchError("the encoder has no input for a mask")
    opset = next(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))
    if opset < 13:
        raise BenchError("the encoder's opset is %d, below 13" % opset)

    def node(op, inputs, output, **attributes):
        graph.node.append(helper.make_node(op, inputs, [output], "/head/" + output,
                                           **attributes))

    def constant(name, value):
        graph.initializer.append(numpy_helper.from_array(value, name))
        return name

    one = constant("head.axis", np.array([1], np.int64))
    last = constant("head.last", np.array([-1], np.int64))
    node("Cast", [mask], "head.mask", to=TensorProto.FLOAT)
    node("Unsqueeze", ["head.mask", last], "head.weights")
    node("Mul", [states, "head.weights"], "head.kept")
    node("ReduceSum", ["head.kept", one], "head.sum", keepdims=0)
    node("ReduceSum", ["head.weights", one], "head.count", keepdims=0)
    node("Div", ["head.sum", "head.count"], "head.mean")
    node("Gemm", ["head.mean", constant("head.weight", weight),
                  constant("head.bias", bias)], "logits")
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(
        "logits", TensorProto.FLOAT, ["batch", len(bias)]))
    return model


def accuracy(run, inputs, tokenizer, sentences, labels):
    right = 0
    for places, feed, _ in feeds(inputs, tokenizer, sentences):
        right += int((run(feed).argmax(1) == labels[places]).sum())
    return right / len(labels)


def accuracy_of(path, tokenizer, sentences, labels):
    """Of an ONNX model or a library with an output `logits`."""
    if path.endswith(".onnx"):
        session = onnxruntime.InferenceSession(need_file(path, "MODEL"),
                                               providers=["CPUExecutionProvider"])
        return accuracy(lambda feed: session.run(["logits"], feed)[0],
                        [i.name for i in session.get_inputs()], tokenizer, sentences,
                        labels)
    library = Plmc()
    library.load(need_file(path, "LIBRARY"), 0, ["logits"], {})
    place = library.outputs.index("logits")
    return accuracy(lambda feed: library.run(feed)[place], library.inputs, tokenizer,
                    sentences, labels)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", nargs="+", help="the encoder; with --score, what is scored")
    p.add_argument("--tokenizer", required=True, help="the encoder's tokenizer.json")
    p.add_argument("--train", metavar="TSV", help="what the classifier is fitted to")
    p.add_argument("--limit", type=int, default=20000, help="rows of it (20000)")
    p.add_argument("-o", dest="output", metavar="OUT.onnx")
    p.add_argument("--score", action="store_true", help="the models' accuracy")
    p.add_argument("--test", metavar="TSV", help="with --score: on this")
    a = p.parse_args()
    tokenizer = Tokenizer.from_file(need_file(a.tokenizer, "--tokenizer"))
    if a.score:
        sentences, labels = read_labelled(a.test, "--test")
        for path in a.model:
            print("%s: %.4f" % (os.path.basename(path),
                                accuracy_of(path, tokenizer, sentences, labels)))
        return
    if not a.output or len(a.model) != 1:
        raise BenchError("one encoder and -o OUT.onnx")
    sentences, labels = read_labelled(a.train, "--train", a.limit)
    x = features(need_file(a.model[0], "MODEL"), tokenizer, sentences)
    weight, bias = fit(x, labels)
    print("accuracy on what it was fitted to: %.4f"
          % ((x @ weight + bias).argmax(1) == labels).mean())
    onnx.save(attach(onnx.load(a.model[0]), weight, bias), a.output)


if __name__ == "__main__":
    common.run_main(main)
