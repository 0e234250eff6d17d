"""Tables of photos: read strictly, errors by line, one meaning of kind and split."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gendeg.pairs.tables import Row, read_table
from gendeg.primitives.errors import BadManifest, CannotRead, MissingPath
from gendeg.primitives.pictures import OTHER_KIND, OTHER_SPLIT


def table(folder: Path, data: bytes | str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rows(folder: Path, data: bytes | str, name: str = "t.csv") -> list[tuple[str, str]]:
    return [(row.path, row.caption) for row in read_table(table(folder, data, name))]


GOOD = [("a.png", "a dog, brown"), ("b;c.png", 'says "hi"')]


@pytest.mark.parametrize(
    "data",
    [
        'path,caption\na.png,"a dog, brown"\nb;c.png,"says ""hi"""\n',
        '\ufeffPath,Caption\r\na.png,"a dog, brown"\r\n\r\nb;c.png,"says ""hi"""\r\n',
        'path;text\na.png;a dog, brown\n"b;c.png";"says ""hi"""',
        'sep=;\npath;text\na.png;a dog, brown\n"b;c.png";"says ""hi"""',
        'caption\tkind\tfile_name\na dog, brown\tclean\ta.png\n"says ""hi"""\t\tb;c.png\n',
        'path|caption\ra.png|a dog, brown\rb;c.png|"says ""hi"""\r',
        'path,caption\na.png,"a dog, brown"\nb;c.png,"says ""hi"""\n'.encode("utf-16"),
    ],
)
def test_the_common_dialects_say_the_same(tmp_path, data):
    assert rows(tmp_path, data) == GOOD


def test_a_caption_may_have_several_lines(tmp_path):
    data = 'path,caption\na.png,"a dog,\nand a cat"\nb.png,"one\n\nphoto.png of it"\n'
    assert rows(tmp_path, data) == [("a.png", "a dog,\nand a cat"), ("b.png", "one\n\nphoto.png of it")]
    assert [row.line for row in read_table(tmp_path / "t.csv")] == [2, 4]


@pytest.mark.parametrize(
    "line, what, data",
    [
        (2, "does not close", 'path,caption\na.png,"a dog\nb.png,a cat\nc.png,x\n'),
        (2, "not a row", 'path,caption\na.png,"a dog\nb.png,"a cat"\nc.png,x\n'),
        (3, "do not close", 'path,caption\na.png,"a dog\nb.png,a cat"\nc.png,x\n'),
        (4, "do not close", 'kind,path,caption\nclean,a.png,"a dog\nand more\nclean,b.png,a cat"\n'),
        (3, "3 cells under 2", "path,caption\na.png,x\nb.png,a cat, a dog\n"),
        (3, "1 cells under 2", "path,caption\na.png,x\nb.png\n"),
        (3, "'path'", "path,caption\na.png,x\n,y\n"),
        (1, "'path'", "name,caption\na.png,x\n"),
        (1, "'path'", "a.png\nb.png\n"),
        (1, "empty", ""),
        (1, "two columns", "path,path\na.png,b.png\n"),
        (3, "NUL", "path,caption\na.png,x\nb.png,\0\n"),
        (2, "UTF-8", b"path,caption\na.png,caf\xe9\n"),
        (2, "field larger", "path,caption\na.png," + "x" * 140_000),
    ],
)
def test_what_does_not_fit_is_named_by_its_line(tmp_path, line, what, data):
    with pytest.raises(BadManifest, match=what) as refused:
        rows(tmp_path, data)
    assert refused.value.line == line and refused.value.path == tmp_path / "t.csv"


@pytest.mark.parametrize(
    "line",
    ['{"path": 3}', '{"path": ["a.png"]}', '{"path": "a\\u0000.png"}', '{"path": "\\ud800.png"}', "{}", "[1]",
     '{"path": "a.png", "caption": ["x"]}', '{"path": "a.png", "caption": "\\ud800"}', '{"path": "a.png", "kind": 1}',
     '{"path": "a.png"'],
)  # fmt: skip
def test_bad_lines_of_json_are_named(tmp_path, line):
    with pytest.raises(BadManifest) as refused:
        rows(tmp_path, f'{{"path": "good.png"}}\n\n{line}\n', "t.jsonl")
    assert refused.value.line == 3


def test_lists_and_json_and_parquet(tmp_path):
    assert rows(tmp_path, b"a.png\r\n\n b c.png \ncaf\xe9.png\n", "t.txt")[:2] == [("a.png", ""), ("b c.png", "")]
    row = {"file_name": "a.png", "text": "x", "Split": "val"}
    assert rows(tmp_path, json.dumps(row), "t.jsonl") == [("a.png", "x")]
    pq.write_table(
        pa.table({"path": ["a.png", "b.png"], "caption": ["x", None], "other": [1, 2]}), tmp_path / "t.parquet"
    )
    assert [(row.path, row.caption) for row in read_table(tmp_path / "t.parquet")] == [("a.png", "x"), ("b.png", "")]
    with pytest.raises(BadManifest):
        rows(tmp_path, b"PAR1 no parquet", "t.parquet")
    pq.write_table(pa.table({"url": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(BadManifest, match="among url"):
        list(read_table(tmp_path / "t.parquet"))
    with pytest.raises(MissingPath):
        list(read_table(tmp_path / "gone.csv"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(CannotRead):
        list(read_table(tmp_path / "folder.csv"))


def test_kind_and_split_mean_one_thing(tmp_path):
    data = "path,kind,split\na.png,Clean,train\nb.png,,val\nc.png,real,train\nd.png,clean,Test\ne.png,,\n"
    found = list(read_table(table(tmp_path, data)))
    assert [row.refused("clean", ["train"]) for row in found] == ["", OTHER_SPLIT, OTHER_KIND, OTHER_SPLIT, ""]
    assert [row.refused("clean", None) for row in found] == ["", "", OTHER_KIND, "", ""]
    assert [row.split for row in found] == ["train", "validation", "train", "test", ""]
    assert found[3].place == "row 5 (kind clean, split test)"


def test_a_manifest_of_pairs_is_a_table_of_its_clean_halves(tmp_path):
    row = {"clean": "c.png", "degraded": "d.png", "degradation": "haze", "split": "test", "caption": "x", "mu": 0.1}
    (found,) = read_table(table(tmp_path, json.dumps(row), "m.jsonl"))
    assert (found.path, found.caption, found.kind, found.split) == ("c.png", "x", "clean", "test")
    assert isinstance(found, Row) and found.fields["degradation"] == "haze"
