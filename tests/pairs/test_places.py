"""Every command takes every kind of place: the same photos of a folder, a tar, a table …, and the same pairs."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gendeg.bundle.photos import Photos, split_photos
from gendeg.cli.app import app
from gendeg.curate import curate
from gendeg.curate.config import CurateConfig
from gendeg.evaluate.gap_images import synthetic_images
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.pair import open_pairs, read_manifest
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos, open_real
from gendeg.pairs.simulate import plan_tasks
from gendeg.primitives.errors import BadManifest, BadOption, MissingPath
from gendeg.primitives.files import sha256_bytes
from gendeg.primitives.images import encode_image
from gendeg.restore.apply import plan_restoration
from gendeg.restore.config import RestoreApplyConfig
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_synthesis
from gendeg.training.config import AutoencoderConfig, FreshConfig
from gendeg.training.fresh_pairs import fresh_recipe, training_pairs
from tests.builds import finished_build
from tests.few_pairs import write_pairs
from tests.tiny import photo

COUNT = 4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same four pairs of haze and low light in every kind of place, and their clean photos in every kind."""
    import datasets

    root = tmp_path_factory.mktemp("places")
    pairs = read_manifest(write_pairs(root / "pairs", count=COUNT, held_out=0))
    (root / "photos").mkdir()
    lines = ["path,clean,kind,degradation,source,split"]
    photos, samples = {}, {}
    for number, pair in enumerate(pairs):
        clean, degraded = pair.clean.bytes(), pair.degraded.bytes()
        (root / "photos" / f"c{number}.png").write_bytes(clean)
        lines.append(f"pairs/d{number}.png,pairs/c{number}.png,pair,{pair.degradation},plain,train")
        photos[f"c{number}.png"] = clean
        record = {"degradation": pair.degradation, "source": "plain", "mu": pair.mu, "sigma": pair.sigma}
        record |= {"width": pair.width, "height": pair.height, "caption": "a photo", "origin": "existing"}
        told = json.dumps(record | {"clean_sha256": sha256_bytes(clean), "key": f"k{number}"}).encode()
        samples |= {f"k{number}.clean.png": clean, f"k{number}.degraded.png": degraded, f"k{number}.json": told}
    (root / "pairs.csv").write_text("\n".join(lines))
    (root / "photos.csv").write_text("path,kind\n" + "".join(f"photos/{name},clean\n" for name in photos))
    (root / "photos.txt").write_text("".join(f"photos/{name}\n" for name in photos))
    pack(root / "photos.tar", photos)
    pack(root / "train-00000.tar", samples)
    columns = {half: [getattr(pair, half).bytes() for pair in pairs] for half in ("clean", "degraded")}
    told = {"degradation": [pair.degradation for pair in pairs], "source": ["plain"] * COUNT}
    features = {half: datasets.Image() for half in columns} | {name: datasets.Value("string") for name in told}
    rows = {half: [{"bytes": data, "path": None} for data in some] for half, some in columns.items()} | told
    datasets.Dataset.from_dict(rows, features=datasets.Features(features)).save_to_disk(root / "saved")
    return root


