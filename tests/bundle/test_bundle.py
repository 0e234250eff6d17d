"""The whole chain at smoke size: photos → autoencoder → diffusion → priors → a model that `synth` can use."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from gendeg.bundle.bundle import make_bundle
from gendeg.bundle.config import BundleConfig
from gendeg.model.weights import load_pipeline
from gendeg.pairs.pair import read_manifest
from gendeg.primitives.errors import BadManifest, BadOption, DifferentRun, NothingToResume, RunExists
from gendeg.training.autoencoder import train_autoencoder
from gendeg.training.config import AutoencoderConfig
from gendeg.training.presets import preset_names, read_recipe
from tests.few_pairs import write_pairs
from tests.tiny import clean_image, generators, photo

TRAINING = """sizes = "smoke"
steps = 4
batch_size = 2
size = 32
view = 40
precision = "no"
log_every = 1
sheet_every = 4
checkpoint_every = 2
warmup = 1
workers = 1
cpu = true
tracker = "none"
"""
RECIPE = (
    "[simulate]\nper_image = 7\nsize = 32\nworkers = 1\nvalidation = 0.4\n"
    f'[autoencoder]\n{TRAINING}types = "all,rain+haze"\n'
    f'[diffusion]\n{TRAINING}types = "all,rain+haze"\nnoise_width = 1.4\nsample_steps = 2\nweights = "haze=2"\n'
    "[export]\nsteps = 2\nstrength_gain = 1.1\nevenness = { haze = 0.3 }\nveils = { haze = 17 }\n"
)
CALIBRATE = (
    '[calibrate]\nphotos = 1\nrounds = 1\nintensities = [0.5, 0.9]\nsize = 32\ntypes = "haze,rain"\ndevice = "cpu"\n'
)


def write_inputs(root: Path, recipe: str, photos: int = 4) -> BundleConfig:
    (root / "photos").mkdir()
    for number in range(photos):
        Image.fromarray(photo(40, 44, seed=number)).save(root / "photos" / f"{number}.png")
    (root / "recipe.toml").write_text(recipe)
    real = write_pairs(root / "real", count=2)
    return BundleConfig((root / "photos",), root / "recipe.toml", root / "out", pairs=(real,), weights="plain=3")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("bundle")
    make_bundle(write_inputs(root, RECIPE))
    return root


@pytest.mark.slow
def test_the_model_samples_and_its_weights_are_half_precision_safetensors(made: Path) -> None:
    model = made / "out" / "model"
    pipeline = load_pipeline(str(model))
    assert pipeline.config.residual_decoding and pipeline.config.strength_gain == 1.1
    assert pipeline.config.evenness == {"haze": 0.3} and pipeline.config.veils == {"haze": 17}
    assert pipeline.structure is None and pipeline.config.steps == 2
    assert set(pipeline.config.change_scale) >= {"haze", "rain", "rain+haze"}
    image = pipeline(clean_image(20, 28), ["a photo"], [0.1], [0.1], generators(0), degradations=["haze"])
    assert image.shape == (1, 3, 20, 28)
    weights = sorted(path.relative_to(model).parts[0] for path in model.rglob("*.safetensors"))
    assert weights == ["conditioner", "text_encoder", "unet", "vae"]
    dtypes = {
        str(t.dtype) for path in model.rglob("*.safetensors") for t in load_file(path).values() if t.is_floating_point()
    }
    assert dtypes == {"torch.float16"}
    assert not [path for path in model.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert "| diffusion |" in (model / "README.md").read_text()


@pytest.mark.slow
def test_every_step_leaves_its_log_and_sheet(made: Path) -> None:
    for step in ("autoencoder", "diffusion"):
        with open(made / "out" / step / "log.csv") as stream:
            assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2", "3", "4"]
        assert (made / "out" / step / "sheet-00000004.png").is_file()
    assert len(list((made / "out" / "priors").glob("*/simulated.json"))) == 7


@pytest.mark.slow
def test_no_photo_that_is_held_out_is_learnt_from(made: Path) -> None:
    train, held = (set((made / "out" / "photos" / f"{name}.txt").read_text().split()) for name in ("train", "held_out"))
    assert len(train) == 2 and len(held) == 2 and not train & held
    shown = {
        pair.clean.path.split("/")[-1].split("-v")[0] for pair in read_manifest(made / "out/held_out/manifest.jsonl")
    }
    assert shown == {Path(path).stem for path in held}
    assert {pair.split for pair in read_manifest(made / "out/held_out/manifest.jsonl")} == {"validation"}
    for step in ("autoencoder", "diffusion"):
        learnt = json.loads((made / "out" / step / "config.json").read_text())
        assert learnt["clean"] == [str(made / "out" / "photos" / "train.txt")]


@pytest.mark.slow
def test_again_runs_nothing_twice(made: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (made / "out").rglob("*") if p.is_file()}
    config = BundleConfig(
        (made / "photos",), made / "recipe.toml", made / "out", pairs=(made / "real/manifest.jsonl",), weights="plain=3"
    )
    make_bundle(config)
    assert {p: p.stat().st_mtime_ns for p in before} == before
    with pytest.raises(DifferentRun, match="weights"):
        make_bundle(replace(config, weights=""))


def test_minutes_may_change_until_a_stage_is_decided(tmp_path: Path) -> None:
    """As after a run that refused too few of them."""
    config = replace(write_inputs(tmp_path, RECIPE), minutes=0.01)
    with pytest.raises(BadOption, match=r"--minutes: here it takes \d+\.\d at least"):
        make_bundle(config)
    assert not (tmp_path / "out" / "autoencoder" / "config.json").exists()
    with pytest.raises(BadOption, match="--minutes: here it takes"):
        make_bundle(replace(config, minutes=0.02))
    told = json.loads((tmp_path / "out" / "plan.json").read_text()) if (tmp_path / "out/plan.json").exists() else {}
    plan = {"steps": 4, "warmup": 0, "sheet_every": 4, "checkpoint_every": 4, "seconds": 9.0, "after": 0.0}
    (tmp_path / "out" / "plan.json").write_text(json.dumps({"spent": 0.0, **told, "autoencoder": plan}))
    with pytest.raises(DifferentRun, match="minutes"):
        make_bundle(replace(config, minutes=0.03))


def autoencoder_config(made: Path, out: Path, **changes: object) -> AutoencoderConfig:
    settings: dict[str, object] = {
        "sizes": "smoke",
        "steps": 4,
        "batch_size": 2,
        "size": 32,
        "view": 40,
        "types": "all,rain+haze",
        "precision": "no",
        "cpu": True,
        "tracker": "none",
        "log_every": 1,
        "sheet_every": 4,
        "checkpoint_every": 2,
        "warmup": 1,
        "workers": 1,
        **changes,
    }
    places = {
        "pairs": (made / "real" / "manifest.jsonl", made / "out" / "held_out" / "manifest.jsonl"),
        "clean": (made / "out" / "photos" / "train.txt",),
    }
    return AutoencoderConfig(**places, out=out, **settings)  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_resumed_run_is_the_same_run_to_the_last_bit(made: Path, tmp_path: Path) -> None:
    whole = made / "out" / "autoencoder"
    broken = tmp_path / "run"
    train_autoencoder(autoencoder_config(made, broken))
    shutil.rmtree(broken / "checkpoint-00000004")
    shutil.rmtree(broken / "vae")
    train_autoencoder(autoencoder_config(made, broken, resume=True))
    assert (broken / "log.csv").read_text() == (whole / "log.csv").read_text()
    name = "vae/diffusion_pytorch_model.safetensors"
    assert (broken / name).read_bytes() == (whole / name).read_bytes()
    with pytest.raises(RunExists):
        train_autoencoder(autoencoder_config(made, broken))
    with pytest.raises(DifferentRun, match="learning_rate"):
        train_autoencoder(autoencoder_config(made, broken, resume=True, learning_rate=1.0))
    with pytest.raises(NothingToResume):
        train_autoencoder(autoencoder_config(made, tmp_path / "nothing", resume=True))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[autoencoder]\nstep = 3\n", "no setting step"),
        ("[train]\n", "unknown step"),
        ("autoencoder = 3", "unknown step autoencoder"),
        ("x = [", "not TOML"),
        ("[diffusion]\nsteps = 3\n", r"needs a table \[autoencoder\]"),
        ("[structure]\nsteps = 3\n", "no step of a bundle any more"),
        ("[diffusion.gpu]\nstep = 3\n", r"\[diffusion.gpu\] has no setting step"),
        ("[diffusion]\ngpu = 3\n", r"r.toml: \[diffusion.gpu\] must be a table"),
        ("[autoencoder]\nsteps = '3'\n", r"r.toml: \[autoencoder\] steps must be a whole number, not '3'"),
        ("[autoencoder.gpu]\nprecision = 'fp8'\n", r"\[autoencoder.gpu\] precision must be one of no, fp16, bf16"),
        ("[autoencoder]\n[diffusion]\nsketch = 0.2\n[export]\nsketch = 0.5\n", "trained up to .* 0.2, and is to begin"),
        ("[autoencoder]\n[export]\nevenness = { hail = 0.1 }\n", "evenness: hail"),
        ("[autoencoder]\n[export]\nveils = { haze = 8 }\n", "veils: haze = 8"),
        ("[calibrate]\nintensities = 0.5\n", r"\[calibrate\] intensities must be a list"),
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_runs(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(BadManifest, match=says):
        make_bundle(BundleConfig((tmp_path,), tmp_path / "r.toml", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_without_two_readable_photos_nothing_counts_as_done(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    Image.fromarray(photo(40, 44)).save(tmp_path / "b.png")
    (tmp_path / "r.toml").write_text(RECIPE)
    with pytest.raises(BadOption, match="1 of these photos can be read"):
        make_bundle(BundleConfig((tmp_path / "a.png", tmp_path / "b.png"), tmp_path / "r.toml", tmp_path / "out"))
    assert not (tmp_path / "out" / "photos" / "done").exists()
    assert "a.png" in (tmp_path / "out" / "photos" / "failures.jsonl").read_text()


def test_the_recipes_that_come_along_are_right() -> None:
    folder = Path(__file__).parents[2] / "manifests" / "recipes"
    assert {"paper", "bundled", "smoke"} <= set(preset_names())
    for name in preset_names():
        read_recipe(folder / f"{name}.toml", Path("x"))
