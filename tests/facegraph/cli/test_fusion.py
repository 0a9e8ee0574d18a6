"""`facegraph models fuse`: a card's lines from a folder of photos."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import pulled
from tests.facegraph.cli.typing import Run


@pytest.fixture
def folder(sample_photos: Path, tmp_path: Path) -> Path:
    """Four photos of live people, and one that stands for a print."""
    photos = sorted(sample_photos.glob("*/*.jpg"))
    for place, photo in zip(("live", "live", "live", "live", "spoof/print"), photos, strict=False):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / place)
    return tmp_path


def test_a_network_gets_the_lines_of_its_operating_point(run: Run, folder: Path) -> None:
    pulled("fr-liveness")
    status, out, _ = run("models", "fuse", "fr-liveness", "--photos", folder, "--bpcer", "0.25")
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "photos 5, faceless 0, BPCER at most 25 %; on the card:"
    assert lines[1].startswith("shift = ")
    assert lines[2] == "bona_fide = { photos = 4, rejected = 1 }"
    assert lines[3] == "attacks = ["
    assert lines[4].startswith('    { kind = "print", photos = 1, passed = ')
    assert any(line.startswith("on these photos: BPCER 25.00 % (1 of 4; ") for line in lines)
    assert any(line.startswith("held out, 5 folds: APCER print ") for line in lines)


def test_what_is_no_liveness_network_has_no_operating_point(run: Run, folder: Path) -> None:
    status, out, err = run("models", "fuse", "mobilefacenet", "--photos", folder)
    assert (status, out, err) == (1, "", "error mobilefacenet is not a liveness network\n")
