"""A website on this machine that replaces a registry or a release page."""

import contextlib
import gzip
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models.sources import HttpsSource


@dataclass
class Site:
    """Serves `files`, compressed for clients that accept it, and records requests.

    Attributes:
        files: content by path.
        asked: path and Range header of every request.
        cut_after: number of bytes of a response after which the connection is closed.
        ranges: whether range requests are supported.
    """

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    cut_after: int | None = None
    ranges: bool = True

    def source(self, path: str, content: bytes | None = None, **archive: Any) -> HttpsSource:
        """Serve `content` at `path` and return a source for it. Unlike real sources, it is not https."""
        if content is not None:
            self.files[path] = content
        return HttpsSource.model_construct(kind="https", url=self.url + path, **archive)


@contextlib.contextmanager
def served() -> Iterator[Site]:
    """Run a site during the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers["Range"]))
            if self.path not in site.files:
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            status, content, encoding = HTTPStatus.OK, site.files[self.path], "identity"
            if "gzip" in self.headers.get("Accept-Encoding", ""):
                content, encoding = gzip.compress(content, 1, mtime=0), "gzip"
            if site.ranges and self.headers["Range"]:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                beyond = start >= len(content)
                status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE if beyond else HTTPStatus.PARTIAL_CONTENT
                content = content[start:]
            self.send_response(status)
            for header in (("Content-Encoding", encoding), ("Content-Type", "text/html")):
                self.send_header(*header)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: site.cut_after])

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        site = Site(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield site
        finally:
            server.shutdown()
