"""The same measurements over several rounds."""

from load_tests.bench.rounds import best, over_rounds
from tests.load_tests.bench.made import made


def test_the_best_has_the_highest_rate_of_its_kind() -> None:
    four = made("service", "match", 4, rate=5.0)
    others = [
        made("service", "match", 8, rate=4.9),
        made("service", "compare", 1, rate=9.0),
        made("bare", "match", 2, rate=8.0),
    ]
    assert best([others[0], four, *others[1:]], "service", "match") is four
    assert best(others, "plain", "compare") is None


def test_numbers_are_medians_and_counts_are_sums() -> None:
    rounds = [
        [made("service", "match", 1, rate=1.0, p50=10.0, refused=1, steps={"total": 5.0})],
        [made("service", "match", 1, rate=9.0, p50=30.0, refused=2, steps={"total": 7.0})],
        [made("service", "match", 1, rate=2.0, p50=20.0, refused=4, steps={"total": 6.0})],
    ]
    [typical] = over_rounds(rounds)
    assert (typical.rate, typical.p50, typical.refused, typical.answers) == (2.0, 20.0, 7, 60)
    assert typical.steps == {"total": 6.0}


def test_what_only_one_round_has_stays() -> None:
    first = [made("service", "match", 1), made("service", "match", 2, rate=3.0)]
    second = [made("service", "match", 1), made("overload", "match", 96)]
    kinds = [(entry.what, entry.clients, entry.rate) for entry in over_rounds([first, second])]
    assert kinds == [("service", 1, 2.0), ("service", 2, 3.0), ("overload", 96, 2.0)]
