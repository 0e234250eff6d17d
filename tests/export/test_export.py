"""What is exported, found again by each loader's own rule, restated here; bytes as they were stored."""

import csv
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendeg.cli import main
from gendeg.export.config import ExportConfig
from gendeg.export.export import Exported, export
from gendeg.pairs.config import SimulateConfig
from gendeg.pairs.pair import open_pairs
from gendeg.pairs.simulate import simulate
from gendeg.primitives.errors import BadOption, DifferentRun, ForeignFolder, NoPairs
from gendeg.primitives.images import read_rgb, write_image
from tests.tiny import photo

KINDS = ("rain", "haze", "motion_blur", "low_light", "snow", "raindrop", "rain+haze", "snow+haze")
Found = list[tuple[bytes, bytes]]
"""(clean, degraded) of every pair that a loader finds, as bytes of the two files."""


def write_table(
    root: Path, kinds: tuple[str, ...] = KINDS, photos: int = 3, splits: tuple[str, ...] = ("train",)
) -> Path:
    """Pairs of every degradation: photo 0 is a JPEG, names hold what loaders cut at: dots, underscores, blanks."""
    rows = []
    for number in range(photos):
        clean = f"a.b_c {number} rain-low.{'jpg' if number == 0 else 'png'}"
        root.mkdir(parents=True, exist_ok=True)
        write_image(photo(32, 40, seed=number), root / clean, "jpg" if number == 0 else "png")
        for place, kind in enumerate(kinds):
            degraded = f"synthetic_{number}.{kind}.input.png"
            write_image(photo(32, 40, seed=100 * number + place + 7), root / degraded, "png")
            rows.append((clean, degraded, kind, "made up", splits[number % len(splits)]))
    table = root / "pairs.csv"
    with open(table, "w", newline="") as stream:
        csv.writer(stream).writerows([("clean", "path", "degradation", "source", "split"), *rows])
    return table


def stored(place: Path, *kinds: str) -> Found:
    """Of some degradations (all): the degraded half's bytes, and the clean one's or, of a JPEG, those of its PNG."""
    found = []
    for pair in open_pairs([place]):
        if not kinds or pair.degradation in kinds:
            clean = pair.clean.bytes()
            found.append((clean if clean.startswith(b"\x89PNG") else as_png(clean), pair.degraded.bytes()))
    return found


def as_png(data: bytes) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(read_rgb(data)).save(stream, "png")
    return stream.getvalue()


def same(found: Found, wanted: Found) -> bool:
    """Each once, degraded bytes as stored, clean bytes or (where they became PNG) pixels."""
    assert len(found) == len(wanted)
    by_degraded = {degraded: clean for clean, degraded in wanted}
    assert {degraded for _, degraded in found} == set(by_degraded)
    return all(
        clean == by_degraded[degraded] or np.array_equal(read_rgb(clean), read_rgb(by_degraded[degraded]))
        for clean, degraded in found
    )


def run(table: Path, out: Path, to: str, **options: object) -> Exported:
    return export(ExportConfig(places=(str(table),), to=to, out=out, **options))  # type: ignore[arg-type]


