"""`facegraph models fuse`: a card's lines from a folder of photos."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import pulled
from tests.facegraph.cli.typing import Run


@pytest.fixture
def folder(sample_photos: Path, tmp_path: Path) -> Path:
    """Eight photos of live people, and five that stand for prints."""
    photos = sorted(sample_photos.glob("*/*.jpg"))
    for place, photo in zip(["live"] * 8 + ["spoof/print"] * 5, photos, strict=False):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / place)
    return tmp_path


def test_a_network_gets_the_lines_of_its_operating_point(run: Run, folder: Path) -> None:
    pulled("fr-liveness")
    status, out, _ = run("models", "fuse", "fr-liveness", "--photos", folder, "--bpcer", "0.125")
    lines = out.splitlines()
    assert status == 0
    assert lines[0] == "photos 13, faceless 0, BPCER at most 12.5 %; on the card:"
    assert lines[1].startswith("shift = ")
    assert lines[2] == "bona_fide = { photos = 8, rejected = 1 }"
    assert lines[3] == "attacks = ["
    assert lines[4].startswith('    { kind = "print", photos = 5, passed = ')
    assert any(line.startswith("on these photos: BPCER 12.50 % (1 of 8; ") for line in lines)
    assert any(line.startswith("held out, 5 folds: APCER print ") for line in lines)


def test_what_is_no_liveness_network_has_no_operating_point(run: Run, folder: Path) -> None:
    status, out, err = run("models", "fuse", "mobilefacenet", "--photos", folder)
    assert (status, out, err) == (1, "", "error mobilefacenet is not a liveness network\n")


def test_a_fusion_gets_its_weights_as_well(run: Run, folder: Path) -> None:
    pulled("minifasnet")
    status, out, _ = run("models", "fuse", "crmnet-duo", "--photos", folder)
    weights, bias = out.splitlines()[2:4]
    assert (status, weights[:11], bias[:7]) == (0, "weights = [", "bias = ")
    assert len(weights.split(",")) == 2


def test_too_few_photos_are_refused_in_a_sentence(run: Run, folder: Path) -> None:
    shutil.rmtree(folder / "live")
    shutil.copytree(folder / "spoof" / "print", folder / "live" / "few", ignore=lambda _, names: names[1:])
    status, _, err = run("models", "fuse", "fr-liveness", "--photos", folder)
    assert (status, err) == (1, "error 1 live photos and 5 spoofs have a face; 5 of each are needed\n")
