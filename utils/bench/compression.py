#!/usr/bin/env python3
# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What compression without training reaches: the tables of docs/compression.md.

    compression.py all-MiniLM-L6-v2-ts17.onnx --tokenizer tokenizer.json \\
        --sts-train sts-train.tsv --wikitext valid.txt --pairs sts-dev.tsv \\
        --classifier sst2.onnx --sst-train sst2/train.tsv.gz --test sst2/dev.tsv \\
        --folder out --markdown docs/compression.md

Each recipe of recipes/, and each budget that --only names, makes one library of the
encoder, which is scored on pairs of sentences (fidelity.py), and timed beside the int8 library if
that is among the rows. With --classifier (classifier.py makes one) the same recipe
makes one of the classifier, which is scored by its accuracy.

Calibration: 600 sentences of STS-B train and 250 paragraphs of WikiText-2 by a fixed
seed, more for budgets (OF_BUDGETS), all of both for what only counts tokens; for the
classifier sentences of its training set instead of STS-B's. What is scored on is never
calibrated on.
"""

import argparse
import glob
import gzip
import json
import os
import statistics
import subprocess
import time

import numpy as np

import common
from common import BenchError, need_file

HERE = os.path.dirname(os.path.abspath(__file__))
BUDGETS = {"budget-7MB": "size<7MB", "budget-5MB": "size<5MB", "budget-3MB": "size<3MB",
           "budget-2MB": "size<2MB"}
SENTENCES, PARAGRAPHS = 600, 250
# Recipes that only count tokens take all there is.
COUNTING = ("alias-8k", "factorized-128", "int8-pq")
# Sentences and paragraphs: the smaller the model, the more it takes.
OF_BUDGETS = {"budget-7MB": (2000, 250), "budget-5MB": (2000, 250),
              "budget-3MB": (6000, 800), "budget-2MB": (6000, 800)}


def choose(lines, count, seed=0):
    if len(lines) < count:
        raise BenchError("%d lines to calibrate on, %d are needed" % (len(lines), count))
    return [lines[i] for i in np.random.default_rng(seed).permutation(len(lines))[:count]]


def sts_sentences(path):
    with open(need_file(path, "--sts-train"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file]
    return [cell for row in rows for cell in row[5:7]]


def paragraphs(path):
    with open(need_file(path, "--wikitext"), encoding="utf-8") as file:
        return [line.strip() for line in file if len(line.split()) > 12]


def labelled_sentences(path):
    opener = gzip.open if need_file(path, "--sst-train").endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        return [line.split("\t")[0] for line in file][1:]


def write_lines(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return path


class Maker:
    """Libraries of one model, by recipe or budget."""

    def __init__(self, plmc, model, output, texts, tokenizer, folder):
        self.plmc, self.model, self.output = plmc, model, output
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.texts = [os.path.abspath(t) for t in texts]
        self.tokenizer = os.path.abspath(tokenizer)

    def arguments(self, name, base):
        """What makes the row, beside the names of files."""
        if name in BUDGETS:
            state = "budget-%d-%d.state" % OF_BUDGETS[name]
            return ["--budget=" + BUDGETS[name], "--calibration=" + ",".join(self.texts),
                    "--set", "calibration.tokenizer=" + self.tokenizer,
                    "--set", "calibration.max-length=128",
                    "--resume=" + os.path.join(self.folder, state),
                    "--print-recipe=" + base + ".found.yaml",
                    "--pareto=" + base + ".pareto.json"]
        given = need_file(os.path.join(HERE, "recipes", name + ".yaml"), "a recipe")
        with open(given, encoding="utf-8") as body, \
             open(base + ".yaml", "w", encoding="utf-8") as recipe:
            recipe.write(body.read())
            recipe.write("calibration: { file: %s, tokenizer: %s, max-length: 128 }\n" %
                         (json.dumps(self.texts), json.dumps(self.tokenizer)))
        return ["--recipe=" + base + ".yaml"]

    def make(self, name):
        """(library, seconds, report); a library that is there is not made again."""
        base = os.path.join(self.folder, name)
        library, report = base + ".so", base + ".json"
        if not os.path.exists(library):
            arguments = ["compress", self.model, "-o", library, "--outputs=" + self.output,
                         "--report=" + report] + self.arguments(name, base)
            print("%s: %s" % (os.path.basename(self.folder), name), flush=True)
            start = time.monotonic()
            done = subprocess.run([self.plmc] + arguments, env=common.clean_env(),
                                  capture_output=True, text=True)
            if done.returncode not in (0, 6):
                raise BenchError("%s: %s" % (name, done.stderr.strip().splitlines()[-1]))
            write_lines(base + ".time", ["%.1f" % (time.monotonic() - start)])
        with open(base + ".time", encoding="utf-8") as file:
            seconds = float(file.read())
        with open(report, encoding="utf-8") as file:
            return library, seconds, json.load(file)


def times(plmc, libraries, shape="1x128", rounds=5):
    """Median of `plmc bench`'s medians in ms, the libraries in turns."""
    found = {library: [] for library in libraries}
    for _ in range(rounds):
        for library in libraries:
            text = common.run_plmc(plmc, ["bench", library, "--shapes=" + shape,
                                          "--threads=1", "--json"])
            found[library].append(json.loads(text)["measurements"][0]["medianMs"])
    return {library: statistics.median(values) for library, values in found.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("model", help="the sentence encoder, ONNX")
    p.add_argument("--tokenizer", required=True)
    p.add_argument("--sts-train", required=True)
    p.add_argument("--wikitext", required=True)
    p.add_argument("--pairs", required=True, help="sts-dev.tsv")
    p.add_argument("--classifier", metavar="CLASSIFIER.onnx")
    p.add_argument("--sst-train", metavar="TSV")
    p.add_argument("--test", metavar="TSV", help="the classifier's")
    p.add_argument("--output", default="last_hidden_state", help="of the encoder")
    p.add_argument("--only", help="rows, divided by commas; also %s" % ", ".join(BUDGETS))
    p.add_argument("--folder", required=True, help="libraries and reports; kept")
    p.add_argument("--plmc", default=os.path.join(common.REPO, "build", "bin", "plmc"))
    p.add_argument("--no-times", action="store_true")
    p.add_argument("--no-score", action="store_true", help="make the libraries, no more")
    p.add_argument("--markdown", metavar="FILE")
    p.add_argument("--json", metavar="FILE")
    a = p.parse_args()
    from fidelity import Fidelity  # after the arguments: it imports the peers

    recipes = sorted(os.path.basename(path)[:-5] for path in
                     glob.glob(os.path.join(HERE, "recipes", "*.yaml")))
    names = a.only.split(",") if a.only else recipes
    unknown = [name for name in names if name not in recipes and name not in BUDGETS]
    if unknown:
        raise BenchError("no row %s; there are %s"
                         % (unknown[0], ", ".join(recipes + list(BUDGETS))))
    os.makedirs(a.folder, exist_ok=True)
    general = write_lines(os.path.join(a.folder, "wikitext.txt"),
                          choose(paragraphs(a.wikitext), PARAGRAPHS))
    own = write_lines(os.path.join(a.folder, "sts.txt"),
                      choose(sts_sentences(a.sts_train), SENTENCES))
    encoder = Maker(a.plmc, a.model, a.output, [own, general], a.tokenizer,
                    os.path.join(a.folder, "encoder"))
    def of_budget(name):
        sentences, texts = OF_BUDGETS[name]
        return Maker(a.plmc, a.model, a.output, [
            write_lines(os.path.join(a.folder, "sts-%d.txt" % sentences),
                        choose(sts_sentences(a.sts_train), sentences)),
            write_lines(os.path.join(a.folder, "wikitext-%d.txt" % texts),
                        choose(paragraphs(a.wikitext), texts))],
            a.tokenizer, os.path.join(a.folder, "encoder"))

    counting = Maker(a.plmc, a.model, a.output, [
        write_lines(os.path.join(a.folder, "sts-all.txt"), sts_sentences(a.sts_train)),
        write_lines(os.path.join(a.folder, "wikitext-all.txt"), paragraphs(a.wikitext))],
        a.tokenizer, os.path.join(a.folder, "encoder"))
    made = {name: (of_budget(name) if name in BUDGETS else counting if name in COUNTING
                   else encoder).make(name) for name in names}
    classified = make_classified(a, names, general) if a.classifier else {}
    if a.no_score:
        return
    fidelity = Fidelity(a.model, a.tokenizer, a.pairs)
    rows = {name: dict(fidelity.score(library), seconds=seconds, steps=report["recipe"])
            for name, (library, seconds, report) in made.items()}
    rows["f32"] = dict(fidelity.original)
    if not a.no_times:
        measured = times(a.plmc, [library for library, _, _ in made.values()])
        for name, (library, _, _) in made.items():
            rows[name]["ms"] = measured[library]
    if a.classifier:
        score_classified(a, classified, rows)
    text = markdown(a, rows, names)
    print(text)
    if a.markdown:
        from report import write_markdown
        write_markdown(a.markdown, text, ["compression"])
    if a.json:
        common.write_json(a.json, {"host": common.host_info(), "rows": rows})


def make_classified(a, names, general):
    own = write_lines(os.path.join(a.folder, "sst2.txt"),
                      choose(labelled_sentences(a.sst_train), SENTENCES))
    maker = Maker(a.plmc, a.classifier, "logits", [own, general], a.tokenizer,
                  os.path.join(a.folder, "classifier"))
    everything = write_lines(os.path.join(a.folder, "sst2-all.txt"),
                             labelled_sentences(a.sst_train))
    counting = Maker(a.plmc, a.classifier, "logits",
                     [everything, os.path.join(a.folder, "wikitext-all.txt")],
                     a.tokenizer, os.path.join(a.folder, "classifier"))
    return {name: (counting if name in COUNTING else maker).make(name)[0]
            for name in names}


def score_classified(a, libraries, rows):
    from tokenizers import Tokenizer

    import classifier
    tokenizer = Tokenizer.from_file(need_file(a.tokenizer, "--tokenizer"))
    sentences, labels = classifier.read_labelled(a.test, "--test")
    for name, path in {"f32": a.classifier, **libraries}.items():
        rows[name]["accuracy"] = classifier.accuracy_of(path, tokenizer, sentences, labels)


def markdown(a, rows, names):
    cells = [["", "MB", "Spearman", "cosine, mean", "least", "SST-2", "1x128, ms"]]
    for name in ["f32"] + names:
        r = rows[name]
        cells.append([name, "%.2f" % (r["bytes"] / 1e6), "%.4f" % r["spearman"],
                      "%.4f" % r["cosine_mean"], "%.3f" % r["cosine_min"],
                      "%.1f %%" % (100 * r["accuracy"]) if "accuracy" in r else "",
                      "%.2f" % r["ms"] if "ms" in r else ""])
    return "%s; %s\n\n%s\n" % (os.path.basename(a.model),
                               common.host_line(common.host_info()),
                               common.table(cells))


if __name__ == "__main__":
    common.run_main(main)
