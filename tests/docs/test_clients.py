"""What docs/client.md and docs/http.md show is run, as it stands there."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.conftest import PROJECT
from tests.docs.snippets import run

DOCS = PROJECT / "docs"


@pytest.fixture
def photos(mindy: bytes, mindy_again: bytes, jerry: bytes) -> dict[str, bytes | Path]:
    """What the two documents call their photos."""
    return {"face.jpg": mindy, "again.jpg": mindy_again, "people/jerry/1.jpg": jerry, "people/mindy/1.jpg": mindy_again}


@contextmanager
def busy_once(service: httpx.Client) -> Iterator[tuple[str, list[str]]]:
    """An address before the service, where the first request that has an idempotency key finds it overloaded.

    With the keys that came.
    """
    keys = list[str]()

    class Relay(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if key := self.headers.get("Idempotency-Key"):
                keys.append(key)
            if key and len(keys) == 1:
                overloaded = {"error": {"code": "OVERLOADED", "message": "Busy", "details": {}}, "request_id": "r-1"}
                answer = httpx.Response(503, json=overloaded, headers={"Retry-After": "1"})
            else:
                kept = {name: self.headers[name] for name in ("Content-Type", "Idempotency-Key") if self.headers[name]}
                answer = service.request(self.command, self.path, content=body, headers=kept)
            self.send_response(answer.status_code)
            for name in ("Content-Type", "Content-Length", "Retry-After"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - http.server looks for these names

        def log_message(self, *said: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Relay) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", keys
        server.shutdown()


def test_the_python_tour(service: httpx.Client, tmp_path: Path, photos: dict[str, bytes | Path]) -> None:
    run(DOCS / "client.md", str(service.base_url), tmp_path, photos)


@pytest.mark.parametrize("language", ["bash", "javascript"])
def test_curl_and_javascript_ask_again_when_they_are_told_to(
    service: httpx.Client, tmp_path: Path, photos: dict[str, bytes | Path], language: str
) -> None:
    if language == "javascript" and shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    with busy_once(service) as (address, keys):
        run(DOCS / "http.md", address, tmp_path, photos, languages=[language])
    first, again = keys
    assert first == again
    service.delete("/v1/collections/staff", params={"with_faces": True}).raise_for_status()
