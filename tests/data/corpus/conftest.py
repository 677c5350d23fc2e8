"""A server of this process, which can be told to misbehave."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest


@dataclass
class Behaviour:
    """What the server does, and what it was asked.

    Attributes:
        content: of its only file.
        ranges: whether it continues a download.
        lengthless: whether it keeps the length of its answers to itself.
        etag: of the file; empty: none.
        cuts: after how many bytes of each next answer the connection is cut.
        statuses: codes of the next answers, before it behaves.
        wrong_place: continues 7 bytes before what was asked.
        requests: the headers Range and If-Range of each request.
        url: of the file.
    """

    content: bytes = b""
    ranges: bool = True
    lengthless: bool = False
    etag: str = '"one"'
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    wrong_place: bool = False
    requests: list[tuple[str | None, str | None]] = field(default_factory=list)
    url: str = ""

    @property
    def asked(self) -> list[str | None]:
        """The Range header of each request."""
        return [asked for asked, _ in self.requests]


class Handler(http.server.BaseHTTPRequestHandler):
    behaviour: Behaviour

    def do_GET(self) -> None:
        it = self.behaviour
        asked, condition = self.headers["Range"], self.headers["If-Range"]
        it.requests.append((asked, condition))
        if it.statuses:
            self.send_error(it.statuses.pop(0))
            return
        start = 0
        if asked and it.ranges and condition in {None, it.etag}:
            start = int(asked.removeprefix("bytes=").removesuffix("-")) - 7 * it.wrong_place
            if start >= len(it.content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(it.content)}")
                self.end_headers()
                return
            self.send_response(206)
            last = len(it.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(it.content)}")
        else:
            self.send_response(200)
        if not it.lengthless:
            self.send_header("Content-Length", str(len(it.content) - start))
        if it.etag:
            self.send_header("ETag", it.etag)
        self.end_headers()
        end = start + it.cuts.pop(0) if it.cuts else len(it.content)
        self.wfile.write(it.content[start:end])

    def log_message(self, *args: object, **kwargs: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Behaviour]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("serbench.data.corpus.download.PAUSE_S", 0.0)
    behaviour = Behaviour()
    handler = type("Bound", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        behaviour.url = f"http://127.0.0.1:{httpd.server_port}/corpus.zip"
        yield behaviour
        httpd.shutdown()
        thread.join()
