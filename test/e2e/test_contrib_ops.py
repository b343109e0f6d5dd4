# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The operators of com.microsoft, one node each, against ONNX Runtime."""

import os
import unittest

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import plm
from support import plmc, scratch_folder

B, S, HEADS, SIZE = 2, 5, 4, 8
H = HEADS * SIZE
RNG = np.random.default_rng(7)


def floats(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(values):
    return np.array(values, np.int32)


X = floats(B, S, H)
QKV = floats(H, 3 * H) * 0.2
QKV_BIAS = floats(3 * H)
RAW = ints([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
VISIBLE = np.tril(np.ones((B, S, S), np.int32))
BIAS = floats(1, HEADS, S, S)


class Parameter:
    """An input that the model holds itself."""

    def __init__(self, array):
        self.array = array


class ContribOps(unittest.TestCase):
    # Sizes that stand for batch and length are symbolic.
    symbols = {B: "batch", S: "sequence"}

    def model(self, kind, inputs, attributes, outputs, domain, opset=17):
        names, values, infos, weights = [], {}, [], []
        for index, value in enumerate(inputs):
            name = "" if value is None else "in%d" % index
            names.append(name)
            if isinstance(value, Parameter):
                weights.append(numpy_helper.from_array(value.array, name))
            elif value is not None:
                values[name] = value
                dims = [self.symbols.get(size, size) for size in value.shape]
                infos.append(helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(value.dtype), dims))
        node = helper.make_node(kind, names, outputs, name="node", domain=domain, **attributes)
        graph = helper.make_graph(
            [node], "one", infos,
            [helper.make_empty_tensor_value_info(output) for output in outputs if output], weights)
        model = helper.make_model(graph, opset_imports=[
            helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        path = os.path.join(scratch_folder(), "model.onnx")
        onnx.save(model, path)
        return path, values

    def check(self, kind, *inputs, outputs=("out",), domain="com.microsoft", **attributes):
        with self.subTest(kind=kind, inputs=[getattr(i, "shape", i) for i in inputs],
                          **attributes):
            path, values = self.model(kind, inputs, attributes, outputs, domain)
            options = onnxruntime.SessionOptions()
            options.log_severity_level = 3
            options.intra_op_num_threads = 1
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            runtime = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
            expected = runtime.run(None, values)
            library = os.path.join(os.path.dirname(path), "model.so")
            done = plmc("compress", path, "-o", library, "--padding=compute")
            self.assertEqual(done.returncode, 0, done.stderr)
            results = plm.Model(library, threads=2)(**values)
            for output, wanted in zip(filter(None, outputs), expected):
                self.assertEqual(results[output].dtype, wanted.dtype)
                if wanted.dtype.itemsize == 1:  # a tie's direction is a matter of the last bit
                    steps = np.abs(results[output].astype(int) - wanted.astype(int))
                    self.assertLessEqual(steps.max(), 1)
                    self.assertLess(steps.mean(), 0.15)
                else:
                    np.testing.assert_allclose(results[output], wanted, rtol=1e-4, atol=2e-5)

    def refuse(self, what, kind, *inputs, outputs=("out",), **attributes):
        with self.subTest(kind=kind, **attributes):
            path, _ = self.model(kind, inputs, attributes, outputs, "com.microsoft")
            done = plmc("compress", path, "-o", path + ".so")
            self.assertEqual(done.returncode, 4, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(what, done.stderr)
            self.assertIn("node", done.stderr)
            self.assertFalse(os.path.exists(path + ".so"))

    def test_activations(self):
        self.check("Gelu", X)
        self.check("BiasGelu", X, Parameter(floats(H)))
        self.check("FastGelu", X)
        self.check("FastGelu", X, Parameter(floats(H)))
        self.check("QuickGelu", X)
        self.check("QuickGelu", X, alpha=1.25)

    def test_matrix_products(self):
        a, b = floats(B, HEADS, S, SIZE), floats(B, HEADS, S, SIZE)
        self.check("FusedMatMul", a, b, transB=1, alpha=0.125)
        self.check("FusedMatMul", a, b, transA=1)
        self.check("TransposeMatMul", a, b, transB=1)
        # [M, batch, K] x [K, batch, N] ...
        self.check("FusedMatMul", floats(3, 6, SIZE), floats(6, SIZE, 9), transBatchA=1)
        weight, bias = Parameter(floats(7, H)), Parameter(floats(7))
        for activation in ("Relu", "Tanh", "Sigmoid"):
            self.check("FusedGemm", floats(B, H), weight, bias, transB=1, alpha=0.5,
                       activation=activation)
        self.check("FusedGemm", floats(B, H), weight, bias, transB=1, activation="LeakyRelu",
                   activation_alpha=0.3)

    def test_normalizations(self):
        gamma, beta, bias = (Parameter(floats(H)) for _ in range(3))
        skip = floats(B, S, H)
        self.check("SkipLayerNormalization", X, skip, gamma, beta, epsilon=1e-12)
        self.check("SkipLayerNormalization", X, skip, gamma, beta, bias, epsilon=1e-5)
        self.check("SkipLayerNormalization", X, skip, gamma, epsilon=1e-5)
        self.check("SkipLayerNormalization", X, floats(1, S, H), gamma, beta)
        self.check("SkipLayerNormalization", X, skip, gamma, beta, bias,
                   outputs=("out", "", "", "sum"))
        self.check("SkipSimplifiedLayerNormalization", X, skip, gamma, epsilon=1e-6)
        self.check("SkipSimplifiedLayerNormalization", X, skip, gamma, bias,
                   outputs=("out", "", "", "sum"))
        self.check("SimplifiedLayerNormalization", X, gamma, domain="", axis=-1, epsilon=1e-6)

    def test_embedding(self):
        ids = RNG.integers(0, 50, (B, S)).astype(np.int32)
        segments = RNG.integers(0, 2, (B, S)).astype(np.int32)
        words, positions, types = (Parameter(floats(n, H)) for n in (50, 16, 2))
        gamma, beta = Parameter(floats(H)), Parameter(floats(H))
        self.check("EmbedLayerNormalization", ids, segments, words, positions, types, gamma, beta,
                   RAW, outputs=("out", "mask_index", "sum"), epsilon=1e-12)
        self.check("EmbedLayerNormalization", ids, None, words, positions, None, gamma, beta, RAW,
                   outputs=("out", "mask_index"))
        given = np.arange(2, 2 + S, dtype=np.int32)[None].repeat(B, 0)
        self.check("EmbedLayerNormalization", ids, segments, words, positions, types, gamma, beta,
                   RAW, given, outputs=("out", "mask_index"))

    def test_attention_masks(self):
        weight, bias = Parameter(QKV), Parameter(QKV_BIAS)
        for mask in (None, RAW, VISIBLE, ints([5, 3])):
            self.check("Attention", X, weight, bias, mask, num_heads=HEADS)
        self.check("Attention", X, weight, None, RAW, num_heads=HEADS)
        self.check("Attention", X, weight, bias, RAW, num_heads=HEADS, mask_filter_value=-2.0)
        self.check("Attention", X, weight, bias, None, num_heads=HEADS, scale=0.3)
        self.check("Attention", X, weight, bias, None, num_heads=HEADS, unidirectional=1)
        self.check("Attention", X, weight, bias, RAW, num_heads=HEADS, unidirectional=1)
        self.check("Attention", X, weight, bias, None, None, BIAS, num_heads=HEADS)
        self.check("Attention", X, weight, bias, RAW, None, BIAS, num_heads=HEADS)

    def test_attention_ends_and_starts(self):
        self.symbols = {}
        self.check("Attention", X, Parameter(QKV), Parameter(QKV_BIAS), ints([5, 4, 0, 1]),
                   num_heads=HEADS)

    def test_attention_widths(self):
        widths = [HEADS * 4, HEADS * 4, HEADS * 6]
        self.check("Attention", X, Parameter(floats(H, sum(widths)) * 0.2),
                   Parameter(floats(sum(widths))), RAW, num_heads=HEADS, qkv_hidden_sizes=widths)

    def test_attention_with_weights_that_are_inputs(self):
        self.check("Attention", X, QKV, QKV_BIAS, RAW, num_heads=HEADS)

    def test_multi_head_attention(self):
        q, k, v = floats(B, S, H), floats(B, S, H), floats(B, S, H)
        bias = Parameter(QKV_BIAS)
        self.check("MultiHeadAttention", q, k, v, num_heads=HEADS)
        self.check("MultiHeadAttention", q, k, v, bias, RAW, num_heads=HEADS)
        self.check("MultiHeadAttention", q, k, v, bias, None, BIAS, num_heads=HEADS, scale=0.2)
        self.check("MultiHeadAttention", q, floats(B, 7, H), floats(B, 7, H), bias,
                   num_heads=HEADS)
        self.check("MultiHeadAttention", q, k, floats(B, S, HEADS * 6), num_heads=HEADS)
        self.check("MultiHeadAttention", q, k, v, num_heads=HEADS, unidirectional=1)
        self.check("MultiHeadAttention", q, floats(B, HEADS, 7, SIZE), floats(B, HEADS, 7, SIZE),
                   num_heads=HEADS)

    def test_rotary_embedding(self):
        cos, sin = Parameter(floats(16, SIZE // 2)), Parameter(floats(16, SIZE // 2))
        positions = np.arange(S, dtype=np.int64)[None].repeat(B, 0)
        for interleaved in (0, 1):
            self.check("RotaryEmbedding", X, positions, cos, sin, interleaved=interleaved)
        self.check("RotaryEmbedding", X, np.array([3], np.int64), cos, sin)
        self.check("RotaryEmbedding", floats(B, HEADS, S, SIZE), positions, cos, sin)
        part = [Parameter(floats(16, 2)) for _ in range(2)]
        self.check("RotaryEmbedding", X, positions, *part, num_heads=HEADS,
                   rotary_embedding_dim=4)

    def test_operators_on_8_bits(self):
        def values(kind, *shape):
            return RNG.integers(np.iinfo(kind).min, np.iinfo(kind).max + 1, shape).astype(kind)

        def scale(kind, step, zero):
            return Parameter(np.float32(step)), Parameter(np.array(zero, kind))

        for kind, zero in ((np.uint8, 120), (np.int8, -3)):
            x, y = values(kind, B, S, 12), values(kind, B, S, 12)
            one, two, out = scale(kind, 0.02, zero), scale(kind, 0.05, zero + 5), \
                scale(kind, 0.06, zero - 7)
            self.check("QLinearAdd", x, *one, y, *two, *out)
            self.check("QLinearAdd", x, *one, Parameter(y[0, 0]), *two, *out)
            self.check("QLinearMul", x, *one, y, *two, *scale(kind, 0.11, zero))
            unit = scale(kind, 1 / 255, np.iinfo(kind).min)
            self.check("QLinearSigmoid", x, *one, *unit)
            self.check("QLinearLeakyRelu", x, *one, *two, alpha=0.2)
            self.check("QLinearSoftmax", x, *one, *unit, axis=-1, opset=13)
            self.check("QLinearSoftmax", x, *one, *unit, axis=2, opset=11)
            self.check("QLinearConcat", *out, x, *one, y, *two, axis=2)
            self.check("QLinearWhere", values(np.uint8, B, S, 12) > 90, x, *one, y, *two, *out)

    def test_products_with_weights_of_few_bits(self):
        columns = 10
        for bits, depth, block in ((4, 64, 32), (4, 40, 16), (8, 64, 32), (2, 64, 32)):
            blocks = -(-depth // block)
            weight = Parameter(RNG.integers(0, 256, (columns, blocks, block * bits // 8),
                                            np.uint8))
            scales = Parameter(floats(columns, blocks) * 0.1)
            zeros = Parameter(RNG.integers(0, 256, (columns, -(-blocks * bits // 8)), np.uint8))
            shape = {"K": depth, "N": columns, "bits": bits, "block_size": block}
            self.check("MatMulNBits", floats(B, S, depth), weight, scales, **shape)
            self.check("MatMulNBits", floats(B, S, depth), weight, scales, zeros, None,
                       Parameter(floats(columns)), **shape)

    def test_refusals(self):
        weight, bias = Parameter(QKV), Parameter(QKV_BIAS)
        past = floats(2, B, HEADS, 3, SIZE)
        self.refuse("cache", "Attention", X, weight, bias, None, past, num_heads=HEADS,
                    outputs=("out", "present"))
        self.refuse("away", "Attention", X, weight, bias, num_heads=HEADS,
                    outputs=("out", "present"))
        self.refuse("rotary", "Attention", X, weight, bias, num_heads=HEADS, do_rotary=1)
        self.refuse("GPUs", "PackedAttention", X[0], weight, bias, ints([[0]]), ints([0, S]),
                    num_heads=HEADS)
        self.refuse("GPUs", "RemovePadding", X, ints([5, 3]),
                    outputs=("out", "offset", "seqlen", "max"))
        self.refuse("activation", "FusedGemm", X[0], weight, activation="Softmax")
        few = Parameter(np.zeros((4, 1, 12), np.uint8))
        self.refuse("3 bits", "MatMulNBits", X, few, Parameter(floats(4)), K=H, N=4, bits=3,
                    block_size=32)


if __name__ == "__main__":
    unittest.main()
