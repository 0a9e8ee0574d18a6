"""What counts in a stretch of time."""

import pytest

from load_tests.work import Answer, Record, stretch


def answered(began: float, ended: float) -> Record:
    return Record(began, ended, Answer("answered", (ended - began) * 1000))


@pytest.mark.parametrize(
    ("began", "ended", "share"),
    [(11, 13, 1), (9, 11, 0.5), (19, 23, 0.25), (5, 25, 0.5), (8, 10, 0), (20, 21, 0), (10, 20, 1)],
)
def test_an_answer_counts_by_its_share_of_the_stretch(began: float, ended: float, share: float) -> None:
    assert stretch([answered(began, ended)], 10, 20).answered == share


def test_a_steady_stream_has_its_rate_wherever_the_stretch_begins() -> None:
    stream = [answered(3 * number, 3 * number + 3) for number in range(20)]
    assert [stretch(stream, begin, begin + 10).answered for begin in (10, 11, 12)] == [pytest.approx(10 / 3)] * 3


def test_what_arrives_in_the_stretch_is_told() -> None:
    refused, failed = Answer("refused", 1.0), Answer("failed", 2.0)
    early, late, within = answered(8, 9.5), answered(19, 20), answered(9, 10)
    found = stretch([early, within, Record(15, 15.5, refused), Record(15, 16, failed), late], 10, 20)
    assert found.arrived == [within.answer, refused, failed]
    assert found.answered == 1


def test_refusals_are_no_answers() -> None:
    assert stretch([Record(11, 12, Answer("refused", 1.0))], 10, 20).answered == 0
