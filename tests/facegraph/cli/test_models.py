"""`facegraph models`: list, verify, pull and ranges."""

import json
import shutil
from pathlib import Path

import pytest

from models import catalogue
from models.catalogue import card, cards, ranges_path
from models.store import Store
from project.root import ROOT
from tests.facegraph.cli import Run

BLAZE = card("mediapipe-full-range")


@pytest.fixture(autouse=True)
def copied(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with one model, which MODEL_STORE names."""
    copy = Store(tmp_path / "models")
    shutil.copytree(store.folder(BLAZE), copy.folder(BLAZE))
    monkeypatch.setenv("MODEL_STORE", str(copy.root))
    return copy


def test_every_model_is_listed_with_its_state_and_error_rates(run: Run) -> None:
    lines = {line.split()[0]: line for line in run("models", "list")[1].splitlines() if line.split()}
    assert set(cards()) <= set(lines)
    assert "ready" in lines[BLAZE.name]
    assert all(word in lines["mobilefacenet"] for word in ("embedder", "not pulled", "192", "MIT", "MobileFaceNet"))
    listed = {entry["model"]: entry for entry in json.loads(run("models", "list", "--json")[1])}
    assert set(listed) == set(cards())
    assert listed[BLAZE.name]["state"] == "ready"
    assert listed["deep-tree"]["superseded_by"] == "fr-liveness"
    fusion, stated = listed["crmnet-duo"], card("crmnet-duo").threshold("live").bona_fide
    assert stated
    assert (fusion["state"], fusion["caveats"]) == ("not pulled", list(card("crmnet-duo").caveats))
    bpcer = fusion["error_rates"]["BPCER"]
    assert (bpcer["errors"], bpcer["photos"]) == (stated.rejected, stated.photos)
    assert bpcer["low"] < bpcer["value"] < bpcer["high"]


def test_damaged_models_are_named_with_the_command_that_repairs_them(run: Run, copied: Store) -> None:
    assert run("models", "verify", BLAZE.name) == (0, f"whole   {BLAZE.name}\n", "")
    (copied.folder(BLAZE) / BLAZE.exports[0]).write_bytes(b"damaged")
    status, out, err = run("models", "verify", BLAZE.name, "crmnet-duo")
    assert out.startswith(f"damaged {BLAZE.name}: detector.tflite is missing or damaged\n")
    command = f"facegraph models pull {BLAZE.name} fr-liveness minifasnet"
    assert (status, err) == (1, f"error files are damaged or missing; run `{command}`\n")


@pytest.mark.parametrize("command", ["verify", "pull"])
def test_without_names_the_configured_models_are_used(run: Run, tmp_path: Path, command: str) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(f"applications: [{{args: {{stages: {{mediapipe: {{model: {BLAZE.name}}}}}}}}}]")
    status, out, _ = run("models", command, "--config", config)
    assert (status, [line.split()[-1] for line in out.splitlines()]) == (0, [BLAZE.name])


def test_the_mirror_may_come_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_MIRROR", str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in run("models", "pull", BLAZE.name)[2]


def test_ranges_are_measured_on_every_second_photo(
    run: Run, sample_photos: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cards").mkdir()
    monkeypatch.setattr(catalogue, "CARDS", tmp_path / "cards")
    for path in sorted(sample_photos.glob("*/*.jpg"))[:4]:
        shutil.copy(path, tmp_path)
    out = run("models", "ranges", "facenet", "--photos", tmp_path, "--store", store.root)[1]
    assert out.startswith("ranges of facenet from 2 faces: ")
    written = ranges_path(card("facenet"))
    shipped = ROOT / "models" / "cards" / written.name
    assert json.loads(written.read_text()).keys() == json.loads(shipped.read_text()).keys()
