# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Time for one text: plmc's tokenizer and the package `tokenizers`, one thread.

    tokenizer_speed.py [--plmc build/bin/plmc] [--lines N] TOKENIZER CORPUS

plmc's is timed with `plmc tokenize` over a file, printing the ids included; its
start and the reading of the tokenizer, measured with a file of one line, are taken
off. The package is called in this process, a text a call, its cache warm. The best
of three rounds counts.
"""

import argparse
import os
import subprocess
import tempfile
import time


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--plmc", default="build/bin/plmc")
    parser.add_argument("--lines", type=int, default=20000)
    parser.add_argument("tokenizer", help="tokenizer.json")
    parser.add_argument("corpus", help="one text a line")
    args = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RAYON_NUM_THREADS"] = "1"
    from tokenizers import Tokenizer

    peer = Tokenizer.from_file(args.tokenizer)
    peer.no_padding()
    with open(args.corpus, encoding="utf-8", errors="replace") as file:
        texts = [line.strip() for line in file]
    texts = [text for text in texts if text]
    texts = (texts * (args.lines // len(texts) + 1))[: args.lines]
    characters = sum(map(len, texts)) / len(texts)

    def theirs():
        start = time.perf_counter()
        for text in texts:
            peer.encode(text).ids
        return time.perf_counter() - start

    with tempfile.TemporaryDirectory() as folder:
        full, empty = os.path.join(folder, "full"), os.path.join(folder, "empty")
        with open(full, "w", encoding="utf-8") as file:
            file.writelines(text + "\n" for text in texts)
        open(empty, "w").write("a\n")
        command = [args.plmc, "tokenize", "--tokenizer", args.tokenizer]
        start_up = min(seconds(command + [empty]) for _ in range(3))
        own = min(seconds(command + [full]) for _ in range(3)) - start_up
    peers = min(theirs() for _ in range(3))
    scale = 1e6 / len(texts)
    print(
        "%-24s %6.1f characters a text: plmc %7.2f us, tokenizers %7.2f us, %5.1f times"
        % (os.path.basename(args.tokenizer), characters, own * scale, peers * scale,
           peers / own)
    )


if __name__ == "__main__":
    main()
