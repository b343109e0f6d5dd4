# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Whether ids that were made elsewhere are the model's."""

import hashlib
import struct


def vocabulary_hash(tokenizer):
    """The hash that plmc gives a vocabulary: of the pieces in the order of their ids.

    tokenizer: of the packages `tokenizers` or `transformers`, or a dict from pieces
    to ids.
    """
    if hasattr(tokenizer, "get_vocab"):
        tokenizer = tokenizer.get_vocab()
    if not tokenizer:
        raise ValueError("the vocabulary is empty")
    pieces = [b""] * (max(tokenizer.values()) + 1)
    for piece, place in tokenizer.items():
        pieces[place] = piece.encode("utf-8", "surrogatepass")
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(struct.pack("<I", len(piece)) + piece)
    return "%016x" % struct.unpack("<Q", digest.digest()[:8])
