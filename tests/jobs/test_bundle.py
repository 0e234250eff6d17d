"""The whole chain at smoke size: photos → pairs → three trainings → priors → a model that `synth` can use."""

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from gendeg.configs import AutoencoderConfig
from gendeg.jobs.bundle import check_recipe, read_recipe, run_recipe
from gendeg.jobs.recipe import preset_names
from gendeg.jobs.train_autoencoder import train_autoencoder
from gendeg.model.weights import load_pipeline
from gendeg.primitives.errors import BadManifest, DifferentRun, NoPairs, NothingToResume, RunExists
from tests.tiny import clean_image, generators, photo

TRAINING = """sizes = "smoke"
steps = 4
batch_size = 2
size = 32
precision = "no"
log_every = 1
sheet_every = 4
checkpoint_every = 2
warmup = 1
workers = 1
"""
RECIPE = (
    '[simulate]\ntypes = "all,rain+haze"\nper_image = 7\nsize = 32\nworkers = 1\nvalidation = 0.4\n'
    + "".join(f"[{step}]\n{TRAINING}" for step in ("autoencoder", "diffusion", "structure"))
    + 'residual = true\n[export]\nsteps = 2\nstructure_degradations = ["haze", "rain"]\nresidual_decoding = true\n'
    + 'spread_degradations = ["rain"]\n'
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bundle")
    (root / "photos").mkdir()
    for number in range(4):
        Image.fromarray(photo(40, 44, seed=number)).save(root / "photos" / f"{number}.png")
    (root / "recipe.toml").write_text(RECIPE)
    run_recipe((root / "photos",), root / "recipe.toml", root / "out")
    return root


def test_the_model_samples_and_its_weights_are_half_precision_safetensors(made: Path) -> None:
    model = made / "out" / "model"
    pipeline = load_pipeline(str(model))
    trained = load_pipeline(str(made / "out" / "diffusion" / "model"))
    assert pipeline.config.residual_gain == trained.config.residual_gain == 2.0
    assert pipeline.config.residual_decoding and pipeline.config.spread_degradations == ["rain"]
    assert not trained.config.residual_decoding
    image = pipeline(clean_image(20, 28), ["a photo"], [0.1], [0.1], generators(0))
    assert image.shape == (1, 3, 20, 28)
    weights = sorted(path.relative_to(model).parts[0] for path in model.rglob("*.safetensors"))
    assert weights == ["conditioner", "structure", "text_encoder", "unet", "vae"]
    dtypes = {
        str(t.dtype) for path in model.rglob("*.safetensors") for t in load_file(path).values() if t.is_floating_point()
    }
    assert dtypes == {"torch.float16"}
    assert not [path for path in model.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert "| diffusion |" in (model / "README.md").read_text()


def test_every_step_leaves_its_log_and_sheet(made: Path) -> None:
    for step in ("autoencoder", "diffusion", "structure"):
        with open(made / "out" / step / "log.csv") as stream:
            assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2", "3", "4"]
        assert (made / "out" / step / "sheet-00000004.png").is_file()
    assert len(list((made / "out" / "priors").glob("*/simulated.json"))) == 7


def test_again_runs_nothing_twice(made: Path) -> None:
    before = {
        p: p.stat().st_mtime_ns
        for p in (made / "out").rglob("*")
        if p.is_file() and "model" not in p.parts and "priors" not in p.parts
    }
    run_recipe((made / "photos",), made / "recipe.toml", made / "out")
    assert {p: p.stat().st_mtime_ns for p in before} == before


def autoencoder_config(made: Path, out: Path, **changes: object) -> AutoencoderConfig:
    settings = {
        "sizes": "smoke",
        "steps": 4,
        "batch_size": 2,
        "size": 32,
        "precision": "no",
        "log_every": 1,
        "sheet_every": 4,
        "checkpoint_every": 2,
        "warmup": 1,
        "workers": 1,
        **changes,
    }
    return AutoencoderConfig(pairs=(made / "out" / "pairs" / "manifest.jsonl",), out=out, **settings)  # type: ignore[arg-type]


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
    ],
)
def test_a_wrong_recipe_is_refused_before_anything_runs(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(BadManifest, match=says):
        run_recipe((tmp_path,), tmp_path / "r.toml", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_one_readable_photo_nothing_counts_as_done(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    (tmp_path / "r.toml").write_text("[simulate]\nworkers = 1\n")
    with pytest.raises(NoPairs):
        run_recipe((tmp_path / "a.png",), tmp_path / "r.toml", tmp_path / "out")
    assert not (tmp_path / "out" / "pairs" / "done").exists()


def test_the_recipes_that_come_along_are_right() -> None:
    folder = Path(__file__).parents[2] / "manifests" / "recipes"
    assert {"paper", "bundled", "smoke"} <= set(preset_names())
    for name in preset_names():
        check_recipe(read_recipe(folder / f"{name}.toml", Path("x")))
