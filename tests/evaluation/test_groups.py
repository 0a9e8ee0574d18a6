"""False match rates by group."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import labelled
from evaluation.figures import Plan
from evaluation.groups import Grouped, measure_groups, read_groups
from evaluation.progress import silent
from models.errors import ModelError
from tests.evaluation.test_labelled import touch

PLAN = Plan({}, (), 200, 0, silent)


def listed(folder: Path, text: str) -> Path:
    touch(folder, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    (folder / "groups.csv").write_text(text, "utf-8")
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
    ],
)
def test_an_unsuitable_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        read_groups(listed(tmp_path, text))


def test_files_that_cannot_be_read_and_too_many_pairs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    for name in ("nowhere.csv", "photo.jpg"):
        with pytest.raises(ModelError, match=f"cannot be read: .*{name}"):
            read_groups(tmp_path / name)
    monkeypatch.setattr(labelled, "MAX_PAIRS", 0)
    with pytest.raises(ModelError, match="has 1 pairs; the maximum is 0"):
        read_groups(listed(tmp_path, "file,sex\na.jpg,m\nb.jpg,f\n"))


@settings(max_examples=25)
@given(
    photos=st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("uv"), st.booleans()), min_size=4, max_size=14),
    seed=st.integers(0, 99),
)
def test_rates_are_shares_of_the_pairs_of_the_groups(photos: list[tuple[str, str, bool]], seed: int) -> None:
    embeddings = np.random.default_rng(seed).normal(0.3, 1, (len(photos), 3))
    # At least one photo has a face, which `answers` ensures.
    embeddings[1:][[not face for *_, face in photos[1:]]] = np.nan
    columns = {"first": tuple(each[0] for each in photos), "second": tuple(each[1] for each in photos)}
    found = measure_groups(Grouped((Path(),) * len(photos), columns), embeddings, 0.4, PLAN)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    for column, groups in columns.items():
        names = sorted({*groups})
        assert [rate.groups for rate in found[column].rates] == [*((n, n) for n in names), *combinations(names, 2)]
        for rate in found[column].rates:
            scores = [
                unit[a] @ unit[b]
                for a, b in combinations(np.flatnonzero(~np.isnan(unit[:, 0])), 2)
                if tuple(sorted((groups[a], groups[b]))) == rate.groups
            ]
            assert (rate.pairs, rate.false_matches) == (len(scores), sum(score >= 0.4 for score in scores))
            assert (rate.fmr is None) == (not scores)
            if rate.fmr:
                assert rate.fmr.value == pytest.approx(rate.false_matches / rate.pairs)
                assert 0 <= rate.fmr.low <= rate.fmr.high <= 1


def test_a_group_without_false_matches_is_bounded_by_the_rule_of_three() -> None:
    groups = Grouped((Path(),) * 20, {"side": ("left",) * 10 + ("right",) * 10})
    found = measure_groups(groups, np.eye(20), 0.5, PLAN)["side"]
    assert found.faces == {"left": 10, "right": 10}
    assert [rate.fmr and rate.fmr.high for rate in found.rates] == [3 / 45, 3 / 45, 3 / 100]


def test_the_intervals_contain_the_truth_as_often_as_they_should() -> None:
    """Each photo shifts all its scores, so that its pairs are not independent."""
    random, held = np.random.default_rng(1), 0
    groups = Grouped((Path(),) * 60, {"side": ("left",) * 30 + ("right",) * 30})

    def embeddings(photos: int) -> np.ndarray:
        return random.normal(0, 1, (photos, 6)) + random.normal(0, 1, (photos, 1))

    large = embeddings(3000)
    unit = large / np.linalg.norm(large, axis=1, keepdims=True)
    truth = ((unit @ unit.T >= 0.6).sum() - 3000) / (3000 * 2999)
    for _ in range(40):
        rates = measure_groups(groups, embeddings(60), 0.6, PLAN)["side"].rates
        held += sum(rate.fmr is not None and rate.fmr.low <= truth <= rate.fmr.high for rate in rates)
    assert held >= 0.85 * 120
