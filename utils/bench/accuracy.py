#!/usr/bin/env python3
"""Compare an emitted library with ONNX Runtime over a grid of shapes and masks.

    accuracy.py MODEL.onnx LIBRARY.so

Batch 1 and 3, lengths 1 to 512 (as far as the model has positions), padding on
the right, on the left, in holes and none, and one fully masked row, which must
only be finite. The error of an output is the largest absolute difference over
the largest magnitude of ONNX Runtime's output; positions that the mask marks
as padding are left out where the library says that it writes 0 there, and are
checked to be 0. Exit status 1 if an error is over the tolerance.
"""

import argparse
import sys

import numpy as np
import onnxruntime
import plm


def masks(batch, length, rng):
    full = np.ones((batch, length), np.int64)
    yield "none", full
    if length == 1:
        return
    kept = rng.integers(1, length + 1, batch)
    kept[0] = length
    steps = np.arange(length)
    yield "right", (steps[None] < kept[:, None]).astype(np.int64)
    yield "left", (steps[None] >= length - kept[:, None]).astype(np.int64)
    holes = (rng.random((batch, length)) < 0.7).astype(np.int64)
    holes[np.arange(batch), rng.integers(0, length, batch)] = 1
    yield "holes", holes
    if batch > 1:
        empty = full.copy()
        empty[-1] = 0
        yield "empty row", empty


def feeds(session, ids, mask, rng):
    result = {}
    for item in session.get_inputs():
        if item.name == "attention_mask":
            result[item.name] = mask
        elif item.name == "token_type_ids":
            result[item.name] = rng.integers(0, 2, ids.shape).astype(np.int64)
        else:
            result[item.name] = ids
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("library")
    parser.add_argument("--vocabulary", type=int, default=30522)
    parser.add_argument("--lengths", default="1,7,16,33,128,512")
    parser.add_argument("--tolerance", type=float, default=2e-5)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()

    session = onnxruntime.InferenceSession(args.model)
    model = plm.Model(args.library, threads=args.threads)
    zero_padding = {
        o["name"] for o in model.description["outputs"] if o["padding"] == "zero"
    }
    names = [o["name"] for o in model.description["outputs"]]
    rng = np.random.default_rng(1)
    worst, cases = {}, 0
    for batch in (1, 3):
        for length in map(int, args.lengths.split(",")):
            for label, mask in masks(batch, length, rng):
                ids = rng.integers(0, args.vocabulary, (batch, length))
                feed = feeds(session, ids, mask, rng)
                want = dict(zip(names, session.run(names, feed)))
                got = model(**feed)
                cases += 1
                for name in names:
                    a, b = np.asarray(got[name]), want[name]
                    if a.dtype != b.dtype or a.shape != b.shape:
                        sys.exit(f"{name}: {a.dtype}{a.shape}, not {b.dtype}{b.shape}")
                    if name in zero_padding:
                        if a[mask == 0].any():
                            sys.exit(f"{name} is not 0 at a padding position")
                        a, b = a[mask == 1], b[mask == 1]
                    if label == "empty row":
                        if not np.isfinite(a).all():
                            sys.exit(f"{name} is not finite in an empty row")
                        continue
                    error = np.abs(a.astype(np.float64) - b).max()
                    relative = error / max(np.abs(b).max(), 1e-30)
                    if relative > worst.get(name, (-1, ""))[0]:
                        worst[name] = (relative, f"{batch}x{length} {label}")
    failed = 0
    for name, (relative, where) in worst.items():
        ok = relative <= args.tolerance
        failed += not ok
        print(f"{name}: {relative:.2e} of the scale at {where}{'' if ok else '  TOO LARGE'}")
    print(f"{cases} cases, tolerance {args.tolerance:g}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
