"""`facegraph models fuse`: prints lines for a card's TOML."""

import shutil
import tomllib
from pathlib import Path

import pytest

from tests.conftest import pulled
from tests.facegraph.cli import Run


@pytest.fixture
def folder(sample_photos: Path, tmp_path: Path) -> Path:
    """Eight photos as live ones, and five as prints."""
    photos = sorted(sample_photos.glob("*/*.jpg"))
    for place, photo in zip(["live"] * 8 + ["spoof/print"] * 5, photos, strict=False):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / place)
    return tmp_path


@pytest.mark.parametrize("name", ["fr-liveness", "crmnet-duo"])
def test_a_card_gets_its_operating_point_and_a_fusion_its_weights(run: Run, folder: Path, name: str) -> None:
    fusion = pulled(name).fusion
    status, out, _ = run("models", "fuse", name, "--photos", folder, "--bpcer", "0.125")
    summary, rest = out.split("\n", 1)
    lines, end, rates = rest.partition("\n]\n")
    card = tomllib.loads(lines + end)
    assert (status, summary) == (0, "photos 13, faceless 0, BPCER at most 12.5 %; for the card:")
    assert card["bona_fide"] == {"photos": 8, "rejected": 1}
    assert [(each["kind"], each["photos"]) for each in card["attacks"]] == [("print", 5)]
    assert len(card.get("weights", ())) == (len(fusion.weights) if fusion else 0)
    assert "on these photos: BPCER 12.50 % (1 of 8; " in rates
    assert "held out, 5 folds: APCER print " in rates
