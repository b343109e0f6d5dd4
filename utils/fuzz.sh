#!/usr/bin/env bash
# Builds the fuzzers of test/fuzz and runs each one.
#
#   utils/fuzz.sh [SECONDS [TARGET...]]
#
# SECONDS for each target (default 25); targets: onnx npz safetensors
# tokenizer. The exit code is 1 after any finding: a crash, a report of a sanitizer, an input that
# takes more than 20 s or 2 GB. The inputs are in build-fuzz/findings; to see one
# again:  build-fuzz/bin/fuzz-onnx build-fuzz/findings/crash-...
#
# A corpus grows in build-fuzz/corpus from run to run; what is committed
# (test/fuzz/corpus) is where it starts. FUZZ_BUILD names another build folder.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"
seconds=${1:-25}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(onnx npz safetensors tokenizer)
build=${FUZZ_BUILD:-build-fuzz}
# The packaged libMLIR and libLLVM are not instrumented: docs/testing.md.
export ASAN_OPTIONS=detect_leaks=0:allow_user_poisoning=0:detect_container_overflow=0
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-22/bin/llvm-symbolizer

if [ ! -f "$build/build.ninja" ]; then
  cmake --preset fuzz -B "$build" > /dev/null
fi
ninja -C "$build" "${targets[@]/#/fuzz-}"

# Of this run alone: others may fuzz at the same time.
PLMC_FUZZ_FOLDER=$(mktemp -d /dev/shm/plmc-fuzz-XXXXXX)
export PLMC_FUZZ_FOLDER
trap 'rm -rf "$PLMC_FUZZ_FOLDER"' EXIT

findings=$build/findings
mkdir -p "$findings"
status=0
for target in "${targets[@]}"; do
  corpus=$build/corpus/$target
  log=$build/fuzz-$target.log
  mkdir -p "$corpus"
  options=(-max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048
           -max_len=40000 -artifact_prefix="$findings/" -print_final_stats=1)
  dictionary=test/fuzz/$target.dict
  [ ! -f "$dictionary" ] || options+=(-dict="$dictionary")
  # A minute more for the last input and for the seeds on a slow machine.
  if timeout --kill-after=10 $((seconds + 180)) "$build/bin/fuzz-$target" \
      "${options[@]}" "$corpus" "test/fuzz/corpus/$target" > "$log" 2>&1; then
    echo "fuzz-$target: no findings in $(sed -n \
      's/stat::number_of_executed_units: *//p' "$log") runs"
  else
    echo "fuzz-$target: FAILED, see $log and $findings"
    grep -E "ERROR|runtime error|SUMMARY|fuzz: |Test unit written" "$log" || true
    status=1
  fi
done
exit $status
