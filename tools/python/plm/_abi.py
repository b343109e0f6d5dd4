# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""include/plm/model.h by ctypes. ctypes.CDLL releases the GIL in calls."""

import ctypes
import os

ABI_VERSION = 1
MAX_RANK = 8
OK = 0


class Error(RuntimeError):
    """What the library refuses, in its own words.

    status: the plm_status code, or None where there was no library to ask.
    """

    def __init__(self, message, status=None):
        super().__init__(message)
        self.status = status


class Tensor(ctypes.Structure):
    """plm_tensor."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("capacity", ctypes.c_size_t),
        ("shape", ctypes.c_int64 * MAX_RANK),
        ("rank", ctypes.c_int32),
        ("dtype", ctypes.c_int32),
    ]


class Texts(ctypes.Structure):
    """plm_texts."""

    _fields_ = [
        ("texts", ctypes.POINTER(ctypes.c_char_p)),
        ("lengths", ctypes.POINTER(ctypes.c_size_t)),
        ("pairs", ctypes.POINTER(ctypes.c_char_p)),
        ("pair_lengths", ctypes.POINTER(ctypes.c_size_t)),
        ("count", ctypes.c_size_t),
        ("max_length", ctypes.c_uint32),
    ]


# name: (result type, argument types)
_FUNCTIONS = {
    "plm_open": (ctypes.c_int, [ctypes.c_uint32, ctypes.POINTER(ctypes.c_void_p)]),
    "plm_describe": (ctypes.c_char_p, [ctypes.c_void_p]),
    "plm_context_create": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_int32, ctypes.POINTER(ctypes.c_void_p)],
    ),
    "plm_context_destroy": (None, [ctypes.c_void_p]),
    "plm_run": (
        ctypes.c_int,
        [
            ctypes.c_void_p,
            ctypes.POINTER(Tensor),
            ctypes.c_size_t,
            ctypes.POINTER(Tensor),
            ctypes.c_size_t,
        ],
    ),
    "plm_last_error": (ctypes.c_char_p, [ctypes.c_void_p]),
}
# Not in libraries that are older.
_RUN_TEXT = (
    ctypes.c_int,
    [
        ctypes.c_void_p,
        ctypes.POINTER(Texts),
        ctypes.POINTER(Tensor),
        ctypes.c_size_t,
    ],
)


def _text(raw):
    return raw.decode("utf-8", "replace")


class Library:
    """An open library and its model."""

    def __init__(self, path):
        # A name without a slash would be searched for in the system's folders.
        self.path = os.path.abspath(os.fspath(path))
        if not os.path.exists(self.path):
            raise FileNotFoundError("no such library: %s" % os.fspath(path))
        try:
            library = ctypes.CDLL(self.path)
        except OSError as error:
            raise Error(
                "cannot load '%s': %s; a library made by `plmc compress` is expected"
                % (self.path, error)
            ) from None
        # The version first: another one may lack the other functions.
        version = self._function(library, "plm_abi_version", ctypes.c_uint32, [])()
        if version != ABI_VERSION:
            raise Error(
                "'%s' has version %d of the plm ABI, this package reads version %d: "
                "compress the model again or install the package that belongs to it"
                % (self.path, version, ABI_VERSION)
            )
        for name, (result, arguments) in _FUNCTIONS.items():
            setattr(self, name, self._function(library, name, result, arguments))
        self.plm_run_text = None
        if hasattr(library, "plm_run_text"):
            self.plm_run_text = self._function(library, "plm_run_text", *_RUN_TEXT)
        model = ctypes.c_void_p()
        status = self.plm_open(ABI_VERSION, ctypes.byref(model))
        if status != OK:
            raise Error(_text(self.plm_last_error(None)), status)
        self.model = model
        self.description = _text(self.plm_describe(model))

    def _function(self, library, name, result, arguments):
        try:
            function = getattr(library, name)
        except AttributeError:
            raise Error(
                "'%s' has no function %s: it was not made by `plmc compress`"
                % (self.path, name)
            ) from None
        function.restype = result
        function.argtypes = arguments
        return function


class Context:
    """plm_context. Used by one thread, in the process that created it."""

    def __init__(self, library, threads):
        self.library = library
        self.pid = os.getpid()
        self.handle = None
        handle = ctypes.c_void_p()
        status = library.plm_context_create(
            library.model, threads, ctypes.byref(handle)
        )
        if status != OK:
            raise Error(_text(library.plm_last_error(None)), status)
        self.handle = handle

    def run(self, inputs, outputs):
        """Arrays of Tensor; what it fills into `outputs` lives until the next run."""
        status = self.library.plm_run(
            self.handle, inputs, len(inputs), outputs, len(outputs)
        )
        if status != OK:
            raise Error(_text(self.library.plm_last_error(self.handle)), status)

    def run_text(self, texts, pairs, max_length, outputs):
        """Lists of bytes; pairs may be None."""
        if self.library.plm_run_text is None:
            raise Error(
                "'%s' was made before there were tokenizers: compress the model again"
                % self.library.path
            )
        given = Texts(count=len(texts), max_length=max_length)
        given.texts = (ctypes.c_char_p * len(texts))(*texts)
        given.lengths = (ctypes.c_size_t * len(texts))(*map(len, texts))
        if pairs is not None:
            given.pairs = (ctypes.c_char_p * len(pairs))(*pairs)
            given.pair_lengths = (ctypes.c_size_t * len(pairs))(*map(len, pairs))
        status = self.library.plm_run_text(
            self.handle, ctypes.byref(given), outputs, len(outputs)
        )
        if status != OK:
            raise Error(_text(self.library.plm_last_error(self.handle)), status)

    def __del__(self):
        if self.handle is not None:
            self.library.plm_context_destroy(self.handle)
            self.handle = None
