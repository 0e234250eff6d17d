# Everything one does with this repository; `make` alone lists it. Nothing but make and Python 3.11 or newer is needed.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest
# Test processes; JOBS=0 runs the tests in one, where a debugger can be used.
JOBS ?= auto

# Every extra that pyproject.toml offers, but spandrel: it comes without the torchvision that it asks for and does not need here,
# for one of another build than torch's breaks transformers.
EXTRAS = $(shell $(BIN)/python -c \
	'import tomllib; print(",".join(sorted({*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]} - {"spandrel"})))')

.DEFAULT_GOAL := help
.PHONY: help setup extras demo picture gallery known test test-portable test-slow test-extras check format bench bench-gpu bundled estimator study clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install gendeg with every package pinned (once; again when a pin changes)

# The build backend comes from the lock too, hence two steps and no build isolation.
$(READY): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; set PYTHON=/path/to/python" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet -c constraints.txt pip hatchling editables
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	@touch $@

demo: export HF_HUB_OFFLINE = 1
demo: setup ## degrade the sample photos: haze, then a sheet of all six at three intensities
	$(BIN)/gendeg synth --type haze --intensity 0.6 --out out/demo/haze --overwrite
	$(BIN)/gendeg synth --type all --intensity 0.25,0.5,0.75 --size 224 --out out/demo/all --overwrite
	@echo "Open out/demo/all/sheet.png (and out/demo/haze/sheet.png)"

picture: setup ## draw the README's picture again: six degradations, and one at five strengths
	$(BIN)/python docs/picture.py

gallery: setup ## draw docs/gallery.md again: everything at five strengths, by the bundled model and by physics
	rm -rf out/gallery
	$(BIN)/python docs/gallery.py

known: setup ## make the bundled model's known image again (gendeg doctor), after other weights
	$(BIN)/python -c 'from gendeg.doctor.known import keep_known; keep_known()'

test: setup ## the tests, without those marked slow
	$(PYTEST) -n $(JOBS) -m "not slow"

test-portable: setup ## numeric tests as a processor without AVX would run them
	ATEN_CPU_CAPABILITY=default $(PYTEST) -n $(JOBS) -m "not slow" tests/model tests/restore tests/training tests/golden

extras: setup ## install the optional packages too (EXTRAS=ray,adam8bit; all of pyproject.toml)
	$(PIP) install --quiet -c constraints.txt --no-build-isolation -e '.[$(EXTRAS)]'
	$(PIP) install --quiet -c constraints.txt --no-deps spandrel einops

test-extras: extras ## the tests that need optional packages, and their pins
	$(BIN)/python -c 'import bitsandbytes, einops, lmdb, pillow_heif, pillow_jxl, ray'
	$(PYTEST) tests/slow/test_ray.py tests/slow/test_adam8bit.py tests/export tests/test_lock.py tests/primitives/test_pictures.py \
		tests/build/test_inputs.py tests/restore/test_foreign.py

test-slow: setup ## only the tests marked slow
	$(PYTEST) -m slow || test $$? -eq 5 # 5: nothing carries the mark

check: setup ## ruff, mypy, and the tests of the ladder, names and pins
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(PYTEST) -q tests/test_layers.py tests/test_sizes.py tests/test_lock.py

format: setup ## let ruff arrange the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## time every script in benchmarks/ on this machine
	@for script in $(filter-out benchmarks/gpu.py benchmarks/leg.py benchmarks/pack_data.py benchmarks/parts.py benchmarks/replay.py benchmarks/same_as.py benchmarks/sizes.py,$(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-gpu: setup ## what each change brings on this GPU, in five minutes; CPU=1: at toy size, without one
	$(BIN)/python benchmarks/gpu.py $(if $(CPU),--cpu) $(if $(STUDENT),--student "$(STUDENT)")

bundled: setup ## train the bundled model again: make bundled CLEAN=/a/folder/of/photos [PAIRS=real.jsonl] [MINUTES=720]
	@test -n "$(CLEAN)" || { echo "say where clean photos are: make bundled CLEAN=/a/folder" >&2; exit 2; }
	$(BIN)/python -m gendeg bundle "$(CLEAN)" --recipe manifests/recipes/bundled.toml --out runs/bundled --install \
		$(if $(PAIRS),--pairs "$(PAIRS)") $(if $(MINUTES),--minutes $(MINUTES))

estimator: setup ## train what synth --like estimates with: make estimator CLEAN=/a/folder/of/photos [PAIRS=real.jsonl]
	@test -n "$(CLEAN)" || { echo "say where clean photos are: make estimator CLEAN=/a/folder" >&2; exit 2; }
	$(BIN)/python -m gendeg estimator "$(CLEAN)" $(if $(PAIRS),--pairs "$(PAIRS)") --overwrite \
		--out gendeg/estimator/estimator.safetensors

# The table of photos and pairs beside a checkout, where there is one; CLEAN, PAIRS and REAL name others.
SHARED := $(wildcard ../shared/data/index.csv)
STUDY_CLEAN = $(or $(CLEAN),$(SHARED))
STUDY_PAIRS = $(or $(PAIRS),$(if $(CLEAN),,$(SHARED)))
STUDY_REAL = $(or $(REAL),$(if $(CLEAN),,$(SHARED)))

study: setup ## train restorers with and without generated data: make study CLEAN=/photos PAIRS=pairs/manifest.jsonl
	@test -n "$(STUDY_CLEAN)" || { echo "say where clean photos are: make study CLEAN=/a/folder (or a .txt list, or a .csv with \
path and split); PAIRS=manifest.jsonl and REAL=/photos/by/degradation add real pairs and task transfer" >&2; exit 2; }
	$(BIN)/python -m gendeg restore study --recipe ood --out out/study --clean "$(STUDY_CLEAN)" \
		$(if $(STUDY_PAIRS),--pairs "$(STUDY_PAIRS)") $(if $(STUDY_REAL),--real "$(STUDY_REAL)")

clean: ## remove what demo, build and the tools left; .venv and runs/ stay
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache
	find gendeg tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
