"""Talk on stderr: never an exception, never in another file."""

import io
import os
import signal
import sys
import time

import pytest

from gendeg.primitives import progress, streams
from tests.builds import exit_code, fork


class Gone(io.StringIO):
    """A terminal that has hung up."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")

    def flush(self) -> None:
        self.write("")

    def isatty(self) -> bool:
        return bool(self.write(""))


@pytest.mark.parametrize("stream", [None, Gone(), io.TextIOWrapper(io.BytesIO())])
def test_work_goes_on_when_nobody_listens(monkeypatch, capsys, stream):
    if isinstance(stream, io.TextIOWrapper):
        stream.close()
    monkeypatch.setattr(progress, "LINE_EVERY", 0.01)
    monkeypatch.setattr(sys, "stderr", stream)
    streams.say("to nobody")
    with streams.mended_streams():
        streams.say("to nobody")
        for _ in progress.track(range(3), "long", wanted=True):
            time.sleep(0.02)
    if stream is None:
        assert list(progress.track(range(3), "long", wanted=True)) == [0, 1, 2]
    monkeypatch.undo()
    assert capsys.readouterr().out == ""


def test_the_streams_are_what_they_were_afterwards(capsys):
    before = sys.stdout, sys.stderr
    with streams.mended_streams():
        assert sys.stderr.encoding and not hasattr(sys.stderr, "no_such_thing")
    assert (sys.stdout, sys.stderr) == before


def test_a_closed_number_is_not_given_to_the_next_file(tmp_path):
    def work() -> None:
        for number in (0, 2):
            os.close(number)
        sys.stderr = None
        with streams.mended_streams(), open(tmp_path / "shard.tar", "wb") as stream:
            assert stream.fileno() > 2
            os.write(2, b"a library's warning")
            print("talk", file=sys.stderr)
            stream.write(b"data")

    assert exit_code(fork(work)) == 0
    assert (tmp_path / "shard.tar").read_bytes() == b"data"


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", b"a -> 0.3 \xff \\u03c3\n"), ("utf-8", "a → 0.3 ".encode() + b"\xff " + "σ\n".encode())],
)
def test_characters_that_a_stream_lacks(monkeypatch, encoding, shown):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, write_through=True))
    with streams.mended_streams():
        print("a → 0.3 \udcff σ")
    assert raw.getvalue() == shown


def test_a_signal_s_word_needs_no_stream(monkeypatch):
    from gendeg.build.stopping import Stopper

    monkeypatch.setattr(sys, "stderr", None)
    with Stopper(grace=5.0) as stopper:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopper.wanted
