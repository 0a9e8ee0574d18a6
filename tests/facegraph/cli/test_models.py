"""`facegraph models`: list, verify, pull and ranges."""

import json
import shutil
from pathlib import Path

import pytest

from models import catalogue
from models.catalogue import card, cards, ranges_path
from models.store import Store
from tests.conftest import PROJECT
from tests.facegraph.cli import Run

BLAZE = card("mediapipe-full-range")


@pytest.fixture(autouse=True)
def copied(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with one model, which MODEL_STORE names."""
    copy = Store(tmp_path / "models")
    shutil.copytree(store.folder(BLAZE), copy.folder(BLAZE))
    monkeypatch.setenv("MODEL_STORE", str(copy.root))
    monkeypatch.delenv("MODEL_MIRROR", raising=False)
    return copy


def test_every_model_is_listed_with_its_state(run: Run) -> None:
    status, out, _ = run("models", "list")
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert (status, set(cards()) <= set(lines)) == (0, True)
    assert "ready" in lines[BLAZE.name]
    assert all(word in lines["mobilefacenet"] for word in ("embedder", "not pulled", "192", "MIT", "MobileFaceNet"))
    assert "non-commercial" in lines["arcface-r50"]


def test_the_list_as_json_has_error_rates_and_caveats(run: Run) -> None:
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
    assert (status, err) == (1, f"error run `{command}` to repair it\n")


@pytest.mark.parametrize("command", ["verify", "pull"])
def test_without_names_the_configured_models_are_used(run: Run, tmp_path: Path, command: str) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(f"applications: [{{args: {{stages: {{mediapipe: {{model: {BLAZE.name}}}}}}}}}]")
    status, out, _ = run("models", command, "--config", config)
    assert (status, [line.split()[-1] for line in out.splitlines()]) == (0, [BLAZE.name])


@pytest.mark.parametrize("from_environment", [True, False])
def test_a_mirror_must_be_a_folder(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_environment: bool
) -> None:
    place = tmp_path / "nowhere"
    monkeypatch.setenv("MODEL_MIRROR", str(place if from_environment else tmp_path))
    words = () if from_environment else ("--mirror", place)
    status, _, err = run("models", "pull", BLAZE.name, *words)
    assert status == 1
    assert str(place) in err


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store) -> Path:
    """Where the ranges of facenet are saved instead of next to its card."""
    (tmp_path / "cards").mkdir()
    monkeypatch.setattr(catalogue, "CARDS", tmp_path / "cards")
    monkeypatch.setenv("MODEL_STORE", str(store.root))
    return ranges_path(card("facenet"))


def test_ranges_are_measured_on_every_second_photo(run: Run, sample_photos: Path, tmp_path: Path, kept: Path) -> None:
    for path in sorted(sample_photos.glob("*/*.jpg"))[:4]:
        shutil.copy(path, tmp_path)
    status, out, _ = run("models", "ranges", "facenet", "--photos", tmp_path)
    assert (status, out) == (0, f"ranges of facenet from 2 faces: {kept}\n")
    shipped = json.loads((PROJECT / "models" / "cards" / kept.name).read_text())
    assert json.loads(kept.read_text()).keys() == shipped.keys()


@pytest.mark.parametrize(
    ("model", "message"),
    [("mobilefacenet", "mobilefacenet has no int8 file"), ("facenet", "no face was found on the photos in ")],
)
def test_ranges_need_an_int8_file_and_faces(run: Run, tmp_path: Path, kept: Path, model: str, message: str) -> None:
    status, _, err = run("models", "ranges", model, "--photos", tmp_path)
    assert (status, err.startswith(f"error {message}"), kept.exists()) == (1, True, False)


def test_ranges_need_the_model(run: Run, copied: Store, tmp_path: Path) -> None:
    _, _, err = run("models", "ranges", "facenet", "--photos", tmp_path)
    assert err.startswith(f"error {copied.root / 'facenet' / 'embedder.onnx'} is missing: pull facenet")
