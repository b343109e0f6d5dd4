#!/usr/bin/env python3
# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models that some peers of bench.py need of their own (--peer-model).

    peer_models.py ort-int8 MODEL.onnx OUT.onnx     dynamic int8, per channel
    peer_models.py ct2 HUGGINGFACE_FOLDER OUT       a folder for ct2 and ct2-int8

The first needs the package onnx, the second ctranslate2, transformers and torch:
.venv-fixtures (utils/fixtures/setup.sh) has all but ctranslate2.
"""

import argparse
import sys


def ort_int8(source, target):
    from onnxruntime.quantization import QuantType, quantize_dynamic
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True,
                     extra_options={"MatMulConstBOnly": True})


def ct2(source, target):
    from ctranslate2.converters import TransformersConverter
    TransformersConverter(source).convert(target, force=True)


MAKERS = {"ort-int8": ort_int8, "ct2": ct2}


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
