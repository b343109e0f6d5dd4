# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is run: rectangular shapes and ragged batches of sentences.

A case is one or more batches ("feeds") that are timed together. Its arrays go
to a file, from which every peer's process reads the same ones.
"""

import os

import numpy as np

from common import HERE, BenchError, need_file

SENTENCES = os.path.join(HERE, "sentences.txt")
SEED = 20240611


class Case:
    """name, the file with the arrays (keys "feed/input"), and what they hold."""

    def __init__(self, name, folder, feeds, masks):
        self.name = name
        self.path = os.path.join(folder, name + ".npz")
        self.count = len(feeds)
        self.masks = masks
        lengths = np.concatenate([mask.sum(axis=1) for mask in masks])
        self.tokens = int(lengths.sum())
        self.padded = int(sum(mask.size for mask in masks)) - self.tokens
        self.squares = int((lengths.astype(np.int64) ** 2).sum())
        np.savez(self.path, **{"%d/%s" % (i, name): array
                               for i, feed in enumerate(feeds)
                               for name, array in feed.items()})

    def flops(self, facts):
        """Of the kept tokens alone; facts: `plmc inspect --json`, or None."""
        if not facts or not facts.get("macsPerToken"):
            return None
        return 2 * (facts["macsPerToken"] * self.tokens
                    + facts.get("attentionMacsPerTokenAndKey", 0) * self.squares)


def parse_shapes(text):
    shapes = []
    for part in text.split(","):
        try:
            batch, length = (int(number) for number in part.lower().split("x"))
            if batch < 1 or length < 1:
                raise ValueError
        except ValueError:
            raise BenchError("'%s' is no shape; --shapes takes BATCHxLENGTH,..." % part) \
                from None
        shapes.append((batch, length))
    return shapes


def _feed(inputs, ids, mask):
    """Arrays for the model's inputs, by what their names say."""
    known = {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(ids),
        "position_ids": np.broadcast_to(np.arange(ids.shape[1]), ids.shape).copy(),
    }
    unknown = [name for name in inputs if name not in known]
    if unknown:
        raise BenchError("the model has the input '%s'; the benchmark fills in %s"
                         % (unknown[0], ", ".join(known)))
    return {name: known[name] for name in inputs}


def rectangle(folder, inputs, vocabulary, batch, length):
    """Random ids, nothing padded."""
    ids = np.random.default_rng(SEED).integers(0, vocabulary, (batch, length))
    mask = np.ones_like(ids)
    return Case("%dx%d" % (batch, length), folder, [_feed(inputs, ids, mask)], [mask])


def tokenize(sentences, tokenizer, vocabulary, longest):
    """Lists of ids. tokenizer: a tokenizer.json, a vocab.txt of BERT's, or None.

    Without a tokenizer the ids are random and the lengths follow from the count
    of words: five pieces for four words, and the two special tokens.
    """
    if tokenizer is None:
        random = np.random.default_rng(SEED)
        lengths = [min(2 + len(s.split()) * 5 // 4, longest) for s in sentences]
        return [random.integers(0, vocabulary, n).tolist() for n in lengths]
    need_file(tokenizer, "--tokenizer")
    try:
        import tokenizers
    except ImportError as error:
        raise BenchError("%s; utils/bench/setup.sh installs it" % error) from None
    try:
        if tokenizer.endswith(".txt"):
            tool = tokenizers.BertWordPieceTokenizer(tokenizer, lowercase=True)
        else:
            tool = tokenizers.Tokenizer.from_file(tokenizer)
        tool.no_padding()
        tool.enable_truncation(longest)
        ids = [encoding.ids for encoding in tool.encode_batch(sentences)]
    except Exception as error:  # the package raises bare Exceptions
        raise BenchError("cannot read the tokenizer %s: %s" % (tokenizer, error)) from None
    top = max(map(max, ids))
    if top >= vocabulary:
        raise BenchError("%s gives the id %d, the model has %d: not its tokenizer"
                         % (tokenizer, top, vocabulary))
    return ids


def ragged(folder, inputs, rows, size, batches, by_length):
    """Batches of `size` sentences, each padded on the right to its longest.

    rows: lists of ids; shuffled by a fixed seed and then, with `by_length`,
    sorted within those chosen. batches: how many; 0: as many as there are.
    """
    if not 1 <= size <= len(rows):
        raise BenchError("--ragged %d: there are %d sentences" % (size, len(rows)))
    available = len(rows) // size
    batches = batches or available
    if batches > available:
        raise BenchError("--ragged-batches %d: the sentences make %d batches of %d"
                         % (batches, available, size))
    order = np.random.default_rng(SEED).permutation(len(rows))[: size * batches]
    chosen = [rows[i] for i in order]
    if by_length:
        chosen.sort(key=len)
    feeds, masks = [], []
    for start in range(0, len(chosen), size):
        part = chosen[start : start + size]
        ids = np.zeros((size, max(map(len, part))), np.int64)
        mask = np.zeros_like(ids)
        for row, values in enumerate(part):
            ids[row, : len(values)] = values
            mask[row, : len(values)] = 1
        feeds.append(_feed(inputs, ids, mask))
        masks.append(mask)
    name = "ragged%d%s" % (size, "-sorted" if by_length else "")
    return Case(name, folder, feeds, masks)


def read_sentences(path):
    path = need_file(path, "--sentences")
    with open(path, encoding="utf-8") as file:
        sentences = [line.strip() for line in file if line.strip()]
    if not sentences:
        raise BenchError("%s holds no sentence" % path)
    return sentences
