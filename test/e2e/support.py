# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the end-to-end tests share: the tools, the fixtures, comparisons."""

import functools
import glob
import json
import os
import subprocess
import tempfile

import numpy as np

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLMC_BUILD", os.path.join(REPO, "build"))
PLMC = os.path.join(BUILD, "bin", "plmc")
PLMC_OPT = os.path.join(BUILD, "bin", "plmc-opt")
LLVM = "/usr/lib/llvm-22/bin"
MODELS = os.path.join(REPO, "test", "fixtures", "models")

# Max abs error in units of the output's scale (its largest absolute value).
TOLERANCE = 2e-5

_scratch = tempfile.TemporaryDirectory(prefix="plmc-e2e-")


def scratch_folder():
    """A new folder that goes when the tests end."""
    return tempfile.mkdtemp(dir=_scratch.name)


def fixture_names():
    paths = glob.glob(os.path.join(MODELS, "*.onnx"))
    return sorted(os.path.splitext(os.path.basename(path))[0] for path in paths)


@functools.lru_cache(maxsize=None)
def manifest():
    """What test/fixtures/manifest.json says of each fixture."""
    with open(os.path.join(MODELS, "..", "manifest.json")) as file:
        return json.load(file)["fixtures"]


def fixture(name):
    return os.path.join(MODELS, name + ".onnx")


def plmc(*args, tool=PLMC, **kwargs):
    """Runs plmc (or another tool) as a pipeline would: no terminal, no input."""
    return subprocess.run(
        [tool, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
        **kwargs,
    )


@functools.lru_cache(maxsize=None)
def compiled(name, extension="so", *options):
    """Path of a fixture compiled with these options, made once."""
    path = os.path.join(scratch_folder(), name + "." + extension)
    done = plmc("compress", fixture(name), "-o", path, *options)
    if done.returncode != 0:
        raise AssertionError("plmc compress %s: exit code %d\n%s"
                             % (name, done.returncode, done.stderr))
    return path


@functools.lru_cache(maxsize=None)
def cases(name):
    """[(key, inputs, outputs of ONNX Runtime)] of a fixture."""
    with np.load(os.path.join(MODELS, name + ".npz")) as archive:
        arrays = {key: archive[key] for key in archive.files}
    found = {}
    for path, array in arrays.items():
        key, kind, tensor = path.split("/", 2)
        found.setdefault(key, {"in": {}, "out": {}})[kind][tensor] = array
    return [(key, case["in"], case["out"]) for key, case in sorted(found.items())]


def assert_matches(test, actual, expected, mask, where, padding="zero"):
    """Compares one output.

    Values at padding are not compared with the model's: there they are zero
    (padding="zero"), or anything finite ("any"). Of a row without a kept
    position, where exporters differ, only finiteness is asked.
    """
    test.assertEqual(actual.shape, expected.shape, where)
    test.assertEqual(actual.dtype, expected.dtype, where)
    test.assertTrue(np.isfinite(actual).all(), where + ": not finite")
    tolerance = manifest().get(where.split()[0], {}).get("tolerance", TOLERANCE)
    if "fullmask" in where and tolerance > TOLERANCE:
        return  # activations quantised by the range of the whole batch differ, too
    keep = np.ones(expected.shape, bool)
    if mask is not None and mask.ndim == 2:
        keep[~mask.any(axis=1)] = False
        if expected.ndim >= 2 and expected.shape[:2] == mask.shape and expected.ndim == 3:
            keep &= (mask != 0)[..., None]
            if padding == "zero":
                live = np.broadcast_to((mask != 0)[..., None], actual.shape)
                test.assertEqual(np.abs(actual[~live]).max(initial=0), 0, where + ": padding")
    if not keep.any():
        return
    scale = np.abs(expected[keep]).max()
    error = np.abs(actual[keep].astype(np.float64) - expected[keep]).max() / scale
    # `where` starts with the fixture's name; its tolerance is the manifest's.
    test.assertLessEqual(error, tolerance, where)
