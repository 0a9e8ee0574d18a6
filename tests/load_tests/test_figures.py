"""Figures that the load tools derive from requests."""

from dataclasses import replace
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from load_tests.autoscaling import Phase, parse_plan, table
from load_tests.bench.comparison import best, over_rounds, ratios
from load_tests.bench.measurement import Measurement, NoAnswerError, Stretch, What, steps_of, summed_up
from load_tests.bench.report import measured, steps
from load_tests.performance_test import report
from load_tests.records import Request, answers_between, read, write
from load_tests.samples import Sample

STRETCH = Stretch(begin=10, end=14, server=6.0, generator=0.2, others=0.4, memory=512.0)
REFUSED, FAILED = "refused with 503: {}", "500: {}"


def rows_of(table: Table) -> dict[str, list[str]]:
    """The cells of each row by its first one."""
    columns = (map(str, column.cells) for column in table.columns)
    return {first.strip(): rest for first, *rest in zip(*columns, strict=True)}


def answer(began: float, ended: float, similarity: float = 0.7, **steps: float) -> Request:
    return Request(ended, "/match", 1000 * (ended - began), None, {"similarity": similarity, **steps})


def test_requests_are_read_as_they_were_written_without_a_line_that_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "records"
    requests = [answer(1, 1.5), Request(2.0, "/a", None, REFUSED), Request(3.0, "/b", 5.0, FAILED, {"status": 500})]
    with path.open("w") as file:
        for request in requests:
            write(file, request)
        file.write('[4.0, "/c"')
    assert read(path, tmp_path / "missing") == requests
    assert [(each.answered, each.refused) for each in requests] == [(True, False), (False, True), (False, False)]


@pytest.mark.parametrize(
    ("began", "ended", "share"),
    [(11, 13, 1), (9, 11, 0.5), (19, 23, 0.25), (5, 25, 0.5), (8, 10, 0), (20, 21, 0), (10, 20, 1)],
)
def test_an_answer_counts_by_its_share_of_the_stretch(began: float, ended: float, share: float) -> None:
    refused = replace(answer(began, ended), problem=REFUSED)
    assert answers_between([answer(began, ended), refused], 10, 20) == pytest.approx(share)


@given(st.floats(0, 3), st.floats(5, 30))
def test_a_steady_stream_has_its_rate_wherever_the_stretch_begins(begin: float, seconds: float) -> None:
    stream = [answer(3 * number, 3 * number + 3) for number in range(20)]
    assert answers_between(stream, begin, begin + seconds) == pytest.approx(seconds / 3)


def test_rates_and_times_are_of_the_answers_alone() -> None:
    answers = [answer(11, 11.1), answer(11, 11.2), answer(11, 11.3), answer(11, 11.4, 0.5)]
    others = [Request(12, "/match", None, REFUSED)] * 2 + [Request(13, "/match", 60_000, FAILED), answer(8, 9)]
    found = summed_up("service", "match", 8, [*answers, *others, answer(13.5, 14.5)], STRETCH, (5, 6))
    assert (found.answers, found.refused, found.failed) == (4, 2, 1)
    # Half of the last answer lies in the stretch.
    assert found.rate == pytest.approx(4.5 / 4)
    assert (found.p50, found.p95, found.p99) == pytest.approx((250, 385, 397))
    assert (found.server_cpu, found.client_cpu, found.others_cpu) == pytest.approx((6 / 4.5, 0.2 / 4.5, 0.1))
    assert (found.similarity, found.memory, found.replicas) == (0.7, 512, (5, 6))


def test_a_measurement_without_an_answer_is_none() -> None:
    requests = [Request(11, "/match", None, REFUSED), Request(11, "/match", 5, FAILED)]
    with pytest.raises(NoAnswerError, match="plain compare, 3 clients: no answer in 4 s, 1 refusals, 1 failures"):
        summed_up("plain", "compare", 3, requests, STRETCH)


def test_steps_are_the_bare_pipelines_or_the_headers() -> None:
    assert steps_of(answer(0, 1, total=5.0, decode=2.0)) == {"total": 5.0, "decode": 2.0}
    timed = Request(1, "/match", 10.0, None, {"similarity": 0.7, "server_timing": "total;dur=8"})
    assert steps_of(timed) == {"total": 8, "client": 10, "http": 2}


def made(what: What, route: str, clients: int, rate: float = 2.0, **more: object) -> Measurement:
    requests = [answer(10, 11)]
    found = replace(summed_up(what, route, clients, requests, STRETCH), server_cpu=0.5, client_cpu=0.01, p50=500.0)
    return replace(found, rate=rate, **more)  # type: ignore[arg-type]


