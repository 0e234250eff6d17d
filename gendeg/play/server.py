"""The page of gendeg play, over HTTP: the page itself, the sample photos, and `make`. Python's own server is enough.

It listens on this machine only unless it is told otherwise. Then too it takes requests of its own page alone: by the
header that the page sends, and by the name that the browser came by, so that no other page can use it.
"""

import base64
import json
import mimetypes
import sys
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from gendeg import __version__
from gendeg.model.loading import check_model
from gendeg.play.config import LARGEST_SIZE, PlayConfig, Wish
from gendeg.primitives.errors import BadOption
from gendeg.primitives.exits import advice_for
from gendeg.primitives.kinds import Degradation
from gendeg.primitives.silence import resting

if TYPE_CHECKING:
    from gendeg.play.studio import Made, Studio

HERE = Path(__file__).parent
REPORT = HERE.parent / "report"
FILES = {
    "/style.css": ("text/css", (REPORT / "page.css", HERE / "play.css")),
    "/script.js": ("text/javascript", (REPORT / "page.js", HERE / "play.js")),
}
POLICY = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' blob: data:; connect-src 'self'"
"""What a browser may fetch for this page: nothing from anywhere else."""
HEADER = "X-Gendeg-Play"
"""Other pages cannot send it here without asking first, and nobody answers that."""
FORGOTTEN = 1 << 30
"""Bytes of a file that is too large which are read all the same."""
PATIENCE = 60.0
"""Seconds without a byte from a browser."""


def serve(config: PlayConfig) -> None:
    """Until it is interrupted. Raises `BadOption` where nobody can listen, and what loading the model raises."""
    check_model(config.model)
    with open_server(config) as server:
        from gendeg.play.studio import Studio  # brings torch, which takes seconds: a port that is taken is said by now

        server.studio = Studio(config)
        server.studio.load(config.model)
        print(f"gendeg play: open {address(server)} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        with resting():
            server.serve_forever()


def open_server(config: PlayConfig, studio: "Studio | None" = None) -> "_Server":
    """Listening, not yet answering: until it does it needs its studio. Raises `BadOption`."""
    try:
        return _Server((config.host, config.port), studio)
    except OSError as error:
        advice = "another program has this port: choose another --port, or 0 for any" if config.port else "check --host"
        raise BadOption("--port", f"{config.host}:{config.port}: {error.strerror or error}; {advice}") from error


def address(server: ThreadingHTTPServer) -> str:
    host, port = server.server_address[:2]
    return f"http://{host if isinstance(host, str) else host.decode()}:{port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, place: tuple[str, int], studio: "Studio | None"):
        self.studio = studio
        super().__init__(place, _Desk)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that left is no matter; anything else is said in one line."""
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, ConnectionError | TimeoutError):
            print(f"gendeg play: {advice_for(error)[0]}", file=sys.stderr)


class _Desk(BaseHTTPRequestHandler):
    """One browser's requests."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = f"gendeg/{__version__}", ""
    timeout = PATIENCE

    @property
    def studio(self) -> "Studio":
        return self.server.studio  # type: ignore[attr-defined]

    def do_GET(self) -> None:
        place = urlsplit(self.path).path
        if not self._known():
            self._refuse(HTTPStatus.FORBIDDEN, "this page is for the machine that it runs on; see --host")
        elif place == "/":
            self._answer(HTTPStatus.OK, "text/html", page(self.studio).encode())
        elif place in FILES:
            kind, parts = FILES[place]
            self._answer(HTTPStatus.OK, kind, b"\n".join(part.read_bytes() for part in parts))
        elif (sample := self.studio.samples.get(place.removeprefix("/sample/"))) and place.startswith("/sample/"):
            self._answer(HTTPStatus.OK, mimetypes.guess_type(sample.name)[0] or "image/jpeg", sample.read_bytes())
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here")

    def do_POST(self) -> None:
        limit = self.studio.config.megabytes
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        self.close_connection = True  # what is refused is not read on
        if not self._known() or self.headers.get(HEADER) is None or urlsplit(self.path).path != "/make":
            self._refuse(HTTPStatus.FORBIDDEN, "only the page itself may ask")
        elif length < 0:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long the photo is")
        elif length > limit * 1_000_000:
            self._forget(length)
            said = f"the file has {length / 1e6:.1f} MB, more than the {limit} MB that are taken here (--max-megabytes)"
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, said)
        else:
            self._make(self.rfile.read(length))

    def _forget(self, length: int) -> None:
        """Takes what a browser is sending anyway, which would not listen before: but not without end."""
        rest = min(length, FORGOTTEN)
        while rest > 0 and (block := self.rfile.read(min(rest, 1 << 16))):
            rest -= len(block)

    def _make(self, photo: bytes) -> None:
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        try:
            made = self.studio.make(photo, asked.get("name", "photo"), wish_of(asked))
        except Exception as error:  # the page says in the command line's words what went wrong
            said, _ = advice_for(error)
            self._refuse(HTTPStatus.BAD_REQUEST, said)
        else:
            self._answer(HTTPStatus.OK, "application/json", json.dumps(as_row(made)).encode())

    def _known(self) -> bool:
        """Whether the browser came by a name of ours, and no other page sent it.

        A name that some other site points at this machine (DNS rebinding) is none.
        """
        host = self.headers.get("Host", "")
        origin = self.headers.get("Origin")
        if origin and urlsplit(origin).netloc != host:
            return False
        return not is_local(self.studio.config.host) or is_local(urlsplit(f"//{host}").hostname or "")

    def _answer(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8" if kind.startswith(("text", "app")) else kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _refuse(self, status: HTTPStatus, line: str) -> None:
        self._answer(status, "application/json", json.dumps({"error": line}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody wants a line for each request."""


def is_local(host: str) -> bool:
    """Whether a name or number means this machine only."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def wish_of(asked: dict[str, str]) -> Wish:
    """What stands in the address. Raises `BadOption`."""
    try:
        intensity, seed, size = float(asked["intensity"]), int(asked["seed"]), int(asked["size"])
        wish = Wish(asked["type"], round(intensity, 4), seed, size, asked["model"])
    except (KeyError, ValueError) as error:
        raise BadOption("the page's request", f"is not whole ({error}); load the page again") from error
    if not 0 <= wish.intensity <= 1 or wish.seed < 0:
        raise BadOption("--intensity", "must lie in [0, 1], and the seed must not be negative")
    return wish


def as_row(made: "Made") -> dict[str, Any]:
    """For the page."""
    pictures = {"clean": made.clean, "degraded": made.degraded}
    coded = {name: base64.b64encode(data).decode() for name, data in pictures.items()}
    record = asdict(made.record) | {"clean_path": ""}  # which was a folder of our own
    return {"name": made.name, "command": made.command, "record": record, **coded}


def page(studio: "Studio") -> str:
    """Everything that is told to be escaped is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("play.html").render(
        kinds=[(str(kind), kind.replace("_", " ")) for kind in Degradation],
        models=studio.models,
        samples=list(studio.samples),
        limits=studio.config,
        largest=LARGEST_SIZE,
        version=__version__,
        local=is_local(studio.config.host),
    )
