"""The order of a benchmark, without its measurements."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from load_tests import machine
from load_tests.bench import __main__ as benchmark
from load_tests.bench import measure
from load_tests.bench.measure import Measurement
from tests.load_tests.bench.made import made
from tests.load_tests.program import invoked

RATES = {1: 2.0, 2: 4.0, 4: 5.0, 8: 4.5, 16: 4.0}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What a benchmark whose measurements are made up has done, in its order; two cores."""
    done: list[str] = []

    def serving(name: str) -> Callable[..., Any]:
        @contextmanager
        def served(*_: object, **variables: str) -> Iterator[None]:
            done.append(f"{name} starts")
            yield
            done.append(f"{name} ends")

        return served

    def bare(name: str, pair: object, processes: int, seconds: float) -> Measurement:
        done.append(f"bare {name} {processes}")
        return made("bare", name, processes, rate=3.0 * processes)

    def asked(
        what: Any, name: str, route: object, body: Path, server: None, clients: int, seconds: float
    ) -> Measurement:
        done.append(f"{what} {name} {clients}")
        return made(what, name, clients, rate=RATES.get(clients, 3.0))

    photo = tmp_path / "photo"
    photo.write_bytes(b"photo")
    monkeypatch.setattr(benchmark, "FOLDER", tmp_path)
    monkeypatch.setattr(benchmark, "prepare", lambda: (photo, photo))
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(benchmark, "served", serving("service"))
    monkeypatch.setattr(benchmark, "plain_served", serving("plain"))
    monkeypatch.setattr(measure, "bare", bare)
    monkeypatch.setattr(measure, "asked", asked)
    return done


def run(*arguments: str) -> str:
    result = invoked(benchmark.main, *arguments)
    return f"{result.exit_code} {result.output}"


def test_the_sides_take_turns_and_only_one_of_them_is_there(told: list[str]) -> None:
    assert run("--routes", "compare", "--rounds", "2").startswith("0 ")
    first = ["bare compare 1", "bare compare 2"]
    first += ["plain starts", *(f"plain compare {count}" for count in (1, 2, 4, 8)), "plain ends"]
    first += ["service starts", *(f"service compare {count}" for count in (1, 2, 4, 8, 16)), "service ends"]
    # Backwards, with one client and the best number only; the overload comes last of all that the service is asked.
    second = ["service starts", "service compare 1", "service compare 4", "overload compare 96", "service ends"]
    second += ["plain starts", "plain compare 1", "plain compare 4", "plain ends"]
    assert told == [*first, *second, "bare compare 1", "bare compare 2"]


def test_what_is_not_wanted_is_left_out(told: list[str]) -> None:
    run("--routes", "match", "--clients", "2,8", "--rounds", "1")
    assert told == ["bare match 1", "bare match 2", "service starts", *asks("match"), "service ends"]
    told.clear()
    run("--routes", "mediapipe", "--clients", "8,2", "--rounds", "1", "--no-plain")
    assert told == ["bare mediapipe 1", "bare mediapipe 2", "service starts", *asks("mediapipe"), "service ends"]


def asks(route: str) -> list[str]:
    return [f"service {route} 2", f"service {route} 8", f"overload {route} 96"]


def test_an_overload_is_four_times_the_best_clients_if_that_is_more(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_REQUESTS", "4")
    run("--routes", "match", "--rounds", "1")
    assert told[-2:] == ["overload match 16", "service ends"]


def test_where_nothing_is_answered_it_ends_with_the_reason_and_no_traceback(
    told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unanswered(what: Any, name: str, *_: object) -> Measurement:
        raise measure.NoAnswerError(f"{what} {name}: no answer in 1 s")

    monkeypatch.setattr(measure, "asked", unanswered)
    output = run("--routes", "match", "--rounds", "2")
    assert output.startswith("1 ")
    assert output.endswith("\nservice match: no answer in 1 s: a longer --seconds may show some\n")
    assert told[-1] == "service starts"


def test_everything_is_written_down(told: list[str], tmp_path: Path) -> None:
    output = run("--routes", "match,compare", "--rounds", "2", "--seconds", "3")
    written = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert len(written["rounds"]) == 2
    measured = [line for line in told if not line.endswith(("starts", "ends"))]
    assert sum(len(entries) for entries in written["rounds"]) == len(measured)
    assert written["seconds"] == 3
    assert written["machine"]["cores"] == 2
    best = {"route": "compare", "name": "rate, service / plain", "rounds": [1.0, 1.0]}
    assert best in written["ratios"]
    assert (tmp_path / "bench.png").stat().st_size > 1000
    for title in ("match: medians over rounds", "compare: where the time went", "match: overload"):
        assert title in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--routes", "match,nothing"), "no route is called nothing"),
        (("--clients", "1,two"), "is no list of numbers"),
        (("--clients", "0,1"), "at least one client"),
    ],
)
def test_what_makes_no_sense_is_refused(told: list[str], arguments: tuple[str, ...], words: str) -> None:
    output = " ".join(run(*arguments).replace("│", " ").split())
    assert output.startswith("2 ")
    assert words in output
    assert told == []
