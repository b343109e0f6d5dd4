#!/usr/bin/env bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer, and runs the unit
# tests and the end-to-end tests of hostile files. Not part of utils/check.sh: it
# compiles everything a second time.
#
#   utils/sanitize.sh [GTEST_FILTER]
#
# SANITIZE_BUILD names another build folder than build-asan.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"
build=${SANITIZE_BUILD:-build-asan}
# The packaged libMLIR and libLLVM are not instrumented: docs/testing.md.
export ASAN_OPTIONS=detect_leaks=0:allow_user_poisoning=0:detect_container_overflow=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-22/bin/llvm-symbolizer

if [ ! -f "$build/build.ninja" ]; then
  cmake --preset asan -B "$build" > /dev/null
fi
ninja -C "$build" plmc plmc-opt plmc-unit-tests
"$build/bin/plmc-unit-tests" --gtest_brief=1 ${1:+--gtest_filter="$1"}
PLMC_BUILD=$(cd "$build" && pwd) PLMC_SANITIZED=1 PYTHONDONTWRITEBYTECODE=1 \
  .venv/bin/python utils/check/python_tests.py "$build/hostile.json" 'test_hostile*'