def pack(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


PHOTOS: dict[str, str] = {
    "folder": "photos", "tar": "photos.tar", "table": "photos.csv", "list": "photos.txt",
    "manifest": "pairs/manifest.jsonl", "dataset": "saved",
}  # fmt: skip
PAIRS: dict[str, str] = {
    "manifest": "pairs/manifest.jsonl", "folder": "pairs", "table": "pairs.csv", "shard": "train-00000.tar",
    "dataset": "saved",
}  # fmt: skip
"""Kind of place → its name below the root; one that `gendeg build` made is looked at beside them."""


def place_of(root: Path, name: str) -> Path:
    return Path(f"hf:{root / name}") if name == "saved" else root / name


def found_by(command: str, place: Path, out: Path) -> list[Photo]:
    """What a command would work on."""
    if command == "synth":
        return [one.photo for one in plan_synthesis(SynthConfig(paths=(place,), out=out)).photos]
    if command == "pairs simulate":
        return [task.photo for task in plan_tasks(SimulateConfig(clean=(place,), out=out))]
    if command == "train":
        return list(fresh_recipe(AutoencoderConfig(pairs=(), out=out, clean=(place,)), ()).photos)
    if command == "bundle":
        lists = Photos(out)
        split_photos([place], lists, out / "bundle", 0.3, 0)
        return open_photos([lists.train, lists.held_out])
    return open_photos([place], split="train")  # evaluate, calibrate, restore transfer, study


@pytest.mark.parametrize("command", ["synth", "pairs simulate", "train", "bundle", "evaluate"])
@pytest.mark.parametrize("kind", PHOTOS)
def test_photos_are_the_same_wherever_they_lie(
    root: Path, tmp_path: Path, kind: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(root / "cache"))
    tmp_path.joinpath("out").mkdir()
    found = found_by(command, place_of(root, PHOTOS[kind]), tmp_path / "out")
    expected = sorted(path.read_bytes() for path in (root / "photos").iterdir())
    assert sorted(photo.bytes() for photo in found) == expected
    assert len({photo.stem for photo in found}) == COUNT and all(photo.image().shape == (32, 40, 3) for photo in found)


@pytest.mark.parametrize("kind", PAIRS)
def test_pairs_are_the_same_wherever_they_lie(root: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(root / "cache"))
    place = place_of(root, PAIRS[kind])
    expected = {(pair.degradation, pair.clean.bytes(), pair.degraded.bytes()) for pair in open_pairs([root / "pairs"])}
    for split in ("train", None):
        pairs = open_pairs([place], split)
        assert {(pair.degradation, pair.clean.bytes(), pair.degraded.bytes()) for pair in pairs} == expected
        assert {(pair.source, pair.split, pair.origin) for pair in pairs} == {("plain", "train", "existing")}
        assert len({pair.photo for pair in pairs}) == len({pair.name for pair in pairs}) == COUNT
    learned = training_pairs(FreshConfig(pairs=(place,), out=root))
    assert all(0 < pair.mu < 1 and (pair.width, pair.height) == (40, 32) for pair in learned), "measured where need be"
    if kind != "table":  # its rows of kind real count there
        kinds = synthetic_images(place, "--synthetic", "test", "", 0)
        assert {name: len(some) for name, some in kinds.items()} == {"haze": 2, "low_light": 2}


def test_a_dataset_that_gendeg_built_is_a_place_of_photos_and_of_pairs() -> None:
    root = finished_build() / "out"
    pairs, photos = open_pairs([root], "train"), open_photos([root], split="train")
    assert {pair.clean.bytes() for pair in pairs} == {photo.bytes() for photo in photos}
    real = open_real(root, "train")
    assert {name: len(some) for name, some in real.items()} == {"haze": 10, "rain": 10}
    assert {one.bytes() for some in real.values() for one in some} == {pair.degraded.bytes() for pair in pairs}
    shard = next(root.glob("haze/*.tar"))
    assert {pair.key for pair in open_pairs([shard])} <= {pair.key for pair in pairs}


def test_degraded_photos_to_restore_are_the_degraded_halves(root: Path, tmp_path: Path) -> None:
    place = root / "pairs/manifest.jsonl"
    tasks = plan_restoration(RestoreApplyConfig(tmp_path / "model", (place,), tmp_path / "out"))
    expected = {(root / "pairs" / f"d{number}.png").read_bytes() for number in range(COUNT)}
    assert {task.photo.bytes() for task in tasks} == expected


def test_curated_pairs_of_a_table_and_of_tars_stand_alone(root: Path, tmp_path: Path) -> None:
    for place in ("pairs.csv", "train-00000.tar"):
        out = tmp_path / place / "chosen.jsonl"
        made = curate.curate(CurateConfig((root / place,), out, autoencoder_steps=0, workers=1, progress=False))
        kept = read_manifest(made.manifest)
        expected = {pair.degraded.bytes() for pair in open_pairs([root / "pairs"])}
        assert {pair.degraded.bytes() for pair in kept} == expected and all(pair.mu > 0 for pair in kept)


def test_commands_take_other_places_than_they_are_shown_with(root: Path, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        told = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
        assert told.exit_code == 0, told.output
        return told.output

    assert "4 pairs" in run("pairs", "simulate", root / "photos.tar", "--out", tmp_path / "a", "--per-image", 1)
    shown = run("pairs", "show", root / "pairs.csv", "--sheet", tmp_path / "sheet.png")
    assert "haze         plain                 2" in shown and (tmp_path / "sheet.png").is_file()
    run("priors", "fit", root / "train-00000.tar", "--out", tmp_path / "priors")
    assert (tmp_path / "priors" / "haze" / "plain.json").is_file()


def test_what_is_no_place_is_refused_in_one_line(root: Path, tmp_path: Path) -> None:
    (tmp_path / "no.csv").write_text("path,degradation\na.png,rain\n")
    (tmp_path / "list.txt").write_text("gone.png\n")
    refused: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: open_pairs([tmp_path / "no.csv"]), BadManifest, "line 2: a pair needs the columns clean, source"),
        (lambda: open_pairs([tmp_path / "list.txt"]), BadManifest, "line 1: a pair needs the columns clean"),
        (lambda: open_pairs([root / "photos.tar"]), BadManifest, "c0 has no members clean, degraded and json"),
        (lambda: open_pairs([root / "gone"]), MissingPath, "no such file"),
        (lambda: open_photos([tmp_path / "list.txt"]), MissingPath, "gone.png: no such file"),
        (lambda: open_photos([tmp_path / "list.txt"], gaps=True), MissingPath, "gone.png: no such file"),
        (lambda: open_real(root / "photos", "test"), BadOption, "named after a degradation"),
    ]
    for call, error, said in refused:
        with pytest.raises(error, match=said) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_rows_of_a_table_of_real_photos_keep_their_order(root: Path, tmp_path: Path) -> None:
    names = [path.name for path in sorted((root / "photos").iterdir()) if path.suffix == ".png"][::-1]
    table = tmp_path / "real.csv"
    table.write_text("path,kind,degradation\n" + "".join(f"{root}/photos/{name},real,haze\n" for name in names))
    assert [photo.title for photo in open_real(table, "test")["haze"]] == names


def test_a_column_of_pictures_called_source_is_no_text(tmp_path: Path) -> None:
    """Nor is it decoded: one of its pictures is none."""
    import datasets

    picture = encode_image(photo(16, 16), "png")
    rows = {"image": [{"bytes": picture, "path": None}] * 2, "source": [{"bytes": b"none", "path": None}] * 2,
            "degradation": [0, 1]}  # fmt: skip
    kinds = datasets.ClassLabel(names=["haze", "rain"])
    features = {"image": datasets.Image(), "source": datasets.Image(), "degradation": kinds}
    datasets.Dataset.from_dict(rows, datasets.Features(features)).to_parquet(tmp_path / "a.parquet")
    found = open_photos([tmp_path / "a.parquet"], column="image")
    assert [one.bytes() for one in found] == [picture] * 2
