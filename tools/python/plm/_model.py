# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The model as Python sees it."""

import json
import os
import threading
from typing import NamedTuple, Tuple

from . import _abi
from ._convert import DTYPES, from_library, to_library
from ._vocabulary import vocabulary_hash


class Tensor(NamedTuple):
    """An input or output: a dimension is a size ("384") or names one ("batch")."""

    name: str
    dtype: str
    dims: Tuple[str, ...]

    def __str__(self):
        return "%s: %s[%s]" % (self.name, self.dtype, ", ".join(self.dims))


class Outputs(dict):
    """Arrays by output name, in the model's order; also as attributes."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                "no output '%s'; the outputs are %s" % (name, ", ".join(self))
            ) from None


def _texts(what, texts):
    if isinstance(texts, (str, bytes)):
        texts = [texts]
    result = []
    for text in texts:
        if isinstance(text, str):
            text = text.encode("utf-8", "surrogatepass")
        if not isinstance(text, bytes):
            raise TypeError("%s must be strings, not %s" % (what, type(text).__name__))
        result.append(text)
    return result


class Model:
    """A library made by `plmc compress`.

    threads: of each calling thread's context, 0 for one per available CPU.
    """

    def __init__(self, path, threads=0):
        self._library = _abi.Library(path)
        self._threads = threads
        try:
            self._description = json.loads(self._library.description)
            self._inputs = self._signature("inputs")
            self._outputs = self._signature("outputs")
        except (ValueError, KeyError, TypeError) as error:
            raise _abi.Error(
                "'%s' describes itself in a way that this package does not know: %r"
                % (self._library.path, error)
            ) from None
        # A context serves one call at a time; its memory is reused from call to
        # call. So each thread keeps one, which goes when the thread does.
        self._local = threading.local()
        self._context()  # reports a bad thread count here rather than later

    def _signature(self, key):
        tensors = tuple(
            Tensor(t["name"], t["dtype"], tuple(str(d) for d in t["dims"]))
            for t in self._description[key]
        )
        for tensor in tensors:
            if tensor.dtype not in DTYPES:
                raise ValueError("dtype '%s'" % tensor.dtype)
        return tensors

    def _context(self):
        context = getattr(self._local, "context", None)
        # Threads of a context do not survive fork().
        if context is None or context.pid != os.getpid():
            context = _abi.Context(self._library, self._threads)
            self._local.context = context
        return context

    @property
    def inputs(self):
        """The inputs, in the model's order."""
        return self._inputs

    @property
    def outputs(self):
        """The outputs, in the model's order."""
        return self._outputs

    @property
    def description(self):
        """What the library says about itself (docs/abi.md), as a dict."""
        return json.loads(self._library.description)

    @property
    def vocabulary(self):
        """The hash of the vocabulary that ids are of, or None if nobody has said."""
        build = self.description.get("build", {})
        return build.get("vocabulary") or build.get("tokenizer", {}).get("vocabulary")

    def check_tokenizer(self, tokenizer):
        """Raises an Error unless the tokenizer has the model's vocabulary.

        For ids that are made outside of the library, whose vocabulary may have been
        reduced. tokenizer: of the packages `tokenizers` or `transformers`, or a dict
        from pieces to ids.
        """
        found = vocabulary_hash(tokenizer)
        if self.vocabulary is None:
            raise _abi.Error("the library does not say which vocabulary its ids are of")
        if found != self.vocabulary:
            raise _abi.Error(
                "the tokenizer's vocabulary is %s, the model's %s: take the tokenizer "
                "that was written when the model's was reduced" % (found, self.vocabulary)
            )

    def __call__(self, *args, **kwargs):
        """Runs the model; inputs in the model's order or by name."""
        arrays = [
            to_library(tensor.name, value, tensor.dtype)
            for tensor, value in zip(self._inputs, self._bind(args, kwargs))
        ]
        given = (_abi.Tensor * len(arrays))()
        for slot, array, tensor in zip(given, arrays, self._inputs):
            if array.ndim > _abi.MAX_RANK:
                raise _abi.Error(
                    "input '%s' has rank %d; it must be %d"
                    % (tensor.name, array.ndim, len(tensor.dims))
                )
            slot.data = array.ctypes.data
            slot.shape[: array.ndim] = array.shape
            slot.rank = array.ndim
            slot.dtype = DTYPES[tensor.dtype][0]
        results = (_abi.Tensor * len(self._outputs))()
        self._context().run(given, results)
        return Outputs(
            (tensor.name, from_library(result))
            for tensor, result in zip(self._outputs, results)
        )

    def encode(self, texts, pairs=None, max_length=0):
        """Tokenizes texts and runs the model: one sequence a text.

        texts: a string or a list of strings (or bytes, UTF-8). pairs: the second
        texts, as many. max_length: the most tokens of a text, 0: what the tokenizer
        says; longer texts are cut off. The library must have a tokenizer
        (`plmc compress --tokenizer=FILE`).
        """
        texts = _texts("texts", texts)
        if pairs is not None:
            pairs = _texts("pairs", pairs)
            if len(pairs) != len(texts):
                raise TypeError(
                    "%d texts and %d pairs are given" % (len(texts), len(pairs))
                )
        results = (_abi.Tensor * len(self._outputs))()
        self._context().run_text(texts, pairs, max_length, results)
        return Outputs(
            (tensor.name, from_library(result))
            for tensor, result in zip(self._outputs, results)
        )

    def _bind(self, args, kwargs):
        names = [tensor.name for tensor in self._inputs]
        if len(args) > len(names):
            raise TypeError(
                "%d inputs given, the model has %d: %s"
                % (len(args), len(names), ", ".join(names))
            )
        values = dict(zip(names, args))
        for name, value in kwargs.items():
            if name not in names:
                raise TypeError(
                    "the model has no input '%s'; it has %s" % (name, ", ".join(names))
                )
            if name in values:
                raise TypeError("input '%s' is given twice" % name)
            values[name] = value
        missing = [name for name in names if name not in values]
        if missing:
            raise TypeError(
                "missing input%s %s; the model has %s"
                % (
                    "s" if len(missing) > 1 else "",
                    ", ".join("'%s'" % name for name in missing),
                    ", ".join(names),
                )
            )
        return [values[name] for name in names]

    def __repr__(self):
        return "plm.Model(%r: (%s) -> (%s))" % (
            os.path.basename(self._library.path),
            ", ".join(map(str, self._inputs)),
            ", ".join(map(str, self._outputs)),
        )
