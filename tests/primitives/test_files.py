"""Atomic writing, finding, naming, JSON lines and packed data, on real folders."""

import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gendeg.primitives import files
from gendeg.primitives.errors import BadManifest, CannotRead, MissingPath, NoImages, OutputExists, OutputNotWritable


def plant(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names_of(found, root: Path) -> list[str]:
    return [one.path.relative_to(root).as_posix() for one in found]


@pytest.fixture
def ordinary_user():
    """Root may do everything, so permission tests give that up for a moment."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65534)
    yield
    os.seteuid(was)


# --- writing ---


@pytest.mark.parametrize("content, expected", [(b"\x00\xff", b"\x00\xff"), ("é\r\n", b"\xc3\xa9\r\n"), ("", b"")])
def test_atomic_write_replaces_whole_and_leaves_no_trace(tmp_path, content, expected):
    target = tmp_path / "file"
    target.write_text("old and longer")
    files.atomic_write(target, content)
    assert target.read_bytes() == expected
    assert os.listdir(tmp_path) == ["file"]


def test_atomic_write_keeps_the_usual_permissions(tmp_path):
    (tmp_path / "usual").write_bytes(b"")
    files.atomic_write(tmp_path / "ours", b"")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_atomic_write_that_fails_keeps_what_was_there(tmp_path):
    plant(tmp_path, "folder/inside", "file")
    for target in (tmp_path / "folder", tmp_path / "gone" / "x", tmp_path / "file" / "x"):
        with pytest.raises(OutputNotWritable) as caught:
            files.atomic_write(target, b"new")
        assert caught.value.path == target and caught.value.reason
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


@pytest.mark.parametrize("error, expected", [(ValueError, ValueError), (OSError, OutputNotWritable)])
def test_a_block_that_fails_leaves_what_was_there(tmp_path, error, expected):
    def write() -> None:
        with files.written(tmp_path / "file") as stream:
            stream.write(b"half of the new")
            raise error

    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(expected):
        write()
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_bytes() == b"old"


def test_the_first_file_that_is_in_the_way_is_named(tmp_path):
    gone, first, second = (tmp_path / name for name in ("gone", "b", "a"))
    plant(tmp_path, "a", "b/inside")
    with pytest.raises(OutputExists) as caught:
        files.refuse_existing(False, gone, first, second)
    assert caught.value.path == first
    files.refuse_existing(True, gone, first, second)
    files.refuse_existing(False, gone)
    files.refuse_existing(False)


def test_ensure_writable_makes_the_folder_and_leaves_it_empty(tmp_path):
    assert files.ensure_writable(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert os.listdir(tmp_path / "a" / "b") == []


def test_ensure_writable_refuses_a_file_in_the_way(tmp_path):
    plant(tmp_path, "file")
    for folder in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputNotWritable):
            files.ensure_writable(folder)


def test_ensure_writable_refuses_a_read_only_folder(tmp_path, ordinary_user):
    with pytest.raises(OutputNotWritable, match="ermission"):
        files.ensure_writable("/usr")


def test_sha256_known_answer(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256_of(tmp_path / "abc") == files.sha256_bytes(b"abc") == known


# --- finding ---


def test_folder_is_searched_by_extension_without_hidden_ones(tmp_path):
    plant(tmp_path, "b/2.JPG", "b/10.jpeg", "a.png", "notes.txt", ".hidden.png", ".gendeg/x.png", "c/d/e.WebP")
    found = files.find_images([tmp_path])
    assert names_of(found, tmp_path) == ["a.png", "b/10.jpeg", "b/2.JPG", "c/d/e.WebP"]
    assert {one.root for one in found} == {tmp_path}


def test_order_of_arguments_does_not_matter_and_nothing_comes_twice(tmp_path):
    plant(tmp_path, "b/x.png", "a/x.png", "a/sub/y.png")
    arguments = [tmp_path / "b", tmp_path / "a", tmp_path / "a" / "sub", tmp_path / "a" / "x.png"]
    found = files.find_images(arguments)
    assert found == files.find_images(arguments[::-1])
    assert names_of(found, tmp_path) == ["a/sub/y.png", "a/x.png", "b/x.png"]


def test_named_file_is_kept_whatever_its_extension(tmp_path):
    plant(tmp_path, "photo.heic", ".hidden")
    found = files.find_images([tmp_path / "photo.heic", str(tmp_path / ".hidden")])
    assert names_of(found, tmp_path) == [".hidden", "photo.heic"]
    assert found[0].root == tmp_path


def test_link_cycles_are_survived(tmp_path):
    plant(tmp_path, "a/x.png")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "again").symlink_to(tmp_path / "a")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "broken.png").symlink_to(tmp_path / "gone.png")
    assert names_of(files.find_images([tmp_path]), tmp_path) == ["a/x.png", "broken.png", "self.png"]


def test_linked_folder_outside_is_followed(tmp_path):
    plant(tmp_path, "elsewhere/x.png", "photos/y.png")
    (tmp_path / "photos" / "more").symlink_to(tmp_path / "elsewhere")
    assert names_of(files.find_images([tmp_path / "photos"]), tmp_path) == ["photos/more/x.png", "photos/y.png"]


def test_odd_file_names_are_found(tmp_path):
    for name in (b"caf\xe9.png", "日本 語.png".encode(), b"new\nline.png"):
        (Path(os.fsdecode(tmp_path)) / os.fsdecode(name)).touch()
    found = files.find_images([tmp_path])
    assert len(found) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", stem) for stem in files.output_stems(found))


def test_missing_path_and_folder_without_images(tmp_path):
    plant(tmp_path, "text/notes.txt", "good/x.png")
    with pytest.raises(MissingPath) as missing:
        files.find_images([tmp_path / "good", tmp_path / "gone"])
    assert missing.value.path == tmp_path / "gone"
    with pytest.raises(NoImages) as empty:
        files.find_images([tmp_path / "good", tmp_path / "text"])
    assert empty.value.folder == tmp_path / "text"
    assert files.find_images([]) == []


def test_folder_that_may_not_be_listed(tmp_path):
    locked = tmp_path / "locked"
    plant(locked, "x.png")
    locked.chmod(0o311)
    was = os.geteuid()
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    try:
        if was == 0:
            os.seteuid(65534)
        with pytest.raises(CannotRead, match="ermission"):
            files.find_images([locked])
    finally:
        os.seteuid(was)
        locked.chmod(0o755)


# --- naming ---


@pytest.mark.parametrize(
    "name, stem",
    [("IMG_1-a.jpg", "IMG_1-a"), ("Café 1.final.jpg", "Cafe_1_final"), ("日本.png", "image"), ("--x--.png", "x")],
)
def test_stem_of_one_file(tmp_path, name, stem):
    assert files.output_stems([files.Found(tmp_path / name, tmp_path)]) == [stem]


def test_same_name_in_two_folders_gets_its_folders(tmp_path):
    plant(tmp_path, "a/x.png", "b/c/x.png", "y.png")
    assert files.output_stems(files.find_images([tmp_path])) == ["a-x", "b-c-x", "y"]


def test_same_name_under_two_arguments_or_with_two_extensions(tmp_path):
    plant(tmp_path, "one/x.png", "two/x.png", "two/y.png", "two/y.jpg")
    stems = files.output_stems(files.find_images([tmp_path / "one", tmp_path / "two"]))
    assert stems == ["one-x-png", "two-x-png", "two-y-jpg", "two-y-png"]


NASTY = [
    "x.png",
    "X.png",
    "x.jpg",
    "a/x.png",
    "a-x.png",
    "A/x.png",
    "a-x.jpg",
    "b/ä.png",
    "b/a.png",
    "日.png",
    "本.png",
]


def test_nasty_names_never_collide_in_any_order(tmp_path):
    nasty = [*NASTY, "long/" + "z" * 200 + "1.png", "long/" + "y" + "z" * 199 + "1.png"]
    found = [files.Found(tmp_path / name, tmp_path) for name in nasty]
    expected = dict(zip(found, files.output_stems(found), strict=True))
    assert len({stem.lower() for stem in expected.values()}) == len(found)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,120}", stem) for stem in expected.values())
    for seed in range(5):
        random.Random(seed).shuffle(found)
        assert files.output_stems(found) == [expected[one] for one in found]


def test_listing_a_file_twice_is_our_own_mistake(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        files.output_stems([files.Found(tmp_path / "x.png", tmp_path)] * 2)


# --- JSON lines ---


def test_rows_come_back_in_their_key_order(tmp_path):
    rows = [{"b": 1, "a": 0.0, "text": "é\u2028\udce9 日"}, {"a": []}]
    files.write_jsonl(tmp_path / "rows", rows)
    assert files.read_jsonl(tmp_path / "rows") == rows
    assert (tmp_path / "rows").read_bytes().startswith(b'{"b": 1, "a": 0.0, ')
    files.append_jsonl(tmp_path / "rows", iter([{"c": True}]))
    assert files.read_jsonl(tmp_path / "rows") == [*rows, {"c": True}]
    assert (tmp_path / "rows").read_bytes().count(b"\n") == 3


def test_empty_file_blank_lines_and_byte_order_mark(tmp_path):
    (tmp_path / "rows").write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n{"a": 2}')
    assert files.read_jsonl(tmp_path / "rows") == [{"a": 1}, {"a": 2}]
    files.write_jsonl(tmp_path / "none", [])
    assert files.read_jsonl(tmp_path / "none") == []


@pytest.mark.parametrize(
    "line, reason",
    [(b'{"a": 1', "not JSON"), (b"[1]", "list"), (b"\xff", "UTF-8"), (b'{"a": NaN}', "NaN"), (b"[" * 100_000, "JSON")],
)
def test_bad_line_is_named_by_number(tmp_path, line, reason):
    (tmp_path / "rows").write_bytes(b'{"a": 1}\n\n' + line + b'\n{"a": 2}\n')
    with pytest.raises(BadManifest, match=reason) as caught:
        files.read_jsonl(tmp_path / "rows")
    assert caught.value.line == 3 and "line 3" in str(caught.value) and "\n" not in str(caught.value)


def test_of_lines_under_the_pen_those_that_are_whole_are_read(tmp_path):
    (tmp_path / "rows").write_bytes(b'{"a": 1}\n[2]\n\n\xff\n{"a": 3}\r\n{"a": 4')
    assert list(files.readable_rows(tmp_path / "rows")) == [{"a": 1}, {"a": 3}]
    with pytest.raises(OSError):
        list(files.readable_rows(tmp_path / "gone"))


def test_jsonl_paths_that_do_not_work(tmp_path):
    with pytest.raises(MissingPath):
        files.read_jsonl(tmp_path / "gone")
    with pytest.raises(CannotRead):
        files.read_jsonl(tmp_path)
    with pytest.raises(OutputNotWritable):
        files.append_jsonl(tmp_path, [{}])


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError):
        files.write_jsonl(tmp_path / "rows", [{"a": float("nan")}])
    assert os.listdir(tmp_path) == []


# --- packed data ---


@pytest.mark.parametrize("name", ["prompts", "manifests"])
def test_data_is_beside_the_package_in_a_checkout(name):
    assert files.data_root(name) == Path(files.__file__).resolve().parents[2] / name


def test_data_is_inside_the_package_when_installed(tmp_path):
    source = Path(files.__file__).resolve().parent
    shutil.copytree(source, tmp_path / "gendeg" / "primitives")
    plant(tmp_path, "gendeg/__init__.py", "gendeg/_data/prompts/x.toml", "prompts/of-somebody-else.toml")
    script = "from gendeg.primitives.files import data_root; print(data_root('prompts')); data_root('manifests')"
    run = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout.strip() == str(tmp_path.resolve() / "gendeg" / "_data" / "prompts")
    assert "IncompleteInstall" in run.stderr and "install gendeg again" in run.stderr


def test_data_of_another_name_is_a_mistake():
    with pytest.raises(ValueError):
        files.data_root("weights")
