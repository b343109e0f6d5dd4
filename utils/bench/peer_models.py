#!/usr/bin/env python3
# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that some peers of bench.py need of their own (--peer-model).

    peer_models.py ort-int8 MODEL.onnx OUT.onnx     dynamic int8, per channel
    peer_models.py qdq MODEL.onnx OUT.onnx          static int8, per channel, for
                                                    openvino-int8; ranges from random ids
    peer_models.py tanh MODEL.onnx OUT.onnx         f32, a Tanh on the scores, so that
                                                    no runtime knows the attention
    peer_models.py ct2 HUGGINGFACE_FOLDER OUT       a folder for ct2 and ct2-int8

All but the last need the package onnx, the last ctranslate2, transformers and torch:
.venv-fixtures (utils/fixtures/setup.sh) has all but ctranslate2.
"""

import argparse
import sys


def ort_int8(source, target):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"MatMulConstBOnly": True})


def qdq(source, target):
    import numpy
    import onnxruntime
    from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                          quantize_static)
    inputs = [t.name for t in onnxruntime.InferenceSession(source).get_inputs()]
    random = numpy.random.default_rng(0)

    def feed(length):
        ids = random.integers(1000, 20000, (1, length))
        ids[0, 0], ids[0, -1] = 101, 102
        every = {"input_ids": ids, "attention_mask": numpy.ones_like(ids),
                 "token_type_ids": numpy.zeros_like(ids)}
        return {name: every[name] for name in inputs}

    class Feeds(CalibrationDataReader):
        def __init__(self):
            self._feeds = iter([feed(length) for length in range(5, 65, 3)])

        def get_next(self):
            return next(self._feeds, None)

    quantize_static(source, target, Feeds(), quant_format=QuantFormat.QDQ, per_channel=True,
                    activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                    op_types_to_quantize=["MatMul", "Gather"])


def tanh(source, target):
    import onnx
    model = onnx.load(source)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "Softmax":
            nodes.append(onnx.helper.make_node("Tanh", node.input[:1],
                                               [node.input[0] + "_tanh"]))
            node.input[0] += "_tanh"
        nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.save(model, target)


def ct2(source, target):
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(source).convert(target, force=True)


MAKERS = {"ort-int8": ort_int8, "qdq": qdq, "tanh": tanh, "ct2": ct2}


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("peer", choices=sorted(MAKERS))
    p.add_argument("source")
    p.add_argument("target")
    a = p.parse_args()
    try:
        MAKERS[a.peer](a.source, a.target)
    except ImportError as error:
        sys.exit("peer_models.py: error: %s; its head says which packages it needs" % error)


if __name__ == "__main__":
    main()
