"""`facegraph models recall` on a real photo."""

import json
import shutil
from pathlib import Path

import pytest

from tests.facegraph.cli import Run


@pytest.fixture
def labelled(sample_photos: Path, tmp_path: Path) -> Path:
    """A photo of 200x200 pixels, with its face's box and a box without a face."""
    shutil.copy(min((sample_photos / "madonna").glob("*.jpg")), tmp_path / "madonna.jpg")
    rows = ("file,left,top,width,height,light", "madonna.jpg,63,27,52,68,bright", "madonna.jpg,0,0,30,30,dark")
    (tmp_path / "boxes.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_a_detector_is_measured(run: Run, labelled: Path) -> None:
    status, out, err = run("models", "recall", "mediapipe-full-range", "--photos", labelled)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert "all 1 2 50.0 % 9.5 % to 90.5 %" in lines
    assert "light dark 0 1 0.0 % 0.0 % to 79.3 %" in lines
    assert "photos with the labelled number of faces 0 of 1, 0.0 % (0.0 % to 79.3 %)" in lines


@pytest.mark.parametrize(("options", "count"), [("", 1), ("--option thresholds=[0.6,0.7,1.0]", 0)])
def test_options_reach_the_detector(run: Run, labelled: Path, options: str, count: int) -> None:
    out = run("models", "recall", "mtcnn", "--photos", labelled, "--json", *options.split())[1]
    assert json.loads(out)["found"]["all"]["count"] == count
