"""Every command with --out: what somebody put there is refused or kept, whatever its name; reruns are no strangers."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gendeg.bundle.bundle import make_bundle
from gendeg.bundle.config import BundleConfig
from gendeg.convert.config import ConvertConfig
from gendeg.convert.convert import convert
from gendeg.curate.config import CurateConfig
from gendeg.curate.curate import curate
from gendeg.evaluate.config import EvaluateConfig, GapConfig
from gendeg.evaluate.evaluate import evaluate
from gendeg.evaluate.gap import gap
from gendeg.export.config import ExportConfig
from gendeg.export.export import export
from gendeg.pairs.config import IngestConfig, SimulateConfig
from gendeg.pairs.ingest import ingest
from gendeg.pairs.show import show_pairs
from gendeg.pairs.simulate import plan_tasks, simulate
from gendeg.primitives.errors import ForeignFolder, OutputExists
from gendeg.primitives.files import data_root
from gendeg.primitives.folders import claim, refuse_foreign
from gendeg.primitives.images import encode_image, write_image
from gendeg.priors.fit import fit_priors, plot_priors
from gendeg.restore.config import RestoreEvalConfig
from gendeg.restore.eval import report_restorer
from gendeg.study.study import study
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_synthesis
from gendeg.training.config import TrainConfig
from gendeg.training.state import Checkpoints, checkpoints_in, start
from tests.builds import write_photos
from tests.few_pairs import write_pairs
from tests.studies import small_study
from tests.tiny import photo


def put(path: Path, text: str = "mine") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def simulation(root: Path, **changes: object) -> SimulateConfig:
    given = {"clean": (root / "photos",), "out": root / "out", "per_image": 1, "size": 16, "workers": 1}
    return SimulateConfig(**(given | {"progress": False} | changes))  # type: ignore[arg-type]


def packed_pairs(root: Path) -> Path:
    """A tar of pairs: their halves have to be copied."""
    path = root / "pairs.tar"
    with tarfile.open(path, "w") as tar:
        for number in range(2):
            clean = photo(32, 40, seed=number)
            for half, image in (("clean", clean), ("dark", clean // 2)):
                file = root / f"{number}.{half}.png"
                file.write_bytes(encode_image(image.astype(np.uint8), "png"))
                tar.add(file, file.name)
                file.unlink()
    return path


def ingestion(root: Path, **changes: object) -> IngestConfig:
    halves = {"type": "low_light", "degraded": "dark.png", "clean": "clean.png"}
    return IngestConfig(out=root / "out", root=str(packed_pairs(root)), progress=False, **(halves | changes))  # type: ignore[arg-type]


RECIPE = data_root("manifests") / "recipes/bundled.toml"
REFUSED: dict[str, tuple[str, Callable[[Path], object]]] = {
    "simulate, failures": ("out/failures.jsonl", lambda root: simulate(simulation(root))),
    "simulate, clean": ("out/clean/p0-v00.png", lambda root: simulate(simulation(root, overwrite=True))),
    "simulate, degraded": ("out/degraded/x.png", lambda root: simulate(simulation(root))),
    "ingest, failures": ("out/failures.jsonl", lambda root: ingest(ingestion(root, overwrite=True))),
    "ingest, clean": ("out/clean/0.png", lambda root: ingest(ingestion(root))),
    "evaluate": (
        "out/results.json",
        lambda root: evaluate(EvaluateConfig(clean=root / "photos", out=root / "out", progress=False)),
    ),
    "evaluate, config": (
        "out/config.json",
        lambda root: evaluate(EvaluateConfig(clean=root / "photos", out=root / "out", progress=False)),
    ),
    "convert": (
        "out/thesis.tex",
        lambda root: convert(ConvertConfig(checkpoint=root / "a.ckpt", out=root / "out", overwrite=True)),
    ),
    "bundle": (
        "out/photos/train.txt",
        lambda root: make_bundle(BundleConfig(clean=(root / "photos",), recipe=RECIPE, out=root / "out")),
    ),
    "bundle, config": (
        "out/config.json",
        lambda root: make_bundle(BundleConfig(clean=(root / "photos",), recipe=RECIPE, out=root / "out")),
    ),
    "export": (
        "out/train/gt/0.png",
        lambda root: export(ExportConfig((str(write_pairs(root / "set")),), root / "out", progress=False)),
    ),
    "study": ("study/index.html", lambda root: study(small_study(root, out=root / "study"))),
    "train": (
        "out/model/weights",
        lambda root: start(TrainConfig(pairs=(), out=root / "out", precision="no", cpu=True, tracker="none")),
    ),
    "curate, folder": (
        "few/clean/x.png",
        lambda root: curate(CurateConfig((write_pairs(root / "set"),), root / "few.jsonl", copy=True, progress=False)),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_folder_in_use_is_refused(tmp_path, name):
    place, run = REFUSED[name]
    write_photos(tmp_path / "photos", 2)
    theirs = put(tmp_path / place)
    with pytest.raises(ForeignFolder):
        run(tmp_path)
    assert theirs.read_text() == "mine"


KEPT: dict[str, tuple[str, Callable[[Path], object]]] = {
    "curate, dropped": (
        "few.dropped.jsonl",
        lambda root: curate(CurateConfig((write_pairs(root / "set"),), root / "few.jsonl", progress=False)),
    ),
    "gap, page": (
        "out/gap.html",
        lambda root: gap(GapConfig(synthetic=root, real=root, out=root / "out", progress=False)),
    ),
    "restore eval, scores": (
        "out/scores.jsonl",
        lambda root: report_restorer(RestoreEvalConfig(model=root, pairs=(root / "m.jsonl",), out=root / "out")),
    ),
    "priors fit": ("out/haze/plain.json", lambda root: fit_priors((write_pairs(root / "set"),), root / "out")),
    "pairs show": ("sheet.png", lambda root: show_pairs(write_pairs(root / "set"), root / "sheet.png")),
    "priors show": ("priors.svg", lambda root: plot_priors(None, root / "priors.svg")),
}


@pytest.mark.parametrize("name", KEPT)
def test_a_file_in_the_way_is_refused(tmp_path, name):
    place, run = KEPT[name]
    theirs = put(tmp_path / place)
    with pytest.raises(OutputExists):
        run(tmp_path)
    assert theirs.read_text() == "mine"


def test_a_folder_of_another_job_is_no_place_either(tmp_path):
    claim(tmp_path / "run", "train")
    for job in ("build", "evaluate"):
        with pytest.raises(ForeignFolder, match="what gendeg train made"):
            refuse_foreign(tmp_path / "run", job, ours=True)


# --- the same again ---


def test_priors_are_fitted_again_but_an_edited_weight_is_asked_for(tmp_path):
    manifest = write_pairs(tmp_path / "set")
    (first, *_) = fit_priors((manifest,), tmp_path / "out")
    assert fit_priors((manifest,), tmp_path / "out")
    edited = json.loads(first.read_text()) | {"weight": 0.25}
    first.write_text(json.dumps(edited))
    with pytest.raises(OutputExists):
        fit_priors((manifest,), tmp_path / "out")
    assert json.loads(first.read_text())["weight"] == 0.25
    fit_priors((manifest,), tmp_path / "out", overwrite=True)
    assert json.loads(first.read_text())["weight"] == 1.0


def test_pictures_are_drawn_again(tmp_path):
    manifest = write_pairs(tmp_path / "set")
    for _ in range(2):
        show_pairs(manifest, tmp_path / "sheet.png")
    show_pairs(write_pairs(tmp_path / "set", 4), tmp_path / "sheet.png", overwrite=True)


@pytest.mark.parametrize("out", [".", "pairs", "deep/pairs"])
def test_simulated_pairs_inside_the_photos_are_not_simulated_again(tmp_path, out):
    write_photos(tmp_path / "photos", 3)
    config = simulation(tmp_path, out=tmp_path / "photos" / out)
    assert len(simulate(config).pairs) == 3
    again = simulation(tmp_path, out=tmp_path / "photos" / out, overwrite=True)
    assert len(plan_tasks(again)) == len(simulate(again).pairs) == 3
    other = simulation(tmp_path, out=tmp_path / "other")
    assert len(plan_tasks(other)) == 3, "another run's are no photos either"


def test_copies_of_ingested_pairs_are_written_again(tmp_path):
    for overwrite in (False, True):
        assert len(ingest(ingestion(tmp_path, overwrite=overwrite)).pairs) == 2


def test_a_photo_called_sheet_is_degraded(tmp_path):
    write_image(photo(20, 20), tmp_path / "sheet.png", "png")
    plan = plan_synthesis(SynthConfig(paths=(tmp_path,), out=tmp_path, types="haze", overwrite=True))
    assert [one.photo.title for one in plan.photos] == ["sheet.png"]
    put(tmp_path / "records.jsonl", "")  # a run's own by now
    write_image(photo(20, 20), tmp_path / "a.png", "png")
    plan = plan_synthesis(SynthConfig(paths=(tmp_path,), out=tmp_path, types="haze", overwrite=True))
    assert [one.photo.title for one in plan.photos] == ["a.png"]


def test_only_a_runs_own_checkpoints_are_dropped(tmp_path):
    config = TrainConfig(pairs=(), out=tmp_path / "run", precision="no", cpu=True, tracker="none", keep_checkpoints=1)
    accelerator = start(config)
    for name in ("checkpoint-best", "checkpoint-00000001-copy", ".checkpoint-best.partial"):
        put(tmp_path / "run" / name / "weights")
    for step in (1, 2, 3):
        Checkpoints(accelerator, config).save(step)
    assert [path.name for path in checkpoints_in(tmp_path / "run")] == ["checkpoint-00000003"]
    kept = {path.parent.name for path in (tmp_path / "run").rglob("weights")}
    assert kept == {"checkpoint-best", "checkpoint-00000001-copy", ".checkpoint-best.partial"}
