"""The old performance test: what it sends, and what it says of the answers."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from load_tests import performance_test
from load_tests.performance_test import Answer, report
from models.errors import ModelError
from tests import photos
from tests.load_tests.program import invoked


class Site:
    """A server that answers every request as `answer` says of its number, and keeps what was posted."""

    def __init__(self) -> None:
        self.answer: Callable[[int], tuple[int, str]] = lambda _: (200, "{}")
        self.posted: list[tuple[str, Any]] = []
        self.url = ""
        self.lock = threading.Lock()
        self.working = self.most_at_once = 0


@pytest.fixture
def site() -> Iterator[Site]:
    served = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            with served.lock:
                served.working += 1
                served.most_at_once = max(served.most_at_once, served.working)
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with served.lock:
                served.posted.append((self.path, body))
                status, text = served.answer(len(served.posted))
                served.working -= 1
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """The options that name two photos."""
    for name in ("one", "two"):
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    return ["--image1", str(tmp_path / "one.jpg"), "--image2", str(tmp_path / "two.jpg")]


def run(*options: str) -> Result:
    return invoked(performance_test.main, *options)


def test_both_photos_are_posted_as_often_as_asked(site: Site, pair: list[str]) -> None:
    ran = run("--num-requests", "7", "--url", f"{site.url}/mediapipe", *pair)
    assert ran.exit_code == 0
    assert site.posted == [("/mediapipe", {"image1_base64": "b25l", "image2_base64": "dHdv"})] * 7
    assert re.search(r"succeeded +7 \(100\.0%\)", ran.output)
    assert "failed" not in ran.output


def test_match_has_its_own_fields(site: Site, pair: list[str]) -> None:
    run("--num-requests", "1", "--url", f"{site.url}/match", *pair)
    assert site.posted == [("/match", {"image1": "b25l", "image2": "dHdv"})]


def test_two_sample_photos_of_one_person_are_the_default(site: Site, sample_photos: Path) -> None:
    assert run("--url", f"{site.url}/compare").exit_code == 0
    assert len(site.posted) == 10
    sent = site.posted[0][1]
    assert sent["image1_base64"] != sent["image2_base64"]
    assert all(value.startswith("/9j/") for value in sent.values())


def test_no_more_at_once_than_asked(site: Site, pair: list[str]) -> None:
    assert run("--num-requests", "8", "--concurrency", "1", "--url", f"{site.url}/compare", *pair).exit_code == 0
    assert (len(site.posted), site.most_at_once) == (8, 1)


def test_failures_are_counted_and_told_apart(site: Site, pair: list[str]) -> None:
    def answer(number: int) -> tuple[int, str]:
        if number <= 3:
            return 500, f"quote {number:032x}"
        return (400, "[no] face") if number == 4 else (200, "{}")

    site.answer = answer
    ran = run("--num-requests", "8", "--url", f"{site.url}/compare", *pair)
    assert ran.exit_code == 0
    assert re.search(r"succeeded +4 \(50\.0%\)", ran.output)
    assert ran.output.splitlines()[-2:] == ["3 failed: 500: quote ...", "1 failed: 400: [no] face"]


def test_it_fails_where_nothing_succeeded(site: Site, pair: list[str]) -> None:
    site.answer = lambda _: (503, "later")
    ran = run("--num-requests", "3", "--url", f"{site.url}/compare", *pair)
    assert ran.exit_code == 1
    assert ran.output.splitlines() == ["none of 3 requests succeeded", "3 failed: 503: later"]


def test_an_address_that_nobody_answers_is_said(pair: list[str], lone_port: int) -> None:
    url = f"http://127.0.0.1:{lone_port}/mediapipe"
    ran = run("--url", url, *pair)
    assert ran.exit_code == 1
    assert ran.output.splitlines() == [f"nobody answers at {url}"]


@pytest.mark.parametrize("url", ["localhost:8000/match", "ftp://localhost/match", "http:///match", "http://[::1/match"])
def test_what_is_no_address_is_said(url: str, pair: list[str]) -> None:
    ran = run("--url", url, *pair)
    assert ran.exit_code == 2
    assert "is no address" in ran.output


def test_a_missing_photo_is_said(pair: list[str]) -> None:
    ran = run("--image1", "nowhere.jpg", *pair[2:])
    assert ran.exit_code == 2
    assert "'nowhere.jpg' does not exist" in ran.output


def test_sample_photos_that_cannot_be_fetched_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch() -> None:
        raise ModelError("no network")

    monkeypatch.setattr(photos, "fetch", fetch)
    ran = run()
    assert ran.exit_code == 1
    assert ran.output.startswith("no sample photos: no network;")


def test_the_table_is_of_what_succeeded() -> None:
    answers = [Answer(float(number)) for number in range(1, 101)] + [Answer(9000, "500: fault")] * 25
    table = report(answers, 8)
    rows = dict(zip(*(list(column.cells) for column in table.columns), strict=True))
    assert rows == {
        "requests": "125",
        "succeeded": "100 (80.0%)",
        "requests a second": "12.50",
        "response time, avg": "50.5 ms",
        "response time, min": "1.0 ms",
        "response time, max": "100.0 ms",
        "response time, median": "50.5 ms",
        "response time, p95": "95.0 ms",
        "response time, p99": "99.0 ms",
    }
