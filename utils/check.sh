#!/usr/bin/env bash
# Sets up, builds everything and runs all tests. The last line is
#   N passed, N failed
# and the exit code 0 if none failed.
#
#   utils/check.sh
#
# Details of a run are in build/check: *.log for people, *.json for programs.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"
export PYTHONDONTWRITEBYTECODE=1
results=build/check
python=.venv/bin/python

# Whatever goes wrong before the tests have run counts as one failure.
give_up() { echo "check: $*" >&2; echo "0 passed, 1 failed"; exit 1; }
step() { printf '== %s (%s s)\n' "$*" "$SECONDS"; }

step "set-up"
utils/setup.sh || give_up "set-up failed"
mkdir -p "$results"
rm -f "$results"/*.json "$results"/*.log "$results"/*.exit

step "build"
if [ ! -f build/build.ninja ]; then
  cmake --preset default > "$results/configure.log" 2>&1 ||
    { cat "$results/configure.log"; give_up "cmake failed"; }
fi
# Ninja's progress only on a terminal; its whole output when it fails.
if [ -t 1 ]; then
  ninja -C build -j"$(nproc)" || give_up "the build failed"
else
  ninja -C build -j"$(nproc)" > "$results/build.log" 2>&1 ||
    { grep -vE '^\[[0-9]+/[0-9]+\]' "$results/build.log" | tail -200 || true
      give_up "the build failed"; }
fi

# Each suite writes $results/NAME.json, and is given up after an hour. One that
# ends without a result file counts as a failure (utils/check/summary.py).
suite() { # NAME COMMAND...
  local name=$1
  shift
  step "$name"
  timeout --kill-after=10 3600 "$@" > "$results/$name.log" 2>&1 ||
    echo "$?" > "$results/$name.exit"
}

# Half of the tests each, beside one another.
for half in 0 1; do
  GTEST_TOTAL_SHARDS=2 GTEST_SHARD_INDEX=$half \
    suite "unit-$half" build/bin/plmc-unit-tests --gtest_brief=1 \
    "--gtest_output=json:$repo/$results/unit-$half.json" &
done
wait
suite lit /usr/lib/llvm-22/bin/lit -v -o "$results/lit.json" build/test
export PYTHONPATH=$repo/tools/python PLMC_BUILD=$repo/build
suite python "$python" utils/check/python_tests.py "$results/python.json"
suite onnx "$python" utils/check/onnx_node_tests.py "$results/onnx.json"
suite fuzz utils/fuzz.sh 25
suite docs utils/gen-docs.sh --check
suite format utils/format.sh --check

step "done"
exec "$python" utils/check/summary.py "$results"
