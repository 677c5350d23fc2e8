"""The hub's real client against a small hub of our own, then without any hub."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "hubert"}',
    "preprocessor_config.json": b"{}",
    "pytorch_model.bin": b"weights" * 1000,
    "tf_model.h5": b"never asked for",
}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub's protocol as a download of ``someone/encoder`` needs."""

    asked: list[str]

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        type(self).asked.append(path)
        if path.startswith("/api/models/someone/encoder/revision/"):
            self.answer(json.dumps({"id": "someone/encoder", "sha": COMMIT, "siblings": []}))
        elif path.startswith("/api/models/someone/encoder/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(content), "oid": etag(content)}
                for name, content in FILES.items()
            ]
            self.answer(json.dumps(tree))
        elif path.startswith(f"/someone/encoder/resolve/{COMMIT}/"):
            self.send_file(path.rsplit("/", 1)[1])
        else:
            self.send(b"", {"X-Error-Code": "RepoNotFound"}, status=404)

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, text: str) -> None:
        self.send(text.encode(), {"Content-Type": "application/json"})

    def send_file(self, name: str) -> None:
        content = FILES[name]
        self.send(content, {"ETag": f'"{etag(content)}"', "X-Repo-Commit": COMMIT})

    def send(self, content: bytes, headers: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def find(model: str, home: Path, port: int) -> subprocess.CompletedProcess[str]:
    """A fresh process: the client reads its address and its cache once, at import."""
    code = (
        "import sys\n"
        "from serbench.api import TeacherError\n"
        "from serbench_teachers.weights import find_checkpoint\n"
        "try:\n"
        "    found = find_checkpoint(sys.argv[1])\n"
        "    print(found.digest, *sorted(p.name for p in found.folder.iterdir()))\n"
        "except TeacherError as error:\n"
        "    print('TeacherError', error)\n"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    home_of_hub = {"HF_HOME": str(home), "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
    return subprocess.run(
        [sys.executable, "-c", code, model],
        env={**kept, **home_of_hub, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


def test_download_then_without_network_then_another(
    hub: ThreadingHTTPServer, tmp_path: Path
) -> None:
    port = hub.server_address[1]
    due = f"commit:{COMMIT} config.json preprocessor_config.json pytorch_model.bin\n"
    first = find("someone/encoder", tmp_path, port)
    assert (first.stdout, first.stderr) == (due, "")
    assert Hub.asked
    assert not any(path.endswith("tf_model.h5") for path in Hub.asked)

    misspelt = find("someone/encodr", tmp_path, port)
    assert misspelt.stdout.startswith("TeacherError the model hub has no someone/encodr")

    Hub.asked.clear()
    assert find("someone/encoder", tmp_path, port).stdout == due
    assert not Hub.asked

    unplugged = 9  # the discard port: nobody answers
    again = find("someone/encoder", tmp_path, unplugged)
    assert (again.stdout, again.stderr) == (due, "")
    other = find("someone/other", tmp_path, unplugged)
    assert other.stdout.startswith("TeacherError the model someone/other cannot be downloaded")
    assert "`hf download someone/other --local-dir FOLDER`" in other.stdout
    assert other.stderr == ""
