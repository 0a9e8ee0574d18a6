"""APCER, BPCER and ACER by their definitions, and folders of attacks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.figures import Plan
from evaluation.intervals import wilson
from evaluation.liveness import ALL, ENOUGH, Probabilities, by_kind, measure_liveness, read_presentations
from evaluation.verification import Scores, curve
from models.errors import ModelError
from tests.evaluation import silent, touch

PROBABILITY = st.integers(0, 10).map(lambda n: n / 10)
FEW = st.lists(PROBABILITY, min_size=1, max_size=ENOUGH - 1).map(np.array)
MANY = st.lists(PROBABILITY, min_size=ENOUGH, max_size=30).map(np.array)
PLAN = Plan({"the card's": 0.5}, (0.5, 0.05), 100, 0, silent)


def probabilities(live: Scores, **attacks: Scores) -> Probabilities:
    return Probabilities(live, attacks, {"live": 0, **dict.fromkeys(attacks, 0)})


@given(live=FEW, paper=FEW | MANY, replay=FEW | MANY, mask=FEW, threshold=PROBABILITY | st.floats(-0.1, 1.1))
def test_the_worst_kind_with_enough_photos_counts_or_else_all_attacks(
    live: Scores, paper: Scores, replay: Scores, mask: Scores, threshold: float
) -> None:
    attacks = {"paper": paper, "replay": replay, "mask": mask}
    found = probabilities(live, **attacks)
    enough = [kind for kind in attacks if len(attacks[kind]) >= ENOUGH]
    compared = [attacks[kind] for kind in enough] or [np.concatenate([paper, replay, mask])]
    point = found.worst_curve().at(threshold)
    assert point.fmr == pytest.approx(max(np.mean(scores >= threshold) for scores in compared))
    assert point.fnmr == pytest.approx(np.mean(live < threshold))
    assert found.fewest == min(map(len, compared))
    assert found.rule.endswith(f": {', '.join(enough)}." if enough else ": no kind has 20 photos with a face.")


def test_what_is_measured_of_each_kind() -> None:
    random = np.random.default_rng(0)
    live, paper, replay = random.uniform(0.3, 1, 50), random.uniform(0, 0.6, 30), random.uniform(0, 0.9, 40)
    kinds = {"paper": paper, "replay": replay, "mask": np.array([0.9])}
    everything = np.concatenate([*kinds.values()])
    found = measure_liveness(probabilities(live, **kinds, none=np.zeros(0)), PLAN)
    [rates] = found.rates
    assert rates.bpcer == wilson(int(np.sum(live < 0.5)), 50)
    assert rates.apcer == {
        kind: wilson(int(np.sum(scores >= 0.5)), len(scores)) for kind, scores in (kinds | {ALL: everything}).items()
    }
    assert (rates.worst, rates.acer) == ("replay", (rates.bpcer.value + rates.apcer["replay"].value) / 2)
    compared = {"paper": paper, "replay": replay, ALL: everything}
    areas = {kind: curve(live, scores).area() for kind, scores in compared.items()}
    assert {kind: area.value for kind, area in found.areas.items()} == pytest.approx(areas)
    assert all(area.low < area.value < area.high for area in found.areas.values())
    assert found.worst_area == "replay"
    assert found.figures.points[0].fmr.value == rates.apcer["replay"].value


def test_too_few_attacks_for_a_rate_are_named() -> None:
    found = measure_liveness(probabilities(np.array([0.9, 0.4]), paper=np.array([0.1, 0.2, 0.6])), PLAN)
    assert found.rates[0].worst == found.worst_area == ALL
    assert found.figures.unsupported[0].startswith("APCER 50 %: 3 photos of the smallest compared attack are too few")


def test_folders_in_spoof_are_kinds(tmp_path: Path) -> None:
    attacks = ("spoof/paper/1.jpg", "spoof/paper/more/2.jpg", "spoof/live/1.jpg", "spoof/3.jpg")
    touch(tmp_path, "live/ann/1.jpg", "live/2.png", *attacks, "loose.jpg")
    found = read_presentations(tmp_path)
    assert sorted(found.kinds) == ["live", "live", "spoof", "spoof/live", "spoof/paper", "spoof/paper"]
    answers = np.arange(6.0)[:, None] / 10
    answers[[found.kinds.index("spoof"), found.kinds.index("live")]] = np.nan
    kinds = by_kind(found, answers)
    assert kinds.faceless == {"live": 1, "spoof": 1, "spoof/live": 0, "spoof/paper": 0}
    counts = {kind: len(scores) for kind, scores in kinds.attacks.items()}
    assert counts == {"spoof": 0, "spoof/live": 1, "spoof/paper": 2}
    assert [*kinds.seen] == ["spoof/live", "spoof/paper"]


@pytest.mark.parametrize("faceless", ["live", "spoof"])
def test_live_photos_and_attacks_need_a_face(tmp_path: Path, faceless: str) -> None:
    touch(tmp_path, "live/1.jpg", "spoof/paper/1.jpg")
    found = read_presentations(tmp_path)
    answers = np.array([[np.nan if kind.startswith(faceless) else 0.5] for kind in found.kinds])
    with pytest.raises(ModelError, match=f"no face was found in the photos in {faceless}$"):
        by_kind(found, answers)


@pytest.mark.parametrize(
    ("other", "message"),
    [("live/1.jpg", "spoof has no photos"), ("spoof/1.jpg", "live has no photos"), ("other/1.jpg", "is neither in")],
)
def test_other_folders_are_refused(tmp_path: Path, other: str, message: str) -> None:
    touch(tmp_path, other)
    with pytest.raises(ModelError, match=message):
        read_presentations(tmp_path)
