"""`facegraph bench`."""

import json
import os
from pathlib import Path

import httpx
import pytest

from facegraph.cli import load_generator
from tests.facegraph.cli import Run
from tests.fakes import People


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("anna", "anne"):
        (tmp_path / f"{name}.jpg").write_text(name)
    return tmp_path / "anna.jpg", tmp_path / "anne.jpg"


@pytest.fixture
def url(people: People) -> str:
    return os.environ["FACEGRAPH_URL"]


def test_it_tells_rate_times_and_where_they_went(run: Run, people: People, url: str, pair: tuple[Path, Path]) -> None:
    status, out, err = run("bench", *pair, "--url", url, "--seconds", "1", "--clients", "2")
    assert status == 0
    assert err == f"loading {url} with 2 clients for 1 s\n"
    first, percentiles, *rest = out.splitlines()
    assert first.startswith(f"{len(people.detected) - 1} answers in ")
    assert percentiles.startswith("p50 ")
    assert [line.split("  ")[0].strip() for line in rest][:2] == [
        "where the time went, in medians",
        "response, as the client measures it",
    ]
    assert any("total in the ingress" in line for line in rest)


def test_a_program_can_read_it(run: Run, url: str, pair: tuple[Path, Path]) -> None:
    words = ("bench", *pair, "--url", url, "--seconds", "1", "--clients", "1", "--json", "--liveness", "report")
    measured = json.loads(run(*words)[1])
    assert measured["answers"] > 0
    assert measured["errors"] == {}
    assert measured["p50_ms"] <= measured["p95_ms"] <= measured["p99_ms"]
    assert measured["answers_per_s"] == pytest.approx(measured["answers"] / measured["seconds"])
    assert {"client", "http", "total"} <= measured["steps_ms"].keys()


def test_photos_of_no_use_are_told_before_anything_is_measured(run: Run, url: str, pair: tuple[Path, Path]) -> None:
    pair[1].write_text("nobody")
    status, out, err = run("bench", *pair, "--url", url)
    assert (status, out) == (1, "")
    assert err.splitlines()[1].startswith("error NO_FACE_DETECTED: ")


def test_the_variable_of_the_client_names_no_victim(run: Run, people: People, pair: tuple[Path, Path]) -> None:
    _, _, err = run("bench", *pair, "--seconds", "1", "--url", "http://127.0.0.1:1")
    assert "is the service running?" in err
    assert people.detected == []
    assert run("bench", *pair, "--help")[1].count("FACEGRAPH_URL") == 0


def test_errors_are_counted_by_code(
    run: Run, url: str, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, asked = httpx.AsyncClient.post, 0

    async def post(self: httpx.AsyncClient, *args: object, **options: object) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            error = {"error": {"code": "OVERLOADED", "message": "x", "details": {}}, "request_id": "x"}
            return httpx.Response(503, json=error)
        if asked == 3:
            raise httpx.ReadError("")
        return await whole(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    monkeypatch.setattr(load_generator, "PAUSE_S", 0.01)
    status, out, _ = run("bench", *pair, "--url", url, "--seconds", "1", "--clients", "1")
    assert status == 0
    assert "1 OVERLOADED\n1 ReadError\n" in out
