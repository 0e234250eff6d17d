"""A finished dataset as others read it: Hugging Face `datasets`, `webdataset`, and our own load_gends."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gendeg import load_gends
from gendeg.build.build import build
from gendeg.intensity.measure import measure_intensity
from gendeg.pairs.pair import listed, write_manifest
from gendeg.primitives.errors import MissingPath, NotADataset, UnknownDegradation
from gendeg.primitives.images import unit_to_u8, write_image
from gendeg.primitives.records import Record
from gendeg.shards.layout import Layout, ShardName
from gendeg.shards.writer import ShardWriter, StoredSample
from tests.builds import finished_build, small_build, write_photos
from tests.tiny import photo

COLUMNS = ["clean.png", "degraded.png", "json", "__key__", "__url__"]


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two splits, generated and existing pairs, JPEG photos; side files beside the shards."""
    root = tmp_path_factory.mktemp("mixed")
    write_photos(root / "photos", 8, "jpg")
    pairs = []
    for number in range(3):
        for half in ("clean", "degraded"):
            write_image(photo(32, 32, seed=number + 9 * (half == "clean")), root / f"{half}{number}.png", "png")
        pairs.append(
            listed(
                root,
                f"clean{number}.png",
                f"degraded{number}.png",
                "snow",
                "Snow100k",
                "validation",
                "",
                0.0,
                0.0,
                32,
                32,
            )
        )
    write_manifest(root / "pairs.jsonl", pairs)
    config = small_build(root, include=(root / "pairs.jsonl",), split="train=0.5,validation=0.5", per_image=2)
    built = build(config)
    assert built is not None and built.totals.written == 19
    return root


@pytest.mark.parametrize("streaming", [False, True])
def test_load_dataset_gives_the_columns_in_every_config_and_split(mixed, tmp_path, streaming):
    datasets = pytest.importorskip("datasets")
    out = str(mixed / "out")
    assert sorted(datasets.get_dataset_config_names(out)) == ["default", "haze", "rain", "snow"]
    counts = {}
    for name in ("default", "haze", "rain", "snow"):
        loaded = datasets.load_dataset(out, name, streaming=streaming, cache_dir=str(tmp_path))
        for split, rows in loaded.items():
            assert list(rows.features) == COLUMNS
            assert isinstance(rows.features["clean.png"], datasets.Image)
            assert rows.features["json"]["mu"].dtype == "float64" and rows.features["json"]["steps"].dtype == "int64"
            for row in rows:
                record = Record.from_row(row["json"])
                assert row["clean.png"].size == row["degraded.png"].size == (record.width, record.height)
                assert name in ("default", record.degradation) and row["__key__"] == record.key
            counts[name, split] = sum(1 for _ in rows)
    assert counts["snow", "validation"] == 3 and ("snow", "train") not in counts
    assert counts["default", "train"] + counts["default", "validation"] == 19


def test_load_dataset_without_arguments_finds_every_sample(mixed, tmp_path):
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(mixed / "out"), cache_dir=str(tmp_path))
    assert sum(map(len, loaded.values())) == 19


def test_webdataset_reads_the_shards(mixed):
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(map(str, (mixed / "out").glob("*/*.tar")))
    rows = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert len(rows) == 19
    for row in rows:
        assert {"clean.png", "degraded.png", "json"} <= set(row)
        assert row["clean.png"].shape == row["degraded.png"].shape
        assert row["__key__"] == row["json"]["key"]


def test_whole_numbers_first_do_not_cut_later_fractions(tmp_path):
    """`datasets` looks at five samples; were the schema inferred, 0 and 1 there would make every later 0.25 a 0."""
    datasets = pytest.importorskip("datasets")
    config = small_build(tmp_path, intensity="0", types="haze", per_image=1)
    build(config)
    name, layout = ShardName("haze", "train", 0), Layout(config.out)
    image = io.BytesIO()
    Image.new("RGB", (4, 4)).save(image, "png")
    template = _records(layout.shard(name))[0]
    with ShardWriter(layout.shard(name)) as writer:
        for number, value in enumerate([0.0, 1.0, 0.0, 1.0, 0.0, 0.25, 0.75]):
            record = replace(template, key=f"k{number}", intensity=value, mu=value)
            assert f'"intensity": {value}' in record.to_json()  # written as 0.0, not as 0
            line = record.to_json().encode()
            writer.add(StoredSample(f"k{number}", image.getvalue(), "png", image.getvalue(), line))
    loaded = datasets.load_dataset(str(config.out), "haze", streaming=True)["train"]
    assert [row["json"]["mu"] for row in loaded][:7] == [0.0, 1.0, 0.0, 1.0, 0.0, 0.25, 0.75]


