"""An HTTP server on loopback whose answers a function gives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx


@contextmanager
def http_server(answer: Callable[[httpx.Request], httpx.Response]) -> Iterator[str]:
    """Answer requests on a free port until the block ends; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            response = answer(
                httpx.Request(self.command, f"{address}{self.path}", headers=[*self.headers.items()], content=body)
            )
            self.send_response(response.status_code)
            for name in response.headers.keys() & {"content-type", "content-length", "retry-after"}:
                self.send_header(name, response.headers[name])
            self.end_headers()
            self.wfile.write(response.content)

        do_GET = do_PUT = do_DELETE = do_POST  # noqa: N815 - http.server looks for these names

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()