def round_of(route: str, slower: float = 1.0) -> list[Measurement]:
    return [
        made("bare", route, 1, rate=3.0, p50=300.0),
        made("bare", route, 2, rate=5.0, p50=400.0, server_cpu=0.4),
        made("plain", "compare", 1, rate=1.0),
        made("plain", "compare", 4, rate=2.0, server_cpu=1.0),
        made("service", route, 1, rate=2.5, p50=340.0),
        made("service", route, 4, rate=4.0 * slower, server_cpu=0.5, client_cpu=0.01),
        made("overload", route, 96, rate=99.0),
    ]


def test_the_best_client_counts_of_each_round_are_compared() -> None:
    values = ratios([round_of("compare"), round_of("compare", slower=0.75)])
    assert values["compare: rate, service / bare"] == pytest.approx([0.8, 0.6])
    assert values["compare: CPU time per answer, service / bare"] == pytest.approx([1.25, 1.25])
    assert values["compare: rate, service / plain"] == [2.0, 1.5]
    assert values["compare: CPU time per answer, service / plain"] == [0.5, 0.5]
    assert values["compare: p50 alone, service - bare, ms"] == [40.0, 40.0]


def test_mediapipe_is_compared_with_the_plain_compare_and_match_is_not() -> None:
    assert ratios([round_of("mediapipe")])["mediapipe: rate, service / plain"] == [2.0]
    assert "match: rate, service / plain" not in ratios([round_of("match")])
    assert ratios([[made("service", "match", 1)]]) == {}


def test_the_best_has_the_highest_rate_of_its_kind() -> None:
    entries = [
        made("service", "match", 8, rate=4.9),
        made("service", "match", 4, rate=5.0),
        made("service", "compare", 1, rate=9.0),
    ]
    assert best([*entries, made("bare", "match", 2, rate=8.0)], "service", "match") is entries[1]
    assert best(entries, "plain", "compare") is None


def test_over_rounds_numbers_are_medians_and_counts_are_sums() -> None:
    rounds = [
        [made("service", "match", 1, rate=1.0, p50=10.0, refused=1, steps={"total": 5.0})],
        [made("service", "match", 1, rate=9.0, p50=30.0, refused=2, steps={"total": 7.0}), made("bare", "match", 2)],
        [made("service", "match", 1, rate=2.0, p50=20.0, refused=4, steps={"total": 6.0})],
    ]
    typical, bare = over_rounds(rounds)
    assert (typical.rate, typical.p50, typical.refused, typical.answers) == (2.0, 20.0, 7, 3)
    assert (typical.steps, bare.clients) == ({"total": 6.0}, 2)


def test_a_routes_table_has_its_own_measurements_and_the_plain_services() -> None:
    entries = [*round_of("mediapipe"), made("service", "match", 2)]
    rows = rows_of(measured(entries, "mediapipe"))
    names = {"bare, 1 process", "bare, 2 processes", "plain, 1 client", "plain, 4 clients"}
    assert rows.keys() == {*names, "service, 1 client", "service, 4 clients", "overload, 96 clients"}
    assert rows["service, 4 clients"][:2] == ["4.00", "500"]
    assert rows["service, 4 clients"][-2:] == ["80%", ""]
    entries[0] = replace(entries[0], steps={"decode": 8.25})
    assert rows_of(steps(entries, "mediapipe"))["decode"] == ["8.2", "", "", ""]


def test_the_performance_test_reports_the_requests_that_succeeded() -> None:
    answers = [answer(0, 0.1), answer(0, 0.2), answer(0, 0.3), answer(1, 1.4)]
    rows = rows_of(report([*answers, Request(2, "/match", 1000, FAILED)]))
    assert rows["requests"] == ["5"]
    assert rows["succeeded"] == ["4 (80.0%)"]
    assert rows["requests a second"] == ["2.00"]
    times = {name.removeprefix("response time, "): row[0] for name, row in rows.items() if "time" in name}
    assert times == {"avg": "250.0 ms", "min": "100.0 ms", "max": "400.0 ms"} | {
        "median": "250.0 ms",
        "p95": "385.0 ms",
        "p99": "397.0 ms",
    }


def test_a_phase_of_autoscaling_has_its_replicas_and_answers() -> None:
    looks = [Sample(at, 0, 0, 0, 0, 0, dict.fromkeys(range(count), "ingress")) for at, count in ((10, 1), (12, 3))]
    requests = [answer(10, 10.5), answer(10.1, 10.9), Request(10.6, "/match", None, REFUSED)]
    rows = rows_of(table([Phase("match", looks, requests), Phase("idle", [looks[0], replace(looks[0], at=12)], [])]))
    assert (rows["ingress"], rows["p50 ms"]) == (["1 to 3", "1"], ["650", ""])
    assert (rows["answers/s"][0], rows["refused or failed"]) == ("1.0", ["1", "0"])


@pytest.mark.parametrize("plan", ["", "match", "match:0", "nowhere:5", "idle:-1"])
def test_a_plan_that_cannot_be_followed_is_refused(plan: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not ROUTE:SECONDS"):
        parse_plan(plan)
