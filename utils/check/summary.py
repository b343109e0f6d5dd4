# Part of plmc, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""summary.py FOLDER

Adds up what the suites of utils/check.sh left in FOLDER, shows the log of what
failed, and ends with the line 'N passed, N failed'.
"""

import json
import os
import sys

LOG_LINES = 60


def google_test(data):
    for suite in data["testsuites"]:
        for test in suite["testsuite"]:
            name = "%s.%s" % (suite["name"], test["name"])
            if test.get("failures"):
                yield name, "failed"
            elif test.get("status") == "NOTRUN" or test.get("result") == "SKIPPED":
                yield name, "skipped"
            else:
                yield name, "passed"


def lit(data):
    ends = {"PASS": "passed", "XFAIL": "passed", "FLAKYPASS": "passed",
            "UNSUPPORTED": "skipped", "SKIPPED": "skipped", "EXCLUDED": "skipped"}
    for test in data["tests"]:
        yield test["name"], ends.get(test["code"], "failed")


def python(data):
    yield from data.items()


SUITES = {"unit-0": google_test, "unit-1": google_test, "lit": lit, "python": python, "onnx": python}
CHECKS = {"fuzz": "the fuzzers find nothing", "docs": "the dialect reference is current",
          "format": "the sources are formatted"}


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def collect(folder, name):
    """[(test, end)] of a suite."""
    code = read(os.path.join(folder, name + ".exit")).strip()
    if name in CHECKS:
        return [(CHECKS[name], "failed" if code else "passed")]
    try:
        tests = list(SUITES[name](json.loads(read(os.path.join(folder, name + ".json")))))
    except (ValueError, KeyError, TypeError):
        return [("left no result, exit code %s" % (code or 0), "failed")]
    if not tests:
        return [("ran no test", "failed")]
    if code and all(end != "failed" for _, end in tests):
        tests.append(("exit code %s" % code, "failed"))
    return tests


def main():
    folder = sys.argv[1]
    total = {"passed": 0, "failed": 0, "skipped": 0}
    rows = []
    for name in list(SUITES) + list(CHECKS):
        tests = collect(folder, name)
        counts = {key: sum(end == key for _, end in tests) for key in total}
        for key in total:
            total[key] += counts[key]
        rows.append((name, counts))
        failed = [test for test, end in tests if end == "failed"]
        if failed:
            lines = read(os.path.join(folder, name + ".log")).splitlines()
            print("-- %s: the end of %s" % (name, os.path.join(folder, name + ".log")))
            print("\n".join(lines[-LOG_LINES:]))
            for test in failed:
                print("FAILED  %s: %s" % (name, test))
    print("%-8s %7s %7s %7s" % ("suite", "passed", "failed", "skipped"))
    for name, counts in rows:
        print("%-8s %7d %7d %7d" % (name, counts["passed"], counts["failed"], counts["skipped"]))
    print("%d passed, %d failed" % (total["passed"], total["failed"]))
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
