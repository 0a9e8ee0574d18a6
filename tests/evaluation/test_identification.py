"""Searches by leaving one out, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.identification import search
from models.errors import ModelError

# Few directions, so that similarities are often equal.
ANGLES = st.lists(st.integers(0, 11), min_size=4, max_size=12)


def embedded(angles: list[int]) -> np.ndarray:
    return np.stack([np.cos(np.pi / 6 * np.array(angles)), np.sin(np.pi / 6 * np.array(angles))], axis=1).round(9)


@given(angles=ANGLES, data=st.data())
def test_ranks_and_open_set_by_brute_force(angles: list[int], data: st.DataObject) -> None:
    others = data.draw(st.lists(st.integers(0, 4), min_size=len(angles) - 3, max_size=len(angles) - 3))
    subjects = np.array([0, 0, 1, *others])
    embeddings = 3 * embedded(angles)
    found = search(embeddings, subjects)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    similarity = unit @ unit.T
    ranks, own, strangers = [], [], []
    for probe, subject in enumerate(subjects):
        best = {
            other: max(similarity[probe, i] for i in range(len(subjects)) if subjects[i] == other and i != probe)
            for other in set(subjects.tolist())
            if any(subjects[i] == other and i != probe for i in range(len(subjects)))
        }
        strangers.append(max(value for other, value in best.items() if other != subject))
        if subject in best:
            ranks.append(1 + sum(value >= best[subject] for other, value in best.items() if other != subject))
            own.append(best[subject])
    for rank in range(1, 6):
        assert found.hit_rate(rank) == pytest.approx(np.mean(np.array(ranks) <= rank))
    curve = found.open_set().curve()
    for threshold in (-0.9, 0.0, 0.6, 0.99):
        point = curve.at(threshold)
        missed = [rank != 1 or score < threshold for rank, score in zip(ranks, own, strict=True)]
        assert point.fmr == pytest.approx(np.mean(np.array(strangers) >= threshold))
        assert point.fnmr == pytest.approx(np.mean(missed))


def test_a_drawn_subjects_searches_count_so_often() -> None:
    # Of subject 0 both searches hit, of subject 1 neither.
    found = search(embedded([0, 0, 3, 9, 9]), np.array([0, 0, 1, 1, 2]))
    assert found.hit_rate(1) == 0.5
    assert found.hit_rate(1, np.array([3, 1, 0])) == 0.75
    assert found.open_set_weights(np.array([3, 1, 2])).tolist() == [3, 3, 1, 1, 3, 3, 1, 1, 2]


def test_photos_without_a_face_are_neither_probes_nor_enrolled() -> None:
    embeddings = embedded([0, 0, 3, 6])
    embeddings[3] = np.nan
    found = search(embeddings, np.array([0, 0, 1, 2]))
    assert (found.gallery, len(found.others), found.mated.tolist()) == (2, 3, [True, True, False])


@pytest.mark.parametrize("subjects", [[0, 0, 0], [0, 1, 2]])
def test_too_few_faces_are_an_error(subjects: list[int]) -> None:
    with pytest.raises(ModelError, match="two subjects, one of them with two faces"):
        search(embedded([0, 1, 2]), np.array(subjects))
