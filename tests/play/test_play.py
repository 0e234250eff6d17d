"""gendeg play from the browser's side, without one: images, commands, limits, errors, and who may ask."""

import base64
import http.client
import io
import json
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from gendeg.cli.app import app
from gendeg.intensity.measure import measure_intensity
from gendeg.play.config import PlayConfig, Wish
from gendeg.play.server import HEADER, open_server
from gendeg.play.studio import Refused, Studio, file_name
from gendeg.primitives.errors import BadOption
from gendeg.primitives.images import read_rgb
from tests.tiny import photo, tiny_pipeline


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("model")
    tiny_pipeline().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def studio(model: str) -> Studio:
    return Studio(PlayConfig(model=model, device="cpu", megabytes=1, megapixels=1))


@pytest.fixture(scope="module")
def port(studio: Studio) -> Iterator[int]:
    server = open_server(PlayConfig(port=0), studio)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def jpeg(height: int = 40, width: int = 56) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(photo(height, width)).save(stream, "JPEG")
    return stream.getvalue()


def ask(
    port: int, method: str, path: str, body: bytes | None = None, host: str = "", **headers: str
) -> tuple[int, Any, dict[str, str]]:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    line.request(method, path, body, {"Host": host or f"127.0.0.1:{port}", **named})
    answer = line.getresponse()
    data, kind = answer.read(), answer.headers.get("Content-Type", "")
    line.close()
    return answer.status, json.loads(data) if "json" in kind else data, dict(answer.headers)


def make(port: int, body: bytes, own: str, /, **changes: object) -> tuple[int, Any]:
    wish = {"name": "my photo.jpg", "type": "haze", "intensity": 0.6, "seed": 3, "size": 32, "model": own} | changes
    return ask(port, "POST", f"/make?{urlencode(wish)}", body, **{HEADER: "1"})[:2]


@pytest.mark.parametrize("wish", [{}, {"type": "snow+haze", "intensity": 0.125, "seed": 0, "size": 0}])
def test_the_command_makes_the_same_bytes(port, model, tmp_path, monkeypatch, wish) -> None:
    status, made = make(port, jpeg(), model, **wish)
    assert status == 200, made
    degraded = base64.b64decode(made["degraded"])
    monkeypatch.chdir(tmp_path)
    Path("my photo.jpg").write_bytes(jpeg())
    done = CliRunner().invoke(app, shlex.split(made["command"])[1:])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "synth" / made["name"]).read_bytes() == degraded
    clean = read_rgb(base64.b64decode(made["clean"]))
    measured = measure_intensity(clean, read_rgb(degraded))
    assert (made["record"]["mu"], made["record"]["sigma"]) == pytest.approx(measured, abs=1e-6)
    assert min(clean.shape[:2]) == (wish.get("size", 32) or 40) and made["record"]["clean_path"] == ""


def test_a_sample_photo_is_named_where_it_lies(port, model, studio) -> None:
    for name, sample in studio.samples.items():
        status, data, _ = ask(port, "GET", f"/sample/{name}")
        assert status == 200 and data == sample.read_bytes()
    _, made = make(port, data, model, name=name)
    assert shlex.split(made["command"])[2] == str(sample)
    _, made = make(port, jpeg(), model, name=name)
    assert shlex.split(made["command"])[2] == name, "somebody's own photo of that name"


@pytest.mark.parametrize(
    ("body", "changes", "says"),
    [
        (b"not a photo", {}, "my photo.jpg: is not an image"),
        (b"", {}, "my photo.jpg: has 0 bytes"),
        (jpeg()[:200], {}, "my photo.jpg: "),
        (jpeg(1001, 1000), {}, "limit 1 megapixels"),
        (jpeg(), {"type": "fog"}, "unknown degradation 'fog'; did you mean haze?"),
        (jpeg(), {"type": "haze,rain"}, "one image at a time"),
        (jpeg(), {"intensity": "nan"}, "must lie in [0, 1]"),
        (jpeg(), {"intensity": 2}, "must lie in [0, 1]"),
        (jpeg(), {"seed": -1}, "must not be negative"),
        (jpeg(), {"seed": "x"}, "load the page again"),
        (jpeg(), {"size": 5000}, "[1, 2048]"),
        (jpeg(), {"model": "/etc"}, "this page has"),
        (jpeg(), {"name": "../../../etc/passwd", "type": "fog"}, "unknown degradation"),
    ],
)
def test_what_cannot_be_done_is_one_line(port, model, body, changes, says) -> None:
    status, answer = make(port, body, model, **changes)
    assert status == 400 and says in answer["error"] and "\n" not in answer["error"]
    assert "gendeg-play-" not in answer["error"], "a folder of our own"


def test_a_file_that_is_too_large_is_refused_by_its_size(port, model) -> None:
    status, answer = make(port, bytes(1_000_001), model)
    assert status == 413 and "more than the 1 MB that are taken here (--max-megabytes)" in answer["error"]


def test_other_pages_cannot_use_it(port) -> None:
    wish = "/make?name=a&type=haze&intensity=1&seed=0&size=0&model=bundled"
    assert ask(port, "POST", wish, jpeg())[0] == 403, "without the page's header"
    assert ask(port, "POST", wish, jpeg(), **{HEADER: "1", "Origin": "https://elsewhere.org"})[0] == 403
    assert ask(port, "GET", "/", host="elsewhere.org")[0] == 403, "a name that points here"
    assert ask(port, "OPTIONS", wish)[0] == 501, "so that no browser lets another page send the header"
    assert ask(port, "GET", "/", host=f"localhost:{port}")[0] == 200
    assert ask(port, "GET", "/../config.py")[0] == ask(port, "GET", "/sample/../x")[0] == 404


def test_the_page_may_fetch_nothing_from_elsewhere(port) -> None:
    for path in ("/", "/style.css", "/script.js"):
        status, text, headers = ask(port, "GET", path)
        assert status == 200 and b"http:" not in text.replace(b"http://www.w3.org", b"") and b"https:" not in text
        assert "default-src 'none'" in headers["Content-Security-Policy"]


def test_one_at_a_time_and_a_short_line(studio, monkeypatch) -> None:
    monkeypatch.setattr(studio, "_waiting", threading.Semaphore(1))
    with studio._my_turn():
        with pytest.raises(Refused, match="others are waiting"):
            studio.make(b"", "a.jpg", Wish("haze", 0.5, 0, 0, studio.config.model))


def test_a_port_that_is_taken_is_said(port, studio) -> None:
    with pytest.raises(BadOption, match=f"127.0.0.1:{port}: .*choose another --port"):
        open_server(PlayConfig(port=port), studio)


@pytest.mark.parametrize(
    ("name", "kept"),
    [("a.jpg", "a.jpg"), ("C:\\x\\b.png", "b.png"), ("../../c.jpg", "c.jpg"), ("", "photo"), ("..", "photo"),
     ("-rf.jpg", "rf.jpg"), ("a\nb.jpg", "ab.jpg"), ("x" * 300 + ".jpeg", "x" * 80 + ".jpeg"), ("noend", "noend")],
)  # fmt: skip
def test_names_that_disks_take(name: str, kept: str) -> None:
    assert file_name(name) == kept


def test_images_of_one_photo_differ_by_what_is_asked(port, model) -> None:
    images = [
        read_rgb(base64.b64decode(make(port, jpeg(), model, **changes)[1]["degraded"]))
        for changes in ({}, {"seed": 4}, {"type": "rain"}, {"intensity": 0.1})
    ]
    assert all(np.any(images[0] != other) for other in images[1:])
