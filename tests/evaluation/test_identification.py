"""Leave-one-out searches against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.identification import search
from models.errors import ModelError

# Few directions, so that similarities are often equal.
ANGLES = st.lists(st.integers(0, 11), min_size=4, max_size=12)


def embedded(angles: list[int]) -> np.ndarray:
    return np.stack([np.cos(np.pi / 6 * np.array(angles)), np.sin(np.pi / 6 * np.array(angles))], axis=1).round(9)


@settings(max_examples=50)
@given(angles=ANGLES, data=st.data())
def test_ranks_and_open_set_by_brute_force(angles: list[int], data: st.DataObject) -> None:
    """The last photo has no face, so it is neither a probe nor enrolled."""
    others = data.draw(st.lists(st.integers(0, 4), min_size=len(angles) - 3, max_size=len(angles) - 3))
    subjects = np.array([0, 0, 1, *others])
    embeddings = 3 * embedded(angles)
    found = search(np.vstack([embeddings, [np.nan, np.nan]]), np.array([*subjects, 9]))
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    similarity = unit @ unit.T
    ranks, own, strangers = [], [], []
    for probe, subject in enumerate(subjects):
        enrolled = [place for place in range(len(subjects)) if place != probe]
        best = {
            other: max(similarity[probe, place] for place in enrolled if subjects[place] == other)
            for other in {int(subjects[place]) for place in enrolled}
        }
        strangers.append(max(value for other, value in best.items() if other != subject))
        if subject in best:
            ranks.append(1 + sum(value >= best[subject] for other, value in best.items() if other != subject))
            own.append(best[subject])
    assert found.gallery == len(set(subjects))
    for rank in range(1, 6):
        assert found.hit_rate(rank) == pytest.approx(np.mean(np.array(ranks) <= rank))
    curve = found.open_set().curve()
    for threshold in (-0.9, 0.0, 0.6, 0.99):
        point = curve.at(threshold)
        missed = [rank != 1 or score < threshold for rank, score in zip(ranks, own, strict=True)]
        assert point.fmr == pytest.approx(np.mean(np.array(strangers) >= threshold))
        assert point.fnmr == pytest.approx(np.mean(missed))


def test_searches_count_as_often_as_their_subject_is_drawn() -> None:
    # Both searches of subject 0 hit, and neither of subject 1.
    found = search(embedded([0, 0, 3, 9, 9]), np.array([0, 0, 1, 1, 2]))
    assert (found.hit_rate(1), found.hit_rate(1, np.array([3, 1, 0]))) == (0.5, 0.75)
    assert found.open_set_weights(np.array([3, 1, 2])).tolist() == [3, 3, 1, 1, 3, 3, 1, 1, 2]


@pytest.mark.parametrize("subjects", [[0, 0, 0], [0, 1, 2]])
def test_too_few_faces_are_an_error(subjects: list[int]) -> None:
    with pytest.raises(ModelError, match="two subjects, one of them with two faces"):
        search(embedded([0, 1, 2]), np.array(subjects))
