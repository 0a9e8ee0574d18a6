"""False match rates by group."""

from dataclasses import astuple
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import labelled
from evaluation.bootstrap import draws
from evaluation.figures import Plan
from evaluation.groups import Grouped, measure_groups, read_groups
from evaluation.intervals import Estimate, percentile_interval, without_errors
from models.errors import ModelError
from tests.evaluation import silent, touch

PLAN = Plan({}, (), 3, 0, silent)
"""With so few replicates, some groups have no pair in any of them."""


def listed(folder: Path, text: str) -> Path:
    touch(folder, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (folder / "groups.csv").write_bytes(text.encode("latin-1"))
    return folder / "groups.csv"


def test_a_column_is_grouped_by_its_values_or_as_ages(tmp_path: Path) -> None:
    found = read_groups(listed(tmp_path, "file,city,sex\r\na.jpg, Oslo ,0\r\n\r\nb.jpg,Rome,1\r\n"))
    assert found.photos == (tmp_path / "a.jpg", tmp_path / "b.jpg")
    assert found.columns == {"city": ("Oslo", "Rome"), "sex": ("0", "1")}
    ages = [0, 17, 18, 29, 30, 44, 45, 59, 60, 61, 116]
    touch(tmp_path, *(f"{age}.jpg" for age in ages))
    file = listed(tmp_path, "file,age\n" + "".join(f"{age}.jpg,{age}\n" for age in ages))
    twice = [name for name in ("0-17", "18-29", "30-44", "45-59") for _ in range(2)]
    assert read_groups(file).columns == {"age": (*twice, "60+", "60+", "60+")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a header: file, then a unique name for each column of groups"),
        ("a.jpg,m\nb.jpg,f\n", "needs a header"),
        ("file\na.jpg\n", "needs a header"),
        ("file,x,x\na.jpg,1,2\n", "needs a header"),
        ("file,sex\na.jpg,m\nb.jpg\n", r"expected 2 values, none of them empty, in the line b\.jpg$"),
        ("file,sex\na.jpg,m\nb.jpg,\n", r"expected 2 values, none of them empty, in the line b\.jpg,$"),
        ("file,sex\na.jpg,m\nnone.jpg,f\n", r"lists a photo that is missing: .*none\.jpg$"),
        ("file,sex\na.jpg,m\na.jpg,f\n", "lists a photo twice"),
        ("file,sex\na.jpg,m\nb.jpg,m\n", "the column sex has 1 groups, but must have 2 to 20"),
        ("file,sex\n", "the column sex has 0 groups"),
        ("\xff\xd8\xff\xe0 a photo, not a list", r"cannot be read: .*groups\.csv"),
    ],
)
def test_an_unsuitable_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_groups(listed(tmp_path, text))


def test_too_many_pairs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labelled, "MAX_PAIRS", 0)
    with pytest.raises(ModelError, match="has 1 pairs; the maximum is 0"):
        read_groups(listed(tmp_path, "file,sex\na.jpg,m\nb.jpg,f\n"))


@settings(max_examples=25)
@given(
    photos=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("uv"), st.booleans()), min_size=4, max_size=14),
    seed=st.integers(0, 99),
)
def test_rates_are_shares_of_the_pairs_of_the_groups(photos: list[tuple[str, str, bool]], seed: int) -> None:
    """A drawn pair counts as often as the product of its photos' counts."""
    embeddings = np.random.default_rng(seed).normal(0.3, 1, (len(photos), 3))
    # At least one photo has a face, which `answers` ensures.
    embeddings[1:][[not face for *_, face in photos[1:]]] = np.nan
    columns = {"first": tuple(each[0] for each in photos), "second": tuple(each[1] for each in photos)}
    found = measure_groups(Grouped((Path(),) * len(photos), columns), embeddings, 0.4, PLAN)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    faces = np.flatnonzero(~np.isnan(unit[:, 0]))
    drawn = np.array(list(draws(len(faces), PLAN.replicates, PLAN.seed)))
    for column, groups in columns.items():
        names = sorted({*groups})
        assert found[column].faces == {name: sum(groups[face] == name for face in faces) for name in names}
        assert [rate.groups for rate in found[column].rates] == [*((n, n) for n in names), *combinations(names, 2)]
        for rate in found[column].rates:
            pairs = [
                (a, b)
                for a, b in combinations(range(len(faces)), 2)
                if tuple(sorted((groups[faces[a]], groups[faces[b]]))) == rate.groups
            ]
            hits = np.array([unit[faces[a]] @ unit[faces[b]] >= 0.4 for a, b in pairs], dtype=bool)
            assert (rate.pairs, rate.false_matches) == (len(pairs), hits.sum())
            assert (rate.fmr is None) == (not pairs)
            if rate.fmr:
                weights = np.array([drawn[:, a] * drawn[:, b] for a, b in pairs])
                spread = hits @ weights[:, weights.any(axis=0)] / weights.sum(axis=0)[weights.any(axis=0)]
                interval = percentile_interval(hits.mean(), spread) if len(spread) else Estimate(hits.mean(), 0, 1)
                assert astuple(rate.fmr) == pytest.approx(astuple(without_errors(interval, len(pairs))))
