"""APCER, BPCER and ACER against their definitions, and folders of attacks."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.figures import Plan
from evaluation.intervals import wilson
from evaluation.liveness import by_species, measure_liveness, read_presentations, worst_curve
from evaluation.progress import silent
from models.errors import ModelError
from tests.evaluation.test_labelled import touch

PROBABILITIES = st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=1, max_size=12).map(np.array)


@given(live=PROBABILITIES, paper=PROBABILITIES, replay=PROBABILITIES, threshold=st.floats(-0.1, 1.1))
def test_the_worst_species_counts(live: np.ndarray, paper: np.ndarray, replay: np.ndarray, threshold: float) -> None:
    point = worst_curve({"live": live, "spoof/paper": paper, "spoof/replay": replay}).at(threshold)
    assert point.fmr == pytest.approx(max(np.mean(paper >= threshold), np.mean(replay >= threshold)))
    assert point.fnmr == pytest.approx(np.mean(live < threshold))


def test_rates_at_a_threshold() -> None:
    scores = {
        "live": np.array([0.9, 0.8, 0.4, 0.5]),
        "spoof/paper": np.array([0.1, 0.2, 0.6]),
        "spoof/replay": np.array([0.5, 0.7]),
    }
    found = measure_liveness(scores, Plan({"the card's": 0.5}, (0.5, 0.05), 100, 0, silent))
    [rates] = found.rates
    assert rates.bpcer == wilson(1, 4)
    assert rates.apcer == {"spoof/paper": wilson(1, 3), "spoof/replay": wilson(2, 2)}
    assert (rates.worst, rates.acer) == ("spoof/replay", (1 + 0.25) / 2)
    assert [point.name for point in found.figures.points] == ["the card's", "best balanced accuracy"]
    assert found.figures.points[0].fmr.value == 1
    assert found.figures.unsupported[0].startswith("APCER 50 %: 2 photos of the rarest attack are too few")


def test_folders_in_spoof_are_species(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "live/ann/1.jpg",
        "live/2.png",
        "spoof/paper/1.jpg",
        "spoof/paper/more/2.jpg",
        "spoof/live/1.jpg",
        "spoof/3.jpg",
    )
    found = read_presentations(tmp_path)
    assert sorted(found.species) == ["live", "live", "spoof", "spoof/live", "spoof/paper", "spoof/paper"]
    probabilities = np.arange(6.0)[:, None] / 10
    probabilities[found.species.index("spoof")] = np.nan
    with pytest.raises(ModelError, match=r"no face was found on the photos of spoof$"):
        by_species(found, probabilities)


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (["live/1.jpg"], "spoof has no photos"),
        (["spoof/1.jpg"], "live has no photos"),
        (["live/1.jpg", "spoof/1.jpg", "other/1.jpg"], r"other/1\.jpg lies neither in"),
    ],
)
def test_other_folders_are_refused(tmp_path: Path, photos: list[str], message: str) -> None:
    touch(tmp_path, *photos)
    with pytest.raises(ModelError, match=message):
        read_presentations(tmp_path)
