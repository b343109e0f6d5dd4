#!/usr/bin/env bash
# Installs what plmc needs to be built and tested on Debian 12:
#   - the packages of utils/packages.txt (as root or through sudo);
#   - the Python packages of utils/requirements-test.txt, into .venv.
# What is there already is left alone, so a second run takes no time.
#
#   utils/setup.sh
#
# PYTHON chooses the interpreter for .venv (3.11 or newer).
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { echo "setup: $*"; }
die() { echo "setup: $*" >&2; exit 1; }

# 1:22.1.8-1~deb12u1 -> 22
major() { sed -E 's/^[0-9]+://; s/[^0-9].*//' <<< "$1"; }

installed_version() {
  { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null || true; } |
    sed -n 's/^installed //p'
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    env DEBIAN_FRONTEND=noninteractive "$@"
  elif command -v sudo > /dev/null; then
    sudo env DEBIAN_FRONTEND=noninteractive "$@"
  else
    die "installing packages needs root or sudo; as root run: utils/setup.sh"
  fi
}

# NAME=VERSION that apt can install now: the pinned version, or else the newest
# one of the same major version.
installable() {
  local name=$1 pinned=$2 offered
  offered=$({ apt-cache madison "$name" 2>/dev/null || true; } | awk -F'|' '
    $3 ~ /Packages/ { gsub(/ /, "", $2); print $2 }')
  if grep -qxF -- "$pinned" <<< "$offered"; then
    echo "$name=$pinned"
    return
  fi
  local version
  while read -r version; do
    if [ -n "$version" ] && [ "$(major "$version")" = "$(major "$pinned")" ]; then
      say "$name: version $pinned is no longer offered, taking $version" >&2
      echo "$name=$version"
      return
    fi
  done <<< "$offered"
  die "no package $name of version $(major "$pinned"); this needs Debian 12" \
      "with its security archive (bookworm-security)"
}

setup_packages() {
  local wanted=() name pinned version
  while IFS='=' read -r name pinned; do
    version=$(installed_version "$name")
    if [ -z "$version" ] || [ "$(major "$version")" != "$(major "$pinned")" ]; then
      wanted+=("$name=$pinned")
    fi
  done < <(grep -E '^[a-z]' "$repo/utils/packages.txt")
  if [ ${#wanted[@]} = 0 ]; then
    say "the packages are there"
    return
  fi
  command -v apt-get > /dev/null ||
    die "missing ${wanted[*]%%=*}; without apt-get install them by hand"
  say "installing ${#wanted[@]} packages: ${wanted[*]%%=*}"
  as_root apt-get update -qq || say "apt-get update failed; going on with the lists there are"
  local now=() one
  for one in "${wanted[@]}"; do
    # Not in the array's brackets: a failure there would go unseen.
    one=$(installable "${one%%=*}" "${one#*=}")
    now+=("$one")
  done
  as_root apt-get install -y -qq --no-install-recommends "${now[@]}" < /dev/null ||
    die "apt-get install failed; its message is above"
}

setup_python() {
  local venv=$repo/.venv python=${PYTHON:-/usr/bin/python3}
  local requirements=$repo/utils/requirements-test.txt want
  # The folder's own path counts: a virtual environment cannot be moved.
  want=$( (cat "$requirements"; "$python" --version; echo "$venv") | sha256sum)
  if [ "$(cat "$venv/stamp" 2>/dev/null)" = "$want" ]; then
    say "the Python packages are there"
    return
  fi
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die "$python is older than Python 3.11; choose another with PYTHON="
  say "installing the Python packages into $venv"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --no-deps \
      -r "$requirements"
  "$venv/bin/python" -c 'import numpy, onnx, onnxruntime'
  echo "$want" > "$venv/stamp"
}

[ "$(uname -m)" = x86_64 ] || die "plmc runs on x86-64 Linux today, this is $(uname -m)"
setup_packages
setup_python
