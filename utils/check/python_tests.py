# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""python_tests.py [RESULT.json] [PATTERN]

Runs the tests of test/e2e and of the plm package against the tools in build/
($PLMC_BUILD), and writes how each one ended. PATTERN selects test files, e.g.
'test_cli*'.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PLMC_BUILD", os.path.join(REPO, "build"))
FIXTURE = os.path.join(REPO, "test", "fixtures", "models", "bert-ts17-pooler.onnx")


class Result(unittest.TextTestResult):
    """Remembers each test's end; a test with failing subtests fails once."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.ends = {}

    def startTest(self, test):
        super().startTest(test)
        self.started = time.perf_counter()
        self.ends[test.id()] = "passed"

    def stopTest(self, test):
        super().stopTest(test)
        self.stream.write("  %.1f s\n" % (time.perf_counter() - self.started))

    def addError(self, test, error):
        super().addError(test, error)
        self.ends[test.id()] = "failed"

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.ends[test.id()] = "failed"

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.ends[test.id()] = "failed"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.ends[test.id()] = "skipped"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.ends[test.id()] = "failed"


def main():
    pattern = sys.argv[2] if len(sys.argv) > 2 else "test_*.py"
    sys.path.insert(0, os.path.join(REPO, "tools", "python"))
    with tempfile.TemporaryDirectory(prefix="plmc-") as scratch:
        # The package's own tests want to know a library before they are imported.
        library = os.path.join(scratch, "model.so")
        plmc = os.path.join(BUILD, "bin", "plmc")
        subprocess.run([plmc, "compress", FIXTURE, "-o", library], check=True)
        os.environ["PLM_TEST_LIBRARY"] = library
        loader = unittest.TestLoader()
        suite = unittest.TestSuite()
        for folder in ("test/e2e", "tools/python/tests"):
            folder = os.path.join(REPO, folder)
            suite.addTests(loader.discover(folder, pattern, top_level_dir=folder))
        runner = unittest.TextTestRunner(verbosity=2, resultclass=Result)
        result = runner.run(suite)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            json.dump(result.ends, file, indent=1)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
