"""The plots of the report, and its escaping."""

import json
from base64 import b64decode
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from evaluation import plots, report
from evaluation.figures import Figures, Plan, RequestedPoints, figures, rounded
from evaluation.verification import curve
from tests.evaluation import silent


@pytest.fixture(scope="module")
def measured() -> Figures:
    """Figures of a curve that is too long for a plot."""
    random = np.random.default_rng(0)
    found = curve(random.normal(2, 1, 3000), random.normal(0, 1, 9000))
    requested = RequestedPoints(Plan({"own": 1.0}, (0.01,), 1, 0, silent), "FMR", "pairs")
    return figures(found, [found], requested, 3000, 9000)


def words(picture: str) -> set[str]:
    """The texts in a plot, which contains no external URLs."""
    drawn = b64decode(picture.removeprefix("data:image/svg+xml;base64,")).decode()
    assert "matplotlib.org" not in drawn
    assert len(drawn) < 250_000
    return {text for each in ElementTree.fromstring(drawn).iter() if (text := (each.text or "").strip())}


def test_pictures_say_what_they_show(measured: Figures) -> None:
    scores = {"genuine": np.array([0.5, 0.7]), "impostor": np.array([0.1])}
    shown = words(plots.distributions(scores, {"own": 0.4}, "similarity"))
    assert {"similarity", "genuine (2)", "impostor (1)", "own (0.4)"} <= shown
    assert {"FMR", "1 - FNMR", "own", "FMR ≤ 1 %"} <= words(plots.roc(measured, "FMR", "FNMR"))
    assert {"FPIR", "FNIR", "1 %", "5 %"} <= words(plots.det(measured, "FPIR", "FNIR"))
    assert {"rank", "identification rate"} <= words(plots.cmc(np.array([0.5, 1.0])))


def test_scores_that_are_all_one_are_drawn_too() -> None:
    same = np.array([1.0])
    assert "live (1)" in words(plots.distributions({"live": same, "spoof": same}, {}, "live probability"))
    requested = RequestedPoints(Plan({}, (), 1, 0, silent), "APCER", "photos")
    flat = figures(curve(same, same), [curve(same, same)], requested, 1, 1)
    for plot in (plots.det, plots.roc):
        assert "APCER" in words(plot(flat, "APCER", "BPCER"))


def test_names_are_text_and_no_markup(tmp_path: Path) -> None:
    gate = report.acquisition([Path("<b>.jpg"), Path("a.jpg")], np.array([[np.nan], [1.0]]))
    beside = report.write_report(tmp_path / "report.html", "<i>", {"photos": "<script>"}, {"acquisition": gate})
    page = (tmp_path / "report.html").read_text("utf-8")
    assert not any(name in page for name in ("<b>", "<i>", "<script>"))
    assert "&lt;b&gt;.jpg" in page
    assert json.loads(beside.read_text("utf-8"))["acquisition"]["faceless"] == ["<b>.jpg"]


def test_rates_have_the_digits_that_they_need() -> None:
    assert [rounded(rate) for rate in (0, 0.00012345, 0.5, 1)] == ["0.00 %", "0.012 %", "50.00 %", "100.00 %"]