def test_jpeg_photos_stay_untouched_when_nothing_forces_png(tmp_path):
    photos = write_photos(tmp_path / "photos", 3, "jpg")
    build(small_build(tmp_path, per_image=2))
    originals = {path.read_bytes() for path in photos.iterdir()}
    import tarfile

    stored = set()
    for path in (tmp_path / "out").glob("*/*.tar"):
        with tarfile.open(path) as tar:
            stored |= {tar.extractfile(m).read() for m in tar if m.name.endswith(".clean.jpg")}  # type: ignore[union-attr]
    assert stored == originals


def test_load_gends_gives_what_was_stored(mixed):
    rows = load_gends(mixed / "out", split=None)
    assert len(rows) == 19
    for pair in rows:
        clean, degraded, record = pair
        assert clean.shape == degraded.shape == (3, record["height"], record["width"])
        assert clean.dtype == torch.float32 and 0 <= clean.min() and clean.max() <= 1
        both = [unit_to_u8(np.ascontiguousarray(image.numpy().transpose(1, 2, 0))) for image in (clean, degraded)]
        assert measure_intensity(*both).mu == pytest.approx(record["mu"], abs=1e-6)


def test_load_gends_filters(mixed):
    out = mixed / "out"
    every = [Record.from_row(pair.record) for pair in load_gends(out, split=None)]
    for changes, passes in (
        ({"types": "haze"}, lambda r: r.degradation == "haze"),
        ({"types": ["haze", "snow"]}, lambda r: r.degradation in ("haze", "snow")),
        ({"origin": "existing"}, lambda r: r.origin == "existing"),
        ({"min_intensity": 0.5}, lambda r: r.intensity >= 0.5),
        ({"max_intensity": 0.3, "origin": "generated"}, lambda r: r.intensity <= 0.3 and r.origin == "generated"),
    ):
        got = [pair.record["key"] for pair in load_gends(out, split=None, **changes)]  # type: ignore[arg-type]
        assert got == [record.key for record in every if passes(record)] and 0 < len(got) < 19, changes
    parts = [len(load_gends(out, split=split)) for split in ("train", "validation")]
    assert sum(parts) == 19 and min(parts) > 0


def test_load_gends_works_with_a_data_loader():
    loader = torch.utils.data.DataLoader(
        load_gends(finished_build() / "out", types="rain"), batch_size=None, num_workers=1
    )
    assert [pair.record["degradation"] for pair in loader] == ["rain"] * 10


def test_a_data_loader_makes_batches_of_equal_sizes_by_itself(tmp_path):
    build(small_build(tmp_path, size=32, square=True))
    pairs = load_gends(tmp_path / "out", types="rain")
    clean, degraded, record = next(iter(torch.utils.data.DataLoader(pairs, batch_size=4)))
    assert clean.shape == degraded.shape == (4, 3, 32, 32)
    assert record["degradation"] == ["rain"] * 4 and record["mu"].tolist() == [pairs[i].record["mu"] for i in range(4)]


def test_load_gends_refuses_what_is_no_dataset(tmp_path):
    with pytest.raises(MissingPath):
        load_gends(tmp_path / "nowhere")
    with pytest.raises(NotADataset):
        load_gends(tmp_path)
    with pytest.raises(UnknownDegradation):
        load_gends(finished_build() / "out", types="snow")


def test_the_card_names_sources_failures_and_settings(mixed):
    card = (mixed / "out/README.md").read_text()
    assert "| Snow100k | 3 |" in card and "license: other" in card and "preview.png" in card
    assert Image.open(mixed / "out/preview.png").size[0] > 300
    described = json.loads((mixed / "out/.gendeg/config.json").read_text())
    assert described["fingerprint"] in card and described["model_sha256"] in card
    assert str(mixed) not in card and str(mixed) not in (mixed / "out/.gendeg/config.json").read_text()


def _records(path: Path) -> list[Record]:
    import tarfile

    with tarfile.open(path) as tar:
        return [Record.from_json(tar.extractfile(m).read().decode()) for m in tar if m.name.endswith(".json")]  # type: ignore[union-attr]
