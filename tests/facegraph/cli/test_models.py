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
    assert (status, err) == (1, f"error run `{command}` to repair it\n")


@pytest.mark.parametrize("command", ["verify", "pull"])
def test_without_names_the_configured_models_are_used(run: Run, tmp_path: Path, command: str) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(f"applications: [{{args: {{stages: {{mediapipe: {{model: {BLAZE.name}}}}}}}}}]")
    status, out, _ = run("models", command, "--config", config)
    assert (status, [line.split()[-1] for line in out.splitlines()]) == (0, [BLAZE.name])


def test_the_mirror_may_come_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_MIRROR", str(tmp_path / "nowhere"))
    assert str(tmp_path / "nowhere") in run("models", "pull", BLAZE.name)[2]


@pytest.mark.parametrize(
    ("model", "photos", "message"),
    [
        ("mobilefacenet", 0, "error mobilefacenet has no int8 file"),
        ("facenet", 0, "error no face was found on the photos in "),
        ("facenet", 4, "ranges of facenet from 2 faces: "),
    ],
)
def test_ranges_are_measured_on_every_second_photo(
    run: Run,
    sample_photos: Path,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    photos: int,
    message: str,
) -> None:
    (tmp_path / "cards").mkdir()
    monkeypatch.setattr(catalogue, "CARDS", tmp_path / "cards")
    for path in sorted(sample_photos.glob("*/*.jpg"))[:photos]:
        shutil.copy(path, tmp_path)
    _, out, err = run("models", "ranges", model, "--photos", tmp_path, "--store", store.root)
    assert (out + err).startswith(message)
    if photos:
        shipped = json.loads((PROJECT / "models" / "cards" / ranges_path(card(model)).name).read_text())
        assert json.loads(ranges_path(card(model)).read_text()).keys() == shipped.keys()


def test_ranges_need_the_model(run: Run, tmp_path: Path) -> None:
    assert "embedder.onnx is missing: pull facenet" in run("models", "ranges", "facenet", "--photos", tmp_path)[2]
