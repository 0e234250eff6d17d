"""What a build, an evaluation and a simulation take of the places they are given, and what they say of the rest."""

import json
from collections import Counter
from pathlib import Path

import pytest

from gendeg.build.build import Built, plan
from gendeg.build.command import _report
from gendeg.build.prepare import read_inputs, stored_config
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.photo import Photo
from gendeg.pairs.photos import open_photos, open_real
from gendeg.pairs.simulate import plan_tasks
from gendeg.primitives.errors import BadManifest, NoPhotos
from gendeg.primitives.files import read_jsonl
from gendeg.shards.description import Description, Totals, read_description
from gendeg.shards.layout import Layout
from gendeg.shards.plan import PlanReader
from gendeg.synth.config import SynthConfig
from gendeg.synth.plan import plan_synthesis
from tests.builds import small_build, write_photos

TABLE = """path;kind;split;degradation
photos/p0.png;clean;train;
photos/p1.png;clean;test;
photos/p2.png;real;train;haze
photos/p3.png;;;haze
photos/p4.png;clean;val;
"""


def table(root: Path) -> Path:
    write_photos(root / "photos")
    (root / "t.csv").write_text(TABLE)
    return root / "t.csv"


def files(photos: list[Photo]) -> list[Path]:
    return [photo.file for photo in photos]


def planned(root: Path, **changes: object) -> tuple[Description, dict[str, str]]:
    """The description, and photo → split."""
    config = small_build(root, **({"types": "haze", "per_image": 1, "estimate": False} | changes))
    description, _ = plan(config)
    rows = [row for rows in PlanReader(Layout(config.out).plan) for row in rows]
    return description, {row.clean_path.decode(): row.split for row in rows}


def test_a_build_takes_the_clean_rows_of_the_splits_that_it_makes(tmp_path):
    place = str(table(tmp_path))
    description, splits = planned(tmp_path, clean=(place,))
    assert splits == {"p0.png": "train", "p3.png": "train"}
    assert description.left_out == {"other_kind": 1, "other_split": 2}
    rows = read_jsonl(tmp_path / "out/.gendeg/left_out.jsonl")
    assert Counter(row["failed"] for row in rows) == description.left_out
    assert rows[0]["message"] == "photos/p1.png: row 3 (kind clean, split test)"
    shares = "train=0.5,validation=0.25,test=0.25"
    _, splits = planned(tmp_path, clean=(place,), split=shares, out=tmp_path / "all")
    assert splits.keys() == {"p0.png", "p1.png", "p3.png", "p4.png"}
    assert (splits["p0.png"], splits["p1.png"], splits["p4.png"]) == ("train", "test", "validation")


def test_the_same_table_means_the_same_elsewhere(tmp_path, capsys):
    place, photos = table(tmp_path), tmp_path / "photos"
    assert files(open_photos([place], split="train")) == [photos / "p0.png", photos / "p3.png"]
    assert "3 of 5 rows left out (row of another kind 1, row of another split 2)" in capsys.readouterr().err
    assert files(open_photos([place], split="val")) == [photos / "p3.png", photos / "p4.png"]
    assert files(open_real(place, "train")["haze"]) == [photos / "p2.png", photos / "p3.png"]
    tasks = plan_tasks(SimulateConfig(clean=(place,), out=tmp_path / "pairs", validation=0.0))
    assert {task.photo.title: task.split for task in tasks} == {
        "p0.png": "train", "p3.png": "train", "p4.png": "validation"
    }  # fmt: skip
    asked = plan_synthesis(SynthConfig(paths=(place,), out=tmp_path / "synth"))
    assert [one.photo.title for one in asked.photos] == ["p0.png", "p1.png", "p3.png", "p4.png"]
    place.write_text("path,kind\nphotos/p0.png,real\n")
    with pytest.raises(NoPhotos, match="row of another kind 1"):
        open_photos([place], split="train")
    place.write_text('path,caption\nphotos/p0.png,"a\nphotos/p1.png,b\n')
    for read in (lambda: open_photos([place], split="train"), lambda: planned(tmp_path, clean=(str(place),))):
        with pytest.raises(BadManifest, match="line 2: not a row of a table"):
            read()


def test_a_folder_s_other_files_are_counted_and_no_failure(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos", 2)
    for name in (".DS_Store", "notes.txt", "p0.xmp"):
        (photos / name).write_text("x")
    description, splits = planned(tmp_path)
    assert len(splits) == 2 and description.left_out == {"hidden": 1, "other_file": 1, "sidecar": 1}
    totals = Totals(1, 1, 2, 2, 0, {})
    assert _report(tmp_path / "out", Built(totals, description.left_out, 2, 0)) == 0
    said = capsys.readouterr().err
    assert "files that are none: 3 (hidden file 1, not an image 1, file beside a photo 1)" in said
    assert "left_out.jsonl" in said
    assert _report(tmp_path / "out", Built(totals, {"needs_heif": 1, "hidden": 2}, 2, 0)) == 3
    said = capsys.readouterr().err
    assert "photos left out: 1 (format not supported: pip install 'gendeg[heif]' 1), files that are none: 2" in said


def test_the_column_that_was_named_is_kept_for_repair(tmp_path):
    from tests.pairs.test_photos import pack

    names = ("1.gt", "1.lq", "2.gt", "2.lq")
    files = {
        f"{name}.png": path.read_bytes()
        for name, path in zip(names, sorted(write_photos(tmp_path / "photos").iterdir()), strict=False)
    }
    pack(tmp_path / "t.tar", files)
    description, splits = planned(tmp_path, clean=(str(tmp_path / "t.tar"),), column="gt")
    assert set(splits) == {"1.gt.png", "2.gt.png"} and "column" not in description.settings
    layout = Layout(tmp_path / "out")
    assert [one.column for one in read_inputs(layout)] == ["gt"]
    assert stored_config(layout, read_description(layout)).column == "gt"
    assert json.loads(layout.inputs.read_text())["column"] == "gt"


def test_a_run_says_what_else_lies_among_its_photos(tmp_path, capsys):
    photos = write_photos(tmp_path / "photos", 1)
    (photos / "film.mp4").write_bytes(b"x" * 40)
    (photos / "records.jsonl").write_text("")  # an earlier run's own
    plan_synthesis(SynthConfig(paths=(photos,), out=photos, overwrite=True))
    assert "files that are no photos: 1 (not an image 1)" in capsys.readouterr().err
