"""`gendeg synth` on a tiny model of the real classes: what it writes, and every kind of bad input."""

import json
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gendeg.cli import main
from gendeg.intensity.measure import measure_intensity
from gendeg.primitives.images import read_rgb
from gendeg.primitives.records import Failure, Record, parse_row
from tests.tiny import photo, tiny_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(photo(40, 56)).save(folder / "a.png")
    Image.fromarray(photo(33, 20, seed=1)).save(folder / "b.jpg")
    return folder


def synth(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["synth", *map(str, arguments)])
    return int(stop.value.code or 0)


def rows(out: Path) -> list[Record | Failure]:
    return [parse_row(json.loads(line)) for line in (out / "records.jsonl").read_text().splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_images_records_and_sheet_tell_the_same_story(model: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert synth(photos, "--model", model, "--type", "rain,snow+haze", "--intensity", "0.25,0.6", "--out", out) == 0
    names = {
        f"{stem}.{kind}.{strength}.s0.png"
        for stem in "ab"
        for kind in ("rain", "snow+haze")
        for strength in ("i025", "i060")
    }
    assert set(files(out)) == names | {"records.jsonl", "sheet.png"}
    for record in rows(out):
        assert isinstance(record, Record)
        clean = read_rgb(record.clean_path)
        kind, strength = record.degradation, f"i{round(record.intensity * 100):03d}"
        image = read_rgb(out / f"{Path(record.clean_path).stem}.{kind}.{strength}.s0.png")
        assert image.shape == clean.shape
        measured = measure_intensity(clean, image)
        assert (record.mu, record.sigma) == (
            pytest.approx(measured.mu, abs=1e-6),
            pytest.approx(measured.sigma, abs=1e-6),
        )
        assert record.prompt.startswith("a photo, in ")
        assert 0 < record.mu_requested < 0.7
    asked = {r.intensity: r.mu_requested for r in rows(out) if isinstance(r, Record) and r.degradation == "rain"}
    assert asked[0.25] < asked[0.6]


def test_the_same_command_twice_gives_the_same_bytes(model: Path, photos: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert synth(photos, "--model", model, "--type", "all", "--variants", 2, "--out", tmp_path / out) == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")


def test_a_sample_does_not_depend_on_its_batch(model: Path, photos: Path, tmp_path: Path) -> None:
    for size in (1, 4):
        synth(photos, "--model", model, "--type", "all", "--batch-size", size, "--out", tmp_path / str(size))
    for path in (tmp_path / "1").glob("*.i*.png"):
        pair = [read_rgb(tmp_path / size / path.name).astype(int) for size in ("1", "4")]
        assert np.abs(pair[0] - pair[1]).max() <= 1


def test_variants_and_seeds_differ_and_meet(model: Path, photos: Path, tmp_path: Path) -> None:
    shared = "--model", model, "--batch-size", 1  # some processors round otherwise in a larger one
    synth(photos / "a.png", *shared, "--variants", 2, "--seed", 4, "--out", tmp_path / "x")
    synth(photos / "a.png", *shared, "--seed", 5, "--out", tmp_path / "y")
    x, y = files(tmp_path / "x"), files(tmp_path / "y")
    assert x["a.haze.i050.s4.png"] != x["a.haze.i050.s5.png"] == y["a.haze.i050.s5.png"]


def test_json_is_records_on_stdout_and_nothing_else(
    model: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert synth(photos, "--model", model, "--json", "--out", tmp_path / "o") == 0
    said = capfd.readouterr()
    assert said.out == (tmp_path / "o" / "records.jsonl").read_text()
    assert len(said.out.splitlines()) == 2
    assert "sheet.png" in said.err


def test_a_long_prompt_loses_its_end_and_no_degradation(
    model: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    caption = "a dog on a hill, " * 30
    given = ["--type", "haze,rain", "--mu", 0.1, "--sigma", 0.1, "--prompt", caption, "--out", tmp_path / "o"]
    assert synth(photos / "a.png", "--model", model, *given) == 0
    assert "1 caption shortened: this model reads 16 tokens" in capfd.readouterr().err
    haze, rain = rows(tmp_path / "o")
    assert isinstance(haze, Record) and isinstance(rain, Record)
    for record, phrase in ((haze, "in hazy conditions"), (rain, "in rainy conditions")):
        assert record.prompt.startswith("a dog on a hill, a") and record.prompt.endswith(f", {phrase}")
        assert record.shortened and len(record.prompt) < 60
    assert haze.caption == rain.caption == caption.strip()


def test_existing_outputs_are_refused_whole_and_replaced_when_allowed(
    model: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert synth(photos / "b.jpg", "--model", model, "--out", out) == 0
    before = files(out)
    assert synth(photos, "--model", model, "--type", "snow", "--out", out) == 1
    assert "--overwrite" in capfd.readouterr().err
    assert files(out) == before
    assert synth(photos, "--model", model, "--type", "snow", "--out", out, "--overwrite") == 0
    assert [r.degradation for r in rows(out)] == ["haze", "snow", "snow"], "records of other images stay"


@pytest.mark.parametrize("format", ["jpg", "webp"])
def test_other_formats_are_measured_as_stored(model: Path, photos: Path, tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    assert synth(photos / "a.png", "--model", model, "--format", format, "--out", out) == 0
    (record,) = rows(out)
    assert isinstance(record, Record)
    stored = read_rgb(out / f"a.haze.i050.s0.{format}")
    assert record.mu == pytest.approx(measure_intensity(read_rgb(photos / "a.png"), stored).mu, abs=1e-6)


def test_names_never_collide_across_folders(model: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        Image.fromarray(photo(20, 20)).save(tmp_path / "in" / folder / "same.png")
    assert synth(tmp_path / "in", "--model", model, "--out", tmp_path / "out") == 0
    assert len(list((tmp_path / "out").glob("*.haze.*.png"))) == 2


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (17, 3)])
def test_tiny_photos(model: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    Image.fromarray(photo(*size)).save(tmp_path / "p.png")
    assert synth(tmp_path / "p.png", "--model", model, "--out", tmp_path / "out") == 0
    assert read_rgb(tmp_path / "out" / "p.haze.i050.s0.png").shape == (*size, 3)


def test_every_kind_of_file_becomes_upright_rgb(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    rgb = Image.fromarray(photo(24, 32))
    for mode in ("CMYK", "L", "1"):
        rgb.convert(mode).save(folder / f"{mode}.tif")
    rgb.convert("P").save(folder / "palette.png")
    rgb.convert("RGBA").save(folder / "rgba.png")
    rgb.convert("LA").save(folder / "la.png")
    Image.fromarray(photo(24, 32)[..., 0].astype(np.uint16) * 257).save(folder / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by a quarter turn
    rgb.save(folder / "turned.jpg", exif=exif)
    assert synth(folder, "--model", model, "--out", tmp_path / "out") == 0
    sizes = {
        r.clean_path.rpartition("/")[2]: (r.height, r.width) for r in rows(tmp_path / "out") if isinstance(r, Record)
    }
    assert len(sizes) == 8
    assert sizes.pop("turned.jpg") == (32, 24)
    assert set(sizes.values()) == {(24, 32)}


def bomb() -> bytes:
    """A PNG whose header says 40,000 × 40,000 pixels and which holds none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bad_bytes(kind: str, good: Path) -> bytes:
    whole = good.read_bytes()
    return {"not_an_image": b"hello, world", "truncated": whole[: len(whole) // 2], "empty": b"", "too_large": bomb()}[
        kind
    ]


@pytest.mark.parametrize("kind", ["not_an_image", "truncated", "empty", "too_large"])
def test_one_bad_file_among_good_ones(
    model: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    (photos / "bad.jpg").write_bytes(bad_bytes(kind, photos / "b.jpg"))
    out = tmp_path / "out"
    assert synth(photos, "--model", model, "--out", out) == 3
    failures = [row for row in rows(out) if isinstance(row, Failure)]
    assert [failure.failed for failure in failures] == [kind]
    assert len(list(out.glob("*.haze.*.png"))) == 2
    assert sum("bad.jpg" in line for line in capfd.readouterr().err.splitlines()) == 1
    assert synth(photos / "bad.jpg", "--model", model, "--out", tmp_path / "alone") == 1


def test_a_photo_too_long_for_the_format_is_one_failure(model: Path, photos: Path, tmp_path: Path) -> None:
    Image.fromarray(photo(1, 16_400)).save(photos / "long.png")
    out = tmp_path / "out"
    assert synth(photos, "--model", model, "--format", "webp", "--out", out) == 3
    assert [row.failed for row in rows(out) if isinstance(row, Failure)] == ["too_long"]
    assert len(list(out.glob("*.webp"))) == 2
    assert synth(photos / "long.png", "--model", model, "--size", 200, "--out", tmp_path / "large") == 1
    assert [row.failed for row in rows(tmp_path / "large") if isinstance(row, Failure)] == ["too_large"]


@pytest.mark.parametrize("below", ["", "out"])
def test_a_second_run_does_not_degrade_its_own_outputs(model: Path, photos: Path, below: str) -> None:
    command = (photos, "--model", model, "--format", "webp", "--out", photos / below, "--overwrite")
    assert synth(*command) == 0
    before = files(photos / below)
    assert synth(*command) == 0
    assert files(photos / below) == before
    assert synth(photos / below / "a.haze.i050.s0.webp", "--model", model, "--out", photos / "named") == 0
    if below:
        assert synth(photos / below, "--model", model, "--out", photos / below, "--overwrite") == 1


def test_a_record_cut_short_costs_only_itself(model: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    synth(photos, "--model", model, "--out", out)
    listed = out / "records.jsonl"
    listed.write_bytes(listed.read_bytes()[:-9])
    assert synth(photos / "a.png", "--model", model, "--type", "snow", "--out", out, "--overwrite") == 0
    assert [row.degradation for row in rows(out) if isinstance(row, Record)] == ["haze", "snow"]


def test_output_folder_not_writable(
    model: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert synth(photos, "--model", model, "--out", tmp_path / "file" / "out") == 1
    assert "cannot be written" in capfd.readouterr().err


def test_unreachable_hub_says_how_to_use_a_folder(
    photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert synth(photos, "--model", "someone/some-model", "--out", tmp_path / "out") == 1
    assert "or name a folder" in capfd.readouterr().err


def test_interrupting_keeps_what_was_made(model: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "gendeg",
        "synth",
        str(photos),
        "--model",
        str(model),
        "--type",
        "all",
        "--variants",
        "4000",
        "--steps",
        "50",
        "--out",
        str(out),
    ]
    # A shell's background job hands an ignored SIGINT down; this process is to be interruptible wherever it runs.
    listen = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen)
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.png"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    assert "Traceback" not in said
    made = rows(out)
    assert len(made) >= 3
    assert not list(out.glob(".*.tmp"))
    assert all(read_rgb(path).size for path in out.glob("*.png"))


def test_a_photo_of_a_list_that_is_gone_is_one_failure(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("photos/a.png\nphotos/gone.png\n")
    asked = tmp_path / "list.txt", "--model", "physics", "--out", tmp_path / "out"
    assert synth(*asked) == 3
    found = rows(tmp_path / "out")
    assert [row.failed for row in found if isinstance(row, Failure)] == ["missing"] and len(found) == 2


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--mu", "0.1", "--intensity", "0.3"), "--intensity: does not go with --mu"),
        (("--seed", "99999999999999999999999"), "less than or equal to 4294967295"),
    ],
)
def test_what_says_two_things_or_too_much_is_refused(photos: Path, capsys, arguments, says) -> None:
    assert synth(photos, "--type", "haze", *arguments, "--dry-run") != 0
    assert says in capsys.readouterr().err


def test_a_compressed_archive_is_no_photo(tmp_path: Path, capsys) -> None:
    (tmp_path / "photos.tar.gz").write_bytes(b"x")
    assert synth(tmp_path / "photos.tar.gz", "--dry-run") == 1
    assert "unpack a compressed one first" in capsys.readouterr().err
