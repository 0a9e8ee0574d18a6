"""`facegraph models recall` on a real photo."""

import json
import shutil
from pathlib import Path

import pytest

from tests.facegraph.cli.typing import Run


@pytest.fixture
def labelled(sample_photos: Path, tmp_path: Path) -> Path:
    """A photo of 200x200 pixels with its face's box, and one where there is no face."""
    shutil.copy(min((sample_photos / "madonna").glob("*.jpg")), tmp_path / "madonna.jpg")
    rows = ("file,left,top,width,height,light", "madonna.jpg,63,27,52,68,bright", "madonna.jpg,0,0,30,30,dark")
    (tmp_path / "boxes.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_a_detector_is_measured(run: Run, labelled: Path) -> None:
    status, out, _ = run("models", "recall", "mtcnn", "--photos", labelled)
    assert status == 0
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "all 1 2 50.0 % 9.5 % to 90.5 %" in lines
    assert "40 to 80 px 1 1 100.0 % 20.7 % to 100.0 %" in lines
    assert "light dark 0 1 0.0 % 0.0 % to 79.3 %" in lines
    assert "faces beyond the labels 0" in lines
    assert "photos with as many faces as labels 0 of 1, 0.0 % (0.0 % to 79.3 %)" in lines
    assert lines[-1].endswith("ms a photo on one thread, decoding not included")


def test_options_reach_the_detector(run: Run, labelled: Path) -> None:
    words = ("models", "recall", "mtcnn", "--photos", labelled, "--json")
    found = [
        json.loads(run(*words, *more)[1])["found"]["all"] for more in ((), ("--option", "thresholds=[0.6, 0.7, 1.0]"))
    ]
    assert [(each["count"], each["of"]) for each in found] == [(1, 2), (0, 2)]


def test_a_detector_of_mediapipe_is_measured_and_closed(run: Run, labelled: Path) -> None:
    status, out, err = run("models", "recall", "mediapipe-full-range", "--photos", labelled)
    assert status == 0
    assert "as many faces as labels" in out
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("facenet",), "facenet is not a detector"),
        (("nobody",), "no model is called 'nobody'"),
        (("mtcnn", "--option", "min_face"), "min_face is not KEY=VALUE"),
        (("mtcnn", "--option", "faces=1"), "the detector mtcnn does not take these options"),
    ],
)
def test_what_cannot_be_measured_is_told_in_a_sentence(
    run: Run, labelled: Path, words: tuple[str, ...], message: str
) -> None:
    status, out, err = run("models", "recall", *words, "--photos", labelled)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err
