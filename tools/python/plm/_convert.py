# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Between what callers pass and what the library reads."""

import ctypes

import numpy as np

# Name in the description: (plm_dtype, type of the bytes in memory).
DTYPES = {
    "f32": (1, np.dtype(np.float32)),
    "f64": (2, np.dtype(np.float64)),
    "i32": (3, np.dtype(np.int32)),
    "i64": (4, np.dtype(np.int64)),
    "bool": (5, np.dtype(np.bool_)),
    "u8": (6, np.dtype(np.uint8)),
    "i8": (7, np.dtype(np.int8)),
    "f16": (8, np.dtype(np.float16)),
    "bf16": (9, np.dtype(np.uint16)),
}
_NAMES = {code: name for name, (code, _) in DTYPES.items()}


def _to_bf16(array):
    """Rounds float32 to bfloat16 (nearest, ties to even), as uint16."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    # In 64 bits: the carry out of the largest NaN must not wrap to zero.
    wide = bits.astype(np.uint64)
    rounded = ((wide + 0x7FFF + ((wide >> 16) & 1)) >> 16).astype(np.uint16)
    quiet = ((bits >> 16) | 0x40).astype(np.uint16)
    is_nan = (bits & 0x7FFFFFFF) > 0x7F800000
    return np.where(is_nan, quiet, rounded)


def to_library(name, value, dtype):
    """`value` as a C-contiguous array of the input's type.

    TypeError if that would change a value; floats may be rounded to the
    input's floating-point type, as a list of Python floats must be.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:  # a ragged list
        raise TypeError("input '%s': %s" % (name, error)) from None
    wanted = DTYPES[dtype][1]
    if array.dtype.kind not in "biuf" and not (
        dtype == "bf16" and array.dtype.name == "bfloat16"
    ):
        raise TypeError(
            "input '%s' must hold %s, not %s" % (name, dtype, array.dtype)
        )
    if dtype == "bf16":
        if array.dtype.name == "bfloat16":
            return _contiguous(array.view(np.uint16))
        return _to_bf16(array)
    if array.size == 0 and not isinstance(value, np.ndarray):
        array = array.astype(wanted)  # [[]] is float64 to NumPy
    if array.dtype.kind == "f" and wanted.kind != "f":
        raise TypeError(
            "input '%s' must hold integers (%s), not %s" % (name, dtype, array.dtype)
        )
    if array.dtype != wanted:
        converted = array.astype(wanted)
        if wanted.kind != "f" and not _same_integers(array, converted):
            raise TypeError(
                "input '%s' holds values that %s cannot hold" % (name, dtype)
            )
        array = converted
    return _contiguous(array)


def _same_integers(before, after):
    # The comparison of uint64 with int64 goes by way of float64 in NumPy 1: a
    # wrapped value shows as a change of sign.
    return bool(np.all(before == after) and np.all((before < 0) == (after < 0)))


def _contiguous(array):
    # ascontiguousarray would make a scalar one-dimensional.
    array = array if array.flags.c_contiguous else array.copy()
    return array if array.flags.aligned else array.copy()


def from_library(tensor):
    """A copy of an output that the context holds."""
    dtype = _NAMES[tensor.dtype]
    element = DTYPES[dtype][1]
    shape = tuple(tensor.shape[: tensor.rank])
    count = 1
    for size in shape:
        count *= size
    if count == 0:
        result = np.empty(shape, element)
    else:
        buffer = (ctypes.c_char * (count * element.itemsize)).from_address(tensor.data)
        result = np.frombuffer(buffer, element, count).reshape(shape).copy()
    if dtype == "bf16":
        return (result.astype(np.uint32) << 16).view(np.float32)
    return result
