# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""plmc compress --budget: what it ends with, how it is interrupted and resumed."""

import json
import os
import re
import signal
import subprocess
import unittest

import numpy as np

from support import PLMC, fixture, plmc, scratch_folder

OK, USAGE, BAD_INPUT, LIMIT_MISSED = 0, 2, 3, 6
MODEL = "bert-ts17-embed"
LINE = re.compile(r"^plmc: \d+ s: ", re.M)


def write_sequences(path, seed=0):
    rng = np.random.default_rng(seed)
    ids = rng.integers(5, 80, (30, 12)).astype(np.int64)
    np.savez(path, input_ids=ids, attention_mask=np.ones_like(ids))


class BudgetTest(unittest.TestCase):
    def setUp(self):
        self.folder = scratch_folder()
        write_sequences(self.path("calib.npz"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def arguments(self, budget, *more, seconds=2):
        return ["compress", fixture(MODEL), "-o", self.path("out.so"),
                "--calibration=" + self.path("calib.npz"), "--budget", budget,
                "--budget-time=%g" % seconds, *more]

    def measurements(self):
        with open(self.path("state.json")) as file:
            return json.load(file)["measurements"]

    def test_met(self):
        done = plmc(*self.arguments(
            "size<400kB, cosine>=0.9", "--pareto=" + self.path("pareto.json"),
            "--print-recipe=" + self.path("found.yaml"),
            "--report=%s,%s" % (self.path("r.html"), self.path("r.json"))))
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertLess(os.path.getsize(self.path("out.so")), 400e3)
        self.assertRegex(done.stderr, "the best of [0-9]+ plans")
        with open(self.path("pareto.json")) as file:
            pareto = json.load(file)
        points = pareto["points"]
        self.assertEqual(pareto["budget"], ["size<400kB", "cosine>=0.9"])
        self.assertLessEqual(sum(point["chosen"] for point in points), 1)
        # Larger models must lose less, else they are not in it.
        self.assertEqual([p["size"] for p in points], sorted(p["size"] for p in points))
        cosines = [point["cosine"] for point in points]
        self.assertEqual(cosines, sorted(cosines))
        for point in points:
            self.assertIn("steps:", point["recipe"])
        with open(self.path("r.json")) as file:
            search = json.load(file)["search"]
        self.assertTrue(search["met"])
        self.assertEqual(sum(point["chosen"] for point in search["points"]), 1)
        with open(self.path("r.html")) as file:
            page = file.read()
        self.assertEqual(page.count("<circle"), len(search["points"]) + 1)
        self.assertIn("Search for the budget", page)
        # The recipe is all there is to it.
        with open(self.path("out.so"), "rb") as file:
            first = file.read()
        again = plmc("compress", fixture(MODEL), "-o", self.path("out.so"),
                     "--recipe=" + self.path("found.yaml"))
        self.assertEqual(again.returncode, OK, again.stderr)
        with open(self.path("out.so"), "rb") as file:
            self.assertEqual(file.read(), first)

    def test_closest_where_nothing_fits(self):
        done = plmc(*self.arguments("size<20kB", seconds=1))
        self.assertEqual(done.returncode, LIMIT_MISSED, done.stderr)
        self.assertTrue(os.path.exists(self.path("out.so")))
        self.assertRegex(done.stderr.splitlines()[-1],
                         "--budget is not met: .*closest.* for 'size<20kB'")

    def test_latency(self):
        done = plmc(*self.arguments("latency<10s@2x8", "--resume=" + self.path("state.json"),
                                    seconds=1))
        self.assertEqual(done.returncode, OK, done.stderr)
        for key, measured in self.measurements().items():
            self.assertGreater(measured["latency"]["2x8"], 0)
            # Rounded models have all neurons and layers: nothing is to be predicted.
            if " r " in key:
                self.assertEqual(key.split()[1:3], ["1.000", "0"])
        # What is known serves other budgets; what they ask beyond that is measured.
        before = self.measurements()
        for budget in ("size<400kB", "latency<10s@1x8"):
            done = plmc(*self.arguments(budget, "--resume=" + self.path("state.json"), seconds=1))
            self.assertEqual(done.returncode, OK, done.stderr)
        first = next(iter(before))
        self.assertEqual(set(self.measurements()[first]["latency"]), {"1x8", "2x8"})

    def test_latency_out_of_reach(self):
        """What choices take is measured; then the fastest model is built, and no other."""
        done = plmc(*self.arguments("latency<1us@2x8", "--resume=" + self.path("state.json"),
                                    seconds=20))
        self.assertEqual(done.returncode, LIMIT_MISSED, done.stderr)
        self.assertTrue(os.path.exists(self.path("out.so")))
        lines = done.stderr.splitlines()
        self.assertRegex(lines[-1], "--budget is not met: .* ms for 'latency<1us@2x8'")
        self.assertEqual(done.stderr.count("--budget is not met"), 1)
        self.assertRegex(done.stderr, r"s: latency [0-9.e-]+ ms@2x8")
        self.assertRegex(done.stderr, r"next: .* latency [0-9.e-]+ ms@2x8")
        self.assertIn("no plan is predicted to meet the budget", done.stderr)
        built = [key for key in self.measurements() if " g " in key]
        self.assertEqual(len(built), 1)

    def test_memory(self):
        """The library and what a run allocates: more than the file, and more at a larger shape."""
        def found(budget):
            done = plmc(*self.arguments(budget, "--resume=" + self.path("state.json"),
                                        seconds=20))
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertRegex(done.stderr, r", memory [0-9.e-]+ MB@[12]x8")
            with open(self.path("state.json"), encoding="utf-8") as file:
                first = next(iter(json.load(file)["measurements"].values()))
            os.remove(self.path("state.json"))
            (memory,) = first["memory"].values()
            self.assertGreater(memory, first["size"])
            return memory

        memory = found("memory<100MB@1x8")
        self.assertGreater(found("memory<100MB@2x8"), memory)
        # Code is the most of so small a library.
        done = plmc(*self.arguments("memory<%dB@1x8" % (memory // 2), seconds=20))
        self.assertEqual(done.returncode, LIMIT_MISSED, done.stderr)
        self.assertRegex(done.stderr.splitlines()[-1], "MB for 'memory<[0-9]+B@1x8'")

    def test_contradictions_are_refused(self):
        for budget, words in (("size<1MB, size<2MB", "bound the same"),
                              ("size>1MB", "asks for a worse model"),
                              ("cosine>1", "no model"),
                              ("latency<1ms@1x128, latency<2ms@1x8", "less time"),
                              ("latency<1s@1x4096", "'latency<1s@1x4096': 1x4096: the library"),
                              ("size<1MB,", "a condition is missing"),
                              ("kl<0.1", "no logits")):
            with self.subTest(budget=budget):
                done = plmc(*self.arguments(budget))
                self.assertEqual(done.returncode, USAGE, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertEqual(os.listdir(self.folder), ["calib.npz"])

    def test_options_without_a_use(self):
        for options, words in ((["--budget-time=3"], "--budget-time goes with --budget"),
                               (["--preset=tiny", "--group-size=64"], "--group-size goes with"),
                               (["--report=" + self.path("a.json"),
                                 "--print-recipe=" + self.path("a.json")], "named twice"),
                               (["--calibration=/dev/zero"], "no regular file")):
            with self.subTest(options=options):
                done = plmc("compress", fixture(MODEL), "-o", self.path("out.so"), *options)
                self.assertIn(done.returncode, (USAGE, BAD_INPUT), done.stderr)
                self.assertIn(words, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
                self.assertEqual(os.listdir(self.folder), ["calib.npz"])

    def test_interrupted_then_resumed(self):
        arguments = self.arguments("size<400kB", "--resume=" + self.path("state.json"),
                                   seconds=100)
        running = subprocess.Popen([PLMC, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        lines = [running.stderr.readline()]
        running.send_signal(signal.SIGINT)
        rest = running.communicate(timeout=200)[1]
        self.assertIn(running.returncode, (OK, LIMIT_MISSED), lines)
        self.assertIn("interrupted; the best of", rest)
        self.assertTrue(os.path.exists(self.path("out.so")))
        before = self.measurements()
        self.assertGreaterEqual(len(before), 1)
        # Only what is new takes time.
        done = plmc(*self.arguments("size<400kB", "--resume=" + self.path("state.json"),
                                    seconds=2))
        self.assertEqual(done.returncode, OK, done.stderr)
        after = self.measurements()
        for key, measured in before.items():
            self.assertEqual(after[key], measured)
        self.assertGreater(len(LINE.findall(done.stderr)), len(before))
        # Other data, another search.
        write_sequences(self.path("calib.npz"), seed=1)
        done = plmc(*self.arguments("size<400kB", "--resume=" + self.path("state.json")))
        self.assertEqual(done.returncode, BAD_INPUT, done.stderr)
        self.assertIn("name a new file", done.stderr)


if __name__ == "__main__":
    unittest.main()
