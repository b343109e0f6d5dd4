#!/usr/bin/env bash
# Formats the C and C++ sources as .clang-format says.
#   utils/format.sh           rewrites the files
#   utils/format.sh --check   names those that differ, and fails if there are any
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tool=$(command -v clang-format-22) ||
  { echo "format: clang-format-22 is missing; run utils/setup.sh" >&2; exit 1; }
mapfile -t files < <(find include lib passes test tools -type f \
    \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) | sort)
if [ "${1:-}" != --check ]; then
  printf '%s\0' "${files[@]}" | xargs -0 -n 32 -P "$(nproc)" "$tool" -i
  exit
fi
differ=$(printf '%s\0' "${files[@]}" |
    xargs -0 "$tool" --dry-run 2>&1 |
    sed -nE 's/^([^ ]+):[0-9]+:[0-9]+: warning: code should be clang-formatted.*/\1/p' |
    sort -u)
[ -z "$differ" ] || { echo "$differ"; echo "run utils/format.sh" >&2; exit 1; }
