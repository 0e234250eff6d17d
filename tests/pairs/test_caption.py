"""gendeg pairs caption: manifests rewritten, photos described once, every reason to be left, the cache."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gendeg.build.config import PlanConfig
from gendeg.build.inputs import look_at_photos
from gendeg.pairs.caption import caption_manifests, caption_photos
from gendeg.pairs.config import CaptionConfig
from gendeg.pairs.listers import Asked
from gendeg.pairs.pair import listed, open_pairs, read_manifest, write_manifest
from gendeg.pairs.photos import find_photos
from gendeg.primitives.errors import BadImage, BadModel, BadOption, OutputExists
from gendeg.primitives.files import read_jsonl
from gendeg.primitives.images import write_image
from tests.captioners import save_blip
from tests.tiny import photo

FALLBACK = "a photo"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(save_blip(tmp_path_factory.mktemp("blip"), favourite=""))


def manifest(folder: Path, *captions: str) -> Path:
    """Pairs of black.png, white.png, copy.png (black again), bad.png and gone.png, in turn, with these captions."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, level in (("black", 0), ("white", 255), ("copy", 0)):
        write_image(np.full((20, 20, 3), level, np.uint8), folder / f"{name}.png", "png")
    (folder / "bad.png").write_bytes(b"no picture")
    names = ("black", "white", "copy", "bad", "gone")
    pairs = [
        listed(folder, f"{names[i % 5]}.png", "d.png", "haze", "fog", "train", text, 0.1, 0.1, 20, 20)
        for i, text in enumerate(captions)
    ]
    write_manifest(folder / "m.jsonl", pairs)
    return folder / "m.jsonl"


def config(path, model, **changes) -> CaptionConfig:
    cache = Path(path).parent / "cache"
    given = {"cache": cache, "beams": 1, "tokens": 3, "batch_size": 2, "device": "cpu", "progress": False}
    return CaptionConfig((str(path),), model=model, **given | changes)


def captions(path: Path) -> list[str]:
    return [pair.caption for pair in read_manifest(path)]


def test_captions_are_written_and_the_rest_is_counted(tmp_path, model):
    path = manifest(tmp_path, FALLBACK, "", FALLBACK, FALLBACK, "", "a hill of mine")
    made = caption_manifests(config(path, model))
    black, white, copy, bad, gone, mine = captions(path)
    assert black == copy and len({black, white, FALLBACK}) == 3
    assert not black.startswith(FALLBACK), "the prefix is asked with and cut off"
    assert (bad, gone, mine) == (FALLBACK, FALLBACK, "a hill of mine")
    assert made.counts == {"captioned": 3, "not_an_image": 1, "missing": 1, "kept": 1} and made.photos == 2
    assert made.left == {"not_an_image": 1, "missing": 1}
    assert any("bad.png" in line for line in made.messages) and any("gone.png" in line for line in made.messages)
    assert made.written == (path,)
    with pytest.raises(BadImage):
        open_pairs([path], "train")[4].read()
    assert open_pairs([path], "train")[0].caption == black, "training reads it"


def test_the_second_run_costs_nothing(tmp_path, model):
    path = manifest(tmp_path, "", "", "")
    first = caption_manifests(config(path, model))
    cache = next((tmp_path / "cache").iterdir())
    kept = cache.read_bytes()
    again = caption_manifests(config(path, model))
    assert again.counts == {"kept": 3} and again.written == ()
    made_before = captions(path)
    manifest(tmp_path, "", "", "")
    cached = caption_manifests(config(path, model))
    assert cached.counts == {"cached": 3} and cached.photos == 0 and captions(path) == made_before
    assert first.counts == {"captioned": 3} and kept == cache.read_bytes()


def test_what_was_captioned_before_an_interruption_is_not_done_again(tmp_path, model):
    path = manifest(tmp_path, "")
    caption_manifests(config(path, model))
    cache = next((tmp_path / "cache").iterdir())
    cache.write_bytes(cache.read_bytes() + b'{"sha256": "12')
    manifest(tmp_path, "", "", "")
    made = caption_manifests(config(path, model))
    assert made.counts == {"cached": 2, "captioned": 1} and made.photos == 1
    assert len(cache.read_text().splitlines()) == 3


def test_another_prompt_or_model_is_another_captioner(tmp_path, model):
    path = manifest(tmp_path, "", "")
    caption_manifests(config(path, model))
    before = captions(path)
    made = caption_manifests(config(path, model, prompt="red dog", overwrite=True))
    assert made.counts == {"captioned": 2}, "the cache answers for the words it was made with"
    made = caption_manifests(config(path, str(save_blip(tmp_path / "other", "hill")), overwrite=True))
    assert made.counts == {"captioned": 2} and captions(path) == ["hill hill hill"] * 2
    assert caption_manifests(config(path, model, overwrite=True)).counts == {"cached": 2}
    assert captions(path) == before


