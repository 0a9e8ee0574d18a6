"""`facegraph bench`, and the steps of a response that it reads from the Server-Timing header."""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from facegraph.cli import load_generator
from facegraph.step_times import parse_server_timing, with_derived_steps
from tests.facegraph.cli import Run
from tests.fakes import People

Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(run: Run, tmp_path: Path) -> Bench:
    """Runs `facegraph bench` for a second with a photo of Anna and another one."""

    def bench(other: str, url: str, *words: str) -> tuple[int, str, str]:
        for name in ("anna", other):
            (tmp_path / name).write_text(name)
        return run("bench", tmp_path / "anna", tmp_path / other, "--url", url, "--seconds", "1", *words)

    return bench


def test_a_service_is_measured(bench: Bench, people: People) -> None:
    url = os.environ["FACEGRAPH_URL"]
    _, out, err = bench("anne", url, "--clients", "2")
    assert err == f"measuring {url} with 2 clients for 1 s\n"
    assert out.startswith(f"{len(people.detected) - 1} responses in ")
    assert all(text in out for text in ("p50 ", "response, as the client measures it", "total in the ingress"))
    measured = json.loads(bench("anne", url, "--json")[1])
    assert measured["p50_ms"] <= measured["p95_ms"] <= measured["p99_ms"]
    assert measured["answers_per_s"] == pytest.approx(measured["answers"] / measured["seconds"])
    assert measured["steps_ms"].keys() > {"client", "http", "total"}
    status, _, err = bench("faceless", url)
    assert (status, err.splitlines()[1].partition(":")[0]) == (1, "error NO_FACE_DETECTED")


def test_the_environment_names_no_service_to_load(bench: Bench, people: People) -> None:
    assert "is the service running?" in bench("anne", "http://127.0.0.1:1")[2]
    assert people.detected == []


def test_errors_are_counted_by_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: Iterator[httpx.Response | httpx.ReadError] = iter([httpx.ReadError(""), httpx.Response(503)])

    def respond(request: httpx.Request) -> httpx.Response:
        if isinstance(outcome := next(outcomes, httpx.Response(200)), httpx.ReadError):
            raise outcome
        return outcome

    options = {"base_url": "http://faces.example", "transport": httpx.MockTransport(respond)}
    monkeypatch.setattr(load_generator, "http_options", lambda url, api_key: options)
    monkeypatch.setattr(load_generator, "PAUSE_S", 0)
    (tmp_path / "photo").touch()
    found = asyncio.run(load_generator.generate_load((tmp_path / "photo",) * 2, {}, "", None, clients=1, seconds=0.1))
    assert found.answers
    assert found.errors == {"ReadError": 1, "HTTP_503": 1}


@pytest.mark.parametrize(
    ("header", "steps"),
    [
        ("", {}),
        ("cache", {}),
        ('detector;desc="mtcnn";dur=60.0, detector-busy;dur=58.0', {"detector": 60.0, "detector-busy": 58.0}),
        ('a;desc="x, y;dur=9";dur=2', {"a": 2.0}),
        ("a;dur=2;desc=x,b ; dur = 3", {"a": 2.0, "b": 3.0}),
        ("a;dur=1.5, a;dur=2", {"a": 3.5}),
    ],
)
def test_durations_are_read_from_the_header(header: str, steps: dict[str, float]) -> None:
    assert parse_server_timing(header) == steps


def test_further_steps_are_derived() -> None:
    steps = {"total": 101.0, "ingress": 3.0, "detector": 60.0, "detector-busy": 58.0, "embedder": 20.0}
    assert with_derived_steps(steps, 105.5) == {
        **steps,
        "client": 105.5,
        "http": 4.5,
        "detector-hop": 2.0,
        "networks": 38.0,
    }
    assert with_derived_steps({}, 12.0) == {"client": 12.0}