def listed(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


# --- the loaders' rules ---


def basicsr_folders(gt: Path, lq: Path) -> Iterator[tuple[Path, Path]]:
    """As many files in both; the degraded one has the clean one's stem and ending."""
    assert len(listed(gt)) == len(listed(lq))
    for name in listed(gt):
        assert name in listed(lq)
        yield gt / name, lq / name


def basicsr_list(gt: Path, lq: Path, meta: Path) -> Iterator[tuple[Path, Path]]:
    """The first word of a line is the clean file's name."""
    for line in meta.read_text().splitlines(keepends=True):
        yield gt / line.split(" ")[0], lq / line.split(" ")[0]


def promptir_rain(folder: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    """The whole path is cut at the first `rainy` and behind the last `rain-`."""
    for line in lines:
        path = folder + line.strip()
        yield path.split("rainy")[0] + "gt/norain-" + path.split("rain-")[-1], path


def promptir_haze(folder: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    """The clean name is what stands before the first `_`, with the hazy one's ending."""
    for line in lines:
        path = folder + line.strip()
        stem, ending = path.split("/")[-1].split("_")[0], path.split(".")[-1]
        yield f"{path.split('synthetic')[0]}original/{stem}.{ending}", path


def twins(folder: str, degraded: str, clean: str) -> Iterator[tuple[str, str]]:
    """The same name in two folders."""
    for name in os.listdir(folder + degraded):
        yield folder + clean + name, folder + degraded + name


def tried(folder: str, haze: bool = False) -> Iterator[tuple[str, str]]:
    """`input` becomes `target` in the whole path; of haze, up to the first `_`, and a PNG."""
    for name in os.listdir(folder + "input/"):
        path = folder + "input/" + name
        stem = path.split("/")[-1].split("_")[0]
        yield (f"{path.split('input')[0]}target/{stem}.png" if haze else path.replace("input", "target")), path


def cdd(folder: Path, kinds: list[str]) -> Iterator[tuple[Path, Path]]:
    """Every name of `clear` stands in the folder of every degradation."""
    for name in listed(folder / "clear"):
        for kind in kinds:
            yield folder / "clear" / name, folder / kind / name


def read_all(pairs: Iterator[tuple[Path, Path]] | Iterator[tuple[str, str]]) -> Found:
    return [(Path(clean).read_bytes(), Path(degraded).read_bytes()) for clean, degraded in pairs]


# --- the layouts ---


def test_basicsr_finds_every_pair_by_folder_and_by_list(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", splits=("train", "validation", "test"))
    done = run(table, tmp_path / "out", "basicsr")
    assert (done.pairs, done.left_out, done.failed) == (24, {}, [])
    found = []
    for split in ("train", "validation", "test"):
        folder = tmp_path / "out" / split
        by_folder = read_all(basicsr_folders(folder / "gt", folder / "lq"))
        assert sorted(by_folder) == sorted(
            read_all(basicsr_list(folder / "gt", folder / "lq", folder / "meta_info.txt"))
        )
        found += by_folder
    assert same(found, stored(table))
    names = [name for split in ("train", "test") for name in listed(tmp_path / "out" / split / "gt")]
    assert all(name.count(".") == 1 and " " not in name and "_" not in name for name in names)


def test_basicsr_settings_are_yaml_and_toml_that_name_the_folders(tmp_path: Path) -> None:
    tomllib, yaml = pytest.importorskip("tomllib"), pytest.importorskip("yaml")
    out = tmp_path / "it's out"
    table = write_table(tmp_path / "in", splits=("train", "validation", "test"))
    run(table, out, "basicsr")
    told = yaml.safe_load((out / "basicsr.yml").read_text())["datasets"]
    assert set(told) == {"train", "val"}  # its training refuses options that name a test set
    assert told["train"]["dataroot_lq"] == str(out / "train" / "lq") and told["train"]["io_backend"] == {"type": "disk"}
    assert set(yaml.safe_load((out / "basicsr_test.yml").read_text())["datasets"]) == {"test_1"}
    told = tomllib.loads((out / "neosr.toml").read_text())["datasets"]["val"]
    assert (told["dataroot_gt"], told["io_backend"]) == (str(out / "validation" / "gt"), {"type": "disk"})
    (out / "basicsr.yml").write_text("mine")
    run(table, out, "basicsr")
    assert (out / "basicsr.yml").read_text() == "mine"


def test_lmdb_holds_the_same_bytes_under_keys_without_dots(tmp_path: Path) -> None:
    lmdb = pytest.importorskip("lmdb")
    table = write_table(tmp_path / "in")
    for _ in range(2):  # made anew
        assert run(table, tmp_path / "out", "basicsr", lmdb=True).pairs == 24
    assert 'type = "lmdb"' in (tmp_path / "out" / "neosr.toml").read_text()
    halves = {}
    for half in ("gt", "lq"):
        folder = tmp_path / "out" / "train" / f"{half}.lmdb"
        assert {"data.mdb", "lock.mdb", "meta_info.txt"} <= set(listed(folder))
        lines = (folder / "meta_info.txt").read_text().splitlines()
        assert all(line.endswith(".png (32,40,3) 1") for line in lines)
        keys = [line.split(".")[0] for line in lines]
        with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as transaction:
            halves[half] = {key: transaction.get(key.encode("ascii")) for key in keys}
            assert transaction.stat()["entries"] == 24
    assert halves["gt"].keys() == halves["lq"].keys()
    assert same([(halves["gt"][key], halves["lq"][key]) for key in halves["gt"]], stored(table))


@pytest.mark.parametrize("to", ["promptir", "adair"])
def test_promptir_and_adair_find_what_has_a_place_and_the_rest_is_said(tmp_path: Path, to: str) -> None:
    table = write_table(tmp_path / "in")
    done = run(table, tmp_path / "out", to)
    base = f"{tmp_path}/out/data/Train/"
    rain = (tmp_path / "out/data_dir/rainy/rainTrain.txt").read_text().splitlines()
    haze = (tmp_path / "out/data_dir/hazy/hazy_outside.txt").read_text().splitlines()
    assert same(read_all(promptir_rain(f"{base}Derain/", rain)), stored(table, "rain"))
    assert same(read_all(promptir_haze(f"{base}Dehaze/", haze)), stored(table, "haze"))
    none = {"snow", "raindrop", "rain+haze", "snow+haze"}
    if to == "adair":
        assert same(read_all(twins(f"{base}Deblur/", "blur/", "sharp/")), stored(table, "motion_blur"))
        assert same(read_all(twins(f"{base}Enhance/", "low/", "gt/")), stored(table, "low_light"))
    else:
        none |= {"motion_blur", "low_light"}
    assert done.left_out == {f"{kind} has no place there": 3 for kind in none}
    assert "--de_type derain dehaze" in (tmp_path / "out/train.sh").read_text()
    assert not (tmp_path / "out/test.sh").exists()


@pytest.mark.parametrize("to, base", [("promptir", "test/"), ("adair", "data/test/")])
def test_pairs_of_split_test_lie_where_the_test_scripts_look(tmp_path: Path, to: str, base: str) -> None:
    table = write_table(tmp_path / "in", splits=("test",))
    run(table, tmp_path / "out", to)
    base = f"{tmp_path}/out/{base}"
    assert same(read_all(tried(f"{base}derain/Rain100L/")), stored(table, "rain"))
    assert same(read_all(tried(f"{base}dehaze/", haze=True)), stored(table, "haze"))
    assert f"--derain_path {base}derain/ " in (tmp_path / "out/test.sh").read_text().replace("\\\n", " ")


def test_cdd_holds_a_photo_in_every_folder_or_in_none(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", kinds=("low_light", "haze", "rain", "snow", "rain+haze", "snow+haze"))
    with open(table, "a", newline="") as stream:  # a fourth photo of which only rain was made
        write_image(photo(32, 40, seed=50), tmp_path / "in" / "lonely.png", "png")
        write_image(photo(32, 40, seed=51), tmp_path / "in" / "wet.png", "png")
        csv.writer(stream).writerow(("lonely.png", "wet.png", "rain", "made up", "train"))
    done = run(table, tmp_path / "out", "cdd")
    folder, names = tmp_path / "out" / "train", ["low", "haze", "rain", "snow", "haze_rain", "haze_snow"]
    assert set(listed(folder)) == {"clear", *names}
    assert all(
        listed(folder / name) == listed(folder / "clear") == ["000001.png", "000002.png", "000003.png"]
        for name in names
    )
    wet = (tmp_path / "in" / "wet.png").read_bytes()
    assert same(read_all(cdd(folder, names)), [pair for pair in stored(table) if pair[1] != wet])
    assert done.left_out == {"of their photo there is no (other) low, haze, snow, haze_rain, haze_snow": 1}
    told = (tmp_path / "out" / "onerestore.txt").read_text()
    assert "['low', 'haze', 'rain', 'snow', 'haze_rain', 'haze_snow']" in told  # a label is a place in this list
    assert "['clear', 'low', 'haze', 'rain', 'snow', 'haze_rain', 'haze_snow']" in told


def test_cdd_takes_views_of_one_photo_for_photos_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    write_image(photo(80, 90, seed=1), tmp_path / "photos" / "a.png", "png")
    config = SimulateConfig(
        clean=(tmp_path / "photos",), out=tmp_path / "sim", types="haze,rain", per_image=4, size=32, workers=1,
        progress=False,
    )  # fmt: skip
    simulate(config)
    table = tmp_path / "sim" / "manifest.jsonl"
    with pytest.raises(BadOption, match="there is no"):  # each view was degraded once
        run(table, tmp_path / "none", "cdd")
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    first = next(row for row in rows if row["degradation"] == "haze")
    other = next(row for row in rows if row["degradation"] == "rain")
    table.write_text(table.read_text() + json.dumps(other | {"clean": first["clean"]}) + "\n")
    done = run(table, tmp_path / "out", "cdd")
    assert done.pairs == 2 and sum(done.left_out.values()) == 3
    clean = tmp_path / "out" / "train" / "clear"
    assert (clean / listed(clean)[0]).read_bytes() == (tmp_path / "sim" / first["clean"]).read_bytes()


def test_cdd_has_no_place_for_drops_and_a_photo_that_lacks_one_goes(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", kinds=("rain", "haze", "raindrop"))
    (tmp_path / "in" / "synthetic_1.rain.input.png").write_bytes(b"no picture")
    done = run(table, tmp_path / "out", "cdd")
    assert [failure.message.count("synthetic_1.rain.input.png") for failure in done.failed] == [1]
    assert done.left_out == {"raindrop has no place there": 3, "another pair of their photo could not be read": 1}
    folder = tmp_path / "out" / "train"
    assert done.pairs == 4 and listed(folder / "haze") == listed(folder / "rain") == listed(folder / "clear")


def test_plain_folders_and_the_index_name_every_pair(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in")
    run(table, tmp_path / "out", "folders")
    with open(tmp_path / "out" / "index.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = [(tmp_path / "out" / row["clean"], tmp_path / "out" / row["degraded"]) for row in rows]
    assert same(read_all(iter(found)), stored(table))
    assert {row["degraded"].split("/")[1] for row in rows} == {row["degradation"] for row in rows} == set(KINDS)


# --- how it is asked, stopped, and refused ---


def test_two_jpegs_stay_jpegs_but_where_a_loader_wants_png(tmp_path: Path) -> None:
    for name, seed in (("c.jpg", 1), ("d.jpg", 2)):
        write_image(photo(32, 40, seed=seed), tmp_path / name, "jpg")
    table = tmp_path / "pairs.csv"
    table.write_text("clean,path,degradation,source,split\nc.jpg,d.jpg,haze,mine,train\n")
    run(table, tmp_path / "b", "basicsr")
    assert (tmp_path / "b/train/lq/0000000-haze.jpg").read_bytes() == (tmp_path / "d.jpg").read_bytes()
    run(table, tmp_path / "c", "cdd")
    assert np.array_equal(read_rgb(tmp_path / "c/train/haze/000001.png"), read_rgb(tmp_path / "d.jpg"))


def test_links_are_links_only_where_no_byte_changes(tmp_path: Path) -> None:
    table = write_table(tmp_path / "in", kinds=("rain",), photos=2)
    run(table, tmp_path / "out", "basicsr", link=True)
    gt, lq = tmp_path / "out/train/gt", tmp_path / "out/train/lq"
    assert [os.stat(gt / name).st_nlink for name in listed(gt)] == [1, 2]  # the JPEG became a PNG of its own
    assert [os.stat(lq / name).st_nlink for name in listed(lq)] == [2, 2]


def test_the_same_command_goes_on_and_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table, out = write_table(tmp_path / "in", kinds=("rain",)), tmp_path / "out"
    run(table, out, "folders")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    lost = next(iter(before))
    lost.unlink()
    assert run(table, out, "folders").pairs == 3
    assert lost.exists() and all(path.stat().st_mtime_ns == at for path, at in before.items() if path != lost)
    monkeypatch.chdir(table.parent)
    assert run(Path(table.name), out, "folders").pairs == 3  # the same place in other words
    with pytest.raises(DifferentRun):
        run(table, out, "folders", types="rain,haze")
    write_image(photo(32, 40, seed=99), tmp_path / "in" / "synthetic_0.rain.input.png", "png")
    with pytest.raises(DifferentRun, match="pairs"):
        run(table, out, "folders")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear")
    with pytest.raises(ForeignFolder):
        run(table, tmp_path / "mine", "folders")


def test_an_unreadable_half_is_a_failure_and_the_rest_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = write_table(tmp_path / "in", kinds=("rain",), photos=4)
    (tmp_path / "in" / "synthetic_1.rain.input.png").write_bytes(b"no picture")
    whole = (cut := tmp_path / "in" / "synthetic_3.rain.input.png").read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])  # its head can be read
    write_image(photo(32, 41, seed=3), tmp_path / "in" / "synthetic_2.rain.input.png", "png")
    with pytest.raises(SystemExit) as end:
        main(["export", str(table), "--to", "basicsr", "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.splitlines()
    assert (
        end.value.code == 3
        and len(said) == 4
        and said[-1].endswith(": 1; 3 could not be read")
        and "synthetic_1" in said[0]
    )
    assert listed(tmp_path / "out/train/gt") == listed(tmp_path / "out/train/lq")


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"to": "adair", "lmdb": True}, BadOption, "--to basicsr"),
        ({"to": "promptir", "out": "rainy days"}, BadOption, "'rainy'"),
        ({"to": "adair", "out": "synthetic"}, BadOption, "'synthetic'"),
        ({"to": "promptir", "types": "snow"}, BadOption, "snow has no place there"),
        ({"to": "basicsr", "split": "test"}, NoPairs, "test"),
        ({"to": "basicsr", "lmdb": True, "link": True}, BadOption, "--lmdb"),
    ],
)
def test_wrong_asks_get_one_line(
    tmp_path: Path, options: dict[str, object], error: type[Exception], words: str
) -> None:
    table = write_table(tmp_path / "in", photos=1)
    out = tmp_path / str(options.pop("out", "out"))
    with pytest.raises(error, match=words):
        run(table, out, **options)  # type: ignore[arg-type]
    assert not out.exists()