def test_overwrite_keeps_what_cannot_be_had_again(tmp_path, model):
    path = manifest(tmp_path, "old", "old", "old", "old", "old")
    assert caption_manifests(config(path, model)).counts == {"kept": 5}
    made = caption_manifests(config(path, model, overwrite=True))
    assert made.counts == {"captioned": 3, "not_an_image": 1, "missing": 1}
    assert captions(path)[3:] == ["old", "old"] and "old" not in captions(path)[:3]


def test_a_photo_of_which_nothing_is_said_keeps_the_fallback(tmp_path):
    path = manifest(tmp_path, "", "")
    silent = str(save_blip(tmp_path / "silent", "."))
    for what in ("first", "from the cache"):
        assert caption_manifests(config(path, silent)).left == {"no_words": 2}, what
    assert captions(path) == [FALLBACK] * 2


def test_without_a_model(tmp_path):
    path = manifest(tmp_path, "", FALLBACK, "a hill")
    made = caption_manifests(config(path, "none"))
    assert made.counts == {"no_model": 2, "kept": 1} and made.messages == []
    assert captions(path) == [FALLBACK, FALLBACK, "a hill"]


def test_a_model_that_cannot_be_fetched_leaves_the_fallback_and_says_so(tmp_path):
    path = manifest(tmp_path, "", FALLBACK, "a hill")
    made = caption_manifests(config(path, "nobody/has-this"))
    assert made.left == {"no_model": 2} and captions(path) == [FALLBACK, FALLBACK, "a hill"]
    assert "nobody/has-this" in made.messages[0] and "--model none" in made.messages[0]


def test_a_bad_model_leaves_the_manifest_alone(tmp_path):
    path = manifest(tmp_path, "")
    before = path.read_bytes()
    with pytest.raises(BadModel):
        caption_manifests(config(path, str(tmp_path)))
    assert path.read_bytes() == before


def test_several_manifests_share_their_photos(tmp_path, model):
    paths = [manifest(tmp_path / name, "", "") for name in ("a", "b")]
    given = config(paths[0], model)
    made = caption_manifests(replace(given, paths=(str(paths[0]), str(paths[1]), str(paths[0]))))
    assert made.counts == {"captioned": 4} and made.photos == 2
    assert captions(paths[0]) == captions(paths[1]) and made.written == tuple(paths)


# --- photos ---


def test_a_folder_becomes_a_table_that_a_build_reads(tmp_path, model):
    manifest(tmp_path / "photos", "")
    (tmp_path / "photos" / "sub").mkdir()
    write_image(photo(900, 800), tmp_path / "photos" / "sub" / "large.png", "png")
    table = tmp_path / "tables" / "t.jsonl"
    made = caption_photos(config(tmp_path / "photos", model, cache=tmp_path / "cache"), table)
    assert made.counts == {"captioned": 4, "not_an_image": 1} and made.written == (table,)
    rows = {row["path"]: row["caption"] for row in read_jsonl(table)}
    assert set(rows) == {f"../photos/{name}.png" for name in ("bad", "black", "copy", "white", "sub/large")}
    opened = find_photos([table], Asked(hidden=True))
    looked = look_at_photos(PlanConfig((str(table),), tmp_path / "out", progress=False), opened)
    said = dict(zip(looked.table["clean_path"].to_pylist(), looked.table["caption"].to_pylist(), strict=True))
    assert said[b"black.png"] == rows["../photos/black.png"] != FALLBACK
    assert {failure.failed for failure in looked.left_out} == {"not_an_image", "duplicate"}


def test_captions_of_a_table_are_kept(tmp_path, model):
    manifest(tmp_path / "photos", "")
    listed = tmp_path / "photos" / "listed.jsonl"
    listed.write_text("\n".join(json.dumps(row) for row in (
        {"path": "black.png", "caption": "night"}, {"path": "white.png"})))  # fmt: skip
    made = caption_photos(config(listed, model), tmp_path / "t.jsonl")
    assert made.counts == {"kept": 1, "captioned": 1}
    assert [row["caption"] == "night" for row in read_jsonl(tmp_path / "t.jsonl")] == [True, False]


def test_where_a_table_may_go(tmp_path, model):
    manifest(tmp_path / "photos", "")
    (tmp_path / "t.jsonl").write_text("{}")
    given = config(tmp_path / "photos", "none")
    with pytest.raises(OutputExists):
        caption_photos(given, tmp_path / "t.jsonl")
    caption_photos(replace(given, overwrite=True), tmp_path / "t.jsonl")
    assert {row["caption"] for row in read_jsonl(tmp_path / "t.jsonl")} == {FALLBACK}
    with pytest.raises(BadOption, match=r"must end in \.jsonl"):
        caption_photos(given, tmp_path / "t.csv")
