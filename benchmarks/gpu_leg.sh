#!/usr/bin/env bash
# One leg of a training on a lent GPU machine that reaches nothing: bash benchmarks/gpu_leg.sh .leg [options of leg.py]
# Wants Python 3.11 or later with torch for CUDA there, and the folder that benchmarks/prepare_leg.sh has made.
# Everything that is to come back is written to $OUT (runs/leg where that is not set); see benchmarks/leg.py.
set -euo pipefail
started=$(date +%s)
cd "$(dirname "$0")/.."
carried=${1:-.leg}
shift || true
out=${OUT:-runs/leg}
python=${PYTHON:-python3}
mkdir -p "$out"
export PYTHONPATH=$PWD PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
if compgen -G "$carried/wheels/*.whl" >/dev/null; then
  site=$(mktemp -d)
  "$python" -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --target "$site" "$carried"/wheels/*.whl
  PYTHONPATH=$PYTHONPATH:$site
fi
# The log is written by tee, which what stops the training does not stop before it has the last line.
"$python" benchmarks/leg.py train "$carried" --out "$out" --started "$started" "$@" 2>&1 | tee "$out/log.txt"
