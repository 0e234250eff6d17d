#!/usr/bin/env bash
# The folder that a training leg takes to a lent GPU machine, and the command to run there.
#   bash benchmarks/prepare_leg.sh                        data from ../shared/data/index.csv, start from the bundled model
#   PARTS=runs/leg bash benchmarks/prepare_leg.sh         go on from what an earlier leg brought back, or from a model
#                                                         that `leg.py split` has cut; they take room from the data, so
#                                                         where they can be installed as the bundled model, do that
# INDEX names another table of photos and pairs (see pack_data.py), LEG another folder than .leg, MOST the megabytes of
# data at most, ROOM the megabytes that may travel with the checkout in all, PACKAGES what is missing there.
set -euo pipefail
cd "$(dirname "$0")/.."
leg=${LEG:-.leg}
index=${INDEX:-../shared/data/index.csv}
most=${MOST:-27}
room=${ROOM:-65}
python=${PYTHON:-.venv/bin/python}
packages=${PACKAGES:-$(grep -E '^(diffusers|importlib_metadata)==' constraints.txt | tr '\n' ' ')}
platforms=()
for platform in manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64; do
  platforms+=(--platform "$platform")
done

mkdir -p "$leg/wheels"
rm -rf "$leg/wheels"/* "$leg/data" "$leg/parts"
# shellcheck disable=SC2086 # several packages
"${PIP_PYTHON:-$python}" -m pip download -q --no-deps --only-binary=:all: --python-version "${PYTHON_THERE:-3.12}" \
  --implementation cp "${platforms[@]}" -d "$leg/wheels" $packages
if [ -n "${PARTS:-}" ]; then
  mkdir -p "$leg/parts"
  generation=$("$python" -c 'import json, sys; print(" ".join(json.load(open(sys.argv[1]))["files"]))' "$PARTS/parts.json")
  for name in $generation parts.json; do cp "$PARTS/$name" "$leg/parts/"; done
fi
bytes() { xargs -0 -r du -cb 2>/dev/null | awk '/\ttotal$/ {sum += $1} END {print sum + 0}'; }
tracked=$(git ls-files -z --cached --others --exclude-standard | bytes)
taken=$(find "$leg" -type f -print0 | bytes)
left=$(((room * 1000000 - tracked - taken) / 1000000))
[ "$left" -lt "$most" ] && most=$left && echo "the checkout has $((tracked / 1000000)) MB: $most MB are left for data"
[ "$most" -ge 2 ] || { echo "no room for data; raise ROOM, or install the parts as the bundled model" >&2; exit 1; }
PYTHONPATH=$PWD "$python" benchmarks/pack_data.py "$leg/data" --index "$index" --most "$most"

echo "$leg: $(($(find "$leg" -type f -print0 | bytes) / 1000000)) MB; with the checkout \
$(((tracked + $(find "$leg" -type f -print0 | bytes)) / 1000000)) MB"
echo
echo "On the lent machine, in a copy of this checkout with $leg (ignored by git, to be carried), within 590 s:"
echo "  OUT=\${OUT:-runs/leg} bash benchmarks/gpu_leg.sh $leg"
echo "and here, with what comes back:"
echo "  python benchmarks/leg.py join THE_FILES runs/leg-model && gendeg synth --model runs/leg-model"
