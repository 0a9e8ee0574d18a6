"""A website on this machine that replaces a registry or a release page."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models.sources import HttpsSource


class Site:
    """Serves `files` and records requests.

    Attributes:
        files: content by path.
        asked: path and Range header of every request.
        cut_after: number of bytes of a response after which the connection is closed.
        ranges: whether range requests are supported.
        compresses: whether responses are compressed for clients that accept it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None]] = []
        self.cut_after: int | None = None
        self.ranges = True
        self.compresses = False

    def source(self, path: str, content: bytes | None = None, **archive: str) -> HttpsSource:
        """Serve `content` at `path` and return a source for it. Unlike real sources, it is not https."""
        if content is not None:
            self.files[path] = content
        values: dict[str, Any] = {
            "kind": "https",
            "url": self.url + path,
            "archive_sha256": None,
            "member": None,
            **archive,
        }
        return HttpsSource.model_construct(**values)


@contextlib.contextmanager
def served() -> Iterator[Site]:
    """Run a site during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Range"]))
            if self.path not in site.files:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            status, content, headers = HTTPStatus.OK, site.files[self.path], {}
            if site.compresses and "gzip" in self.headers.get("Accept-Encoding", ""):
                content, headers = gzip.compress(content, 1, mtime=0), {"Content-Encoding": "gzip"}
            if site.ranges and self.headers["Range"]:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                beyond = start >= len(content)
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if beyond else HTTPStatus.PARTIAL_CONTENT
                content = content[start:]
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "text/html", "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[: site.cut_after])

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
