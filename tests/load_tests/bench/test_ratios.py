"""How the service compares with the bare pipeline and the plain service."""

import pytest

from load_tests.bench.measure import Measurement
from load_tests.bench.ratios import net_rate, ratios
from tests.load_tests.bench.made import made


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


def found(route: str) -> dict[str, tuple[float, ...]]:
    rounds = [round_of(route), round_of(route, slower=0.75)]
    return {ratio.name: ratio.rounds for ratio in ratios(rounds, cores=2) if ratio.route == route}


def test_the_best_client_counts_of_each_round_are_compared() -> None:
    values = found("compare")
    assert values["rate, service / bare"] == pytest.approx((0.8, 0.6))
    assert values["CPU time an answer, service / bare"] == pytest.approx((1.25, 1.25))
    assert values["rate, service / plain"] == (2.0, 1.5)
    assert values["CPU time an answer, service / plain"] == (0.5, 0.5)
    assert values["p50 alone, service - bare, ms"] == (40.0, 40.0)


def test_the_load_generator_is_counted_out() -> None:
    # 4 answers a second at 0.01 s each leave 1.96 of 2 cores.
    assert net_rate(made("service", "match", 4, rate=4.0, client_cpu=0.01), cores=2) == pytest.approx(4 * 2 / 1.96)
    first, _ = found("match")["the same, load generator counted out"]
    assert first == pytest.approx(0.8 * 2 / 1.96)


def test_mediapipe_is_compared_with_the_plain_compare_and_match_is_not() -> None:
    assert found("mediapipe")["rate, service / plain"] == (2.0, 1.5)
    assert "rate, service / plain" not in found("match")


def test_what_was_not_measured_is_not_compared() -> None:
    service_alone = [[made("service", "match", 1)]]
    assert ratios(service_alone, cores=2) == []
