# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtimes that are compared, behind one small interface.

To add one: a class with `load`, `run` and `version`, and a line in PEERS.
Everything here is imported and run in the peer's own process (worker.py), so a
runtime that is not asked for need not be installed.
"""

import sys

from common import PACKAGE


class Plmc:
    """A library made by `plmc compress`, through the Python package."""

    def __init__(self):
        sys.path.insert(0, PACKAGE)
        import plm
        self._plm = plm

    def version(self):
        return "plm " + self._plm.__version__

    def load(self, path, threads, outputs, options):
        self._model = self._plm.Model(path, threads=threads)
        self.inputs = [t.name for t in self._model.inputs]
        self.outputs = [t.name for t in self._model.outputs]
        missing = [name for name in outputs or [] if name not in self.outputs]
        if missing:
            raise ValueError("the library has no output " + ", ".join(missing))

    def run(self, feed):
        result = self._model(**feed)
        return [result[name] for name in self.outputs]


class OnnxRuntime:
    """ONNX Runtime's CPU provider, all graph optimisations.

    Its threads spin for a while after a run (its default, and its fastest);
    options["spinning"] = "0" stops that.
    """

    def __init__(self):
        import onnxruntime
        self._ort = onnxruntime

    def version(self):
        return "onnxruntime " + self._ort.__version__

    def load(self, path, threads, outputs, options):
        settings = self._ort.SessionOptions()
        settings.intra_op_num_threads = threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = self._ort.ExecutionMode.ORT_SEQUENTIAL
        settings.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        settings.log_severity_level = 3
        if "spinning" in options:
            settings.add_session_config_entry("session.intra_op.allow_spinning",
                                              options["spinning"])
        self._session = self._ort.InferenceSession(
            path, settings, providers=["CPUExecutionProvider"])
        self.inputs = [t.name for t in self._session.get_inputs()]
        self.outputs = outputs or [t.name for t in self._session.get_outputs()]

    def run(self, feed):
        return self._session.run(self.outputs, feed)


class OpenVino:
    """OpenVINO's CPU plugin, one stream, latency hint."""

    def __init__(self):
        import openvino
        self._ov = openvino

    def version(self):
        return "openvino " + self._ov.__version__.split("-")[0]

    def load(self, path, threads, outputs, options):
        core = self._ov.Core()
        model = core.read_model(path)
        if outputs:
            kept = [self._source(model, name) for name in outputs]
            model = self._ov.Model(kept, model.get_parameters(), "kept")
        precision = options.get("precision", "f32")
        self._compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,
        })
        taken = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if taken != precision:
            raise ValueError("OpenVINO runs %s on this CPU, not %s" % (taken, precision))
        self.inputs = [port.get_any_name() for port in self._compiled.inputs]
        self.outputs = outputs or [p.get_any_name() for p in self._compiled.outputs]
        self._request = self._compiled.create_infer_request()

    @staticmethod
    def _source(model, name):
        try:
            return model.output(name).get_node().input_value(0)
        except RuntimeError:
            # An output that only repeats an input has lost its name here.
            raise ValueError("OpenVINO finds no output '%s' in the model; choose the "
                             "outputs with --outputs" % name) from None

    def run(self, feed):
        # Shared: nothing is copied either way, as in the other runtimes' best use.
        result = self._request.infer(feed, share_inputs=True, share_outputs=True)
        return [result[i] for i in range(len(self.outputs))]


class CTranslate2:
    """CTranslate2's encoder, on a folder that its converter wrote (peer_models.py)."""

    def __init__(self):
        import ctranslate2
        import numpy
        self._ct2, self._numpy = ctranslate2, numpy

    def version(self):
        return "ctranslate2 " + self._ct2.__version__

    def load(self, path, threads, outputs, options):
        if outputs and outputs != ["last_hidden_state"]:
            raise ValueError("CTranslate2 gives last_hidden_state alone: --outputs")
        self._encoder = self._ct2.Encoder(
            path, device="cpu", intra_threads=threads, inter_threads=1,
            compute_type=options["compute_type"])
        self.inputs = ["input_ids", "attention_mask"]
        self.outputs = ["last_hidden_state"]

    def run(self, feed):
        view = self._ct2.StorageView.from_array
        ids = self._numpy.ascontiguousarray(feed["input_ids"], self._numpy.int32)
        lengths = feed["attention_mask"].sum(1).astype(self._numpy.int32)
        result = self._encoder.forward_batch(view(ids), view(lengths))
        return [self._numpy.asarray(result.last_hidden_state)]


class Peer:
    """How one name of --peers is run."""

    def __init__(self, runtime, tolerance, options=None, env=None, own_model=False):
        self.runtime = runtime
        # Greatest difference to plmc, as a share of the output's scale, above
        # which a comparison of times means nothing. None: printed, not judged.
        self.tolerance = tolerance
        self.options = options or {}
        self.env = env or {}
        self.own_model = own_model  # needs --peer-model NAME=FILE


_AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
PEERS = {
    "plmc": Peer(Plmc, 1e-4),
    "ort": Peer(OnnxRuntime, 1e-4),
    "ort-nospin": Peer(OnnxRuntime, 1e-4, {"spinning": "0"}),
    "ort-int8": Peer(OnnxRuntime, None, own_model=True),
    "ct2-int8": Peer(CTranslate2, None, {"compute_type": "int8"}, own_model=True),
    "ct2": Peer(CTranslate2, 1e-4, {"compute_type": "float32"}, own_model=True),
    "openvino": Peer(OpenVino, 1e-4),
    "openvino-avx2": Peer(OpenVino, 1e-4, env=_AVX2),
    "openvino-bf16": Peer(OpenVino, None, {"precision": "bf16"}),
    "openvino-int8": Peer(OpenVino, None, own_model=True),
    "openvino-int8-avx2": Peer(OpenVino, None, env=_AVX2, own_model=True),
}
