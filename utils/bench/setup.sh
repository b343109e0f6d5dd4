#!/usr/bin/env bash
# Sets up the virtual environment for the scripts in this folder: the peers,
# pinned, and this repository's Python package.
#   utils/bench/setup.sh [VENV]         (default: .venv-bench in the repository)
# Quick when there is nothing to do. PYTHON chooses the interpreter (3.11).
# BENCH_EXTRA adds packages for further peers: BENCH_EXTRA="ctranslate2==4.8.5".
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
venv=${1:-$repo/.venv-bench}
python=${PYTHON:-python3}
read -r -a extra <<< "${BENCH_EXTRA:-}"
stamp=$venv/bench.sha256
# The package's sources count too: it is installed as a copy.
want=$({ cat "$here/requirements.txt" "$repo"/tools/python/pyproject.toml \
             "$repo"/tools/python/plm/*.py; echo "${extra[*]-}"; } | sha256sum)

if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
  echo "$venv is up to date"
  exit 0
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$version" != 3.11 ]; then
  echo "setup.sh: $python is Python $version, the pinned packages need 3.11; set PYTHON" >&2
  exit 1
fi
if ! "$python" -m venv "$venv"; then
  echo "setup.sh: no virtual environment; on Debian: apt-get install python3-venv" >&2
  exit 1
fi
pip=("$venv/bin/python" -m pip install --disable-pip-version-check --quiet)
"${pip[@]}" --no-deps -r "$here/requirements.txt"
# With the setuptools of the list above, not with one of the day's.
# From a copy: pip leaves its build folder beside the sources.
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r "$repo"/tools/python/{pyproject.toml,README.md,plm} "$copy"
"${pip[@]}" --no-deps --no-build-isolation --force-reinstall "$copy"
if [ ${#extra[@]} -gt 0 ]; then
  "${pip[@]}" "${extra[@]}"
fi
(cd / && "$venv/bin/python" -c 'import onnxruntime, openvino, tokenizers, matplotlib, plm')
echo "$want" > "$stamp"
echo "$venv is ready; run the scripts with $venv/bin/python"
