"""The tar itself: known headers, known order, nothing left behind."""

import tarfile

import pytest

from gendeg.primitives.errors import OutputNotWritable
from gendeg.shards.writer import ShardWriter, StoredSample, member_header, tail

SAMPLE = StoredSample("a-haze-00", b"clean", "jpg", b"degraded" * 100, b'{"key": "a"}')


def test_standard_readers_read_it_back_in_order(tmp_path):
    with ShardWriter(tmp_path / "s.tar") as writer:
        members = writer.add(SAMPLE) + writer.add(StoredSample("b", b"", "jpg", b"x" * 512, b"{}"))
    with tarfile.open(tmp_path / "s.tar") as tar:
        found = tar.getmembers()
        data = [tar.extractfile(member).read() for member in found]  # type: ignore[union-attr]
    assert [m.name for m in found[:3]] == ["a-haze-00.clean.jpg", "a-haze-00.degraded.png", "a-haze-00.json"]
    assert data == [b"clean", b"degraded" * 100, b'{"key": "a"}', b"", b"x" * 512, b"{}"]
    assert [m.offset_data for m in found] == [m.offset for m in members]
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in found} == {(0, 0, 0, "", "", 0o644)}


def test_equal_content_is_equal_bytes_and_the_hash_is_the_files(tmp_path):
    import hashlib

    hashes = []
    for name in ("one.tar", "two.tar"):
        with ShardWriter(tmp_path / name) as writer:
            writer.add(SAMPLE)
        data = (tmp_path / name).read_bytes()
        assert writer.sha256 == hashlib.sha256(data).hexdigest() and writer.size == len(data) and len(data) % 10240 == 0
        hashes.append(writer.sha256)
    assert hashes[0] == hashes[1]


def test_an_interrupted_shard_leaves_nothing(tmp_path):
    (tmp_path / "s.tar").write_bytes(b"the one before")

    def interrupted() -> None:
        with ShardWriter(tmp_path / "s.tar") as writer:
            writer.add(SAMPLE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["s.tar"]
    assert (tmp_path / "s.tar").read_bytes() == b"the one before"


def test_an_unwritable_folder_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputNotWritable), ShardWriter(tmp_path / "file" / "s.tar"):
        pass


def test_header_and_tail_are_the_standards():
    header = member_header("k.json", 5)
    assert len(header) == 512 and header[:6] == b"k.json" and header[257:263] == b"ustar\0"
    assert [len(tail(size)) for size in (0, 512, 10240 - 1024, 10240)] == [10240, 9728, 1024, 10240]
    with pytest.raises(ValueError):
        member_header("x" * 101, 1)
