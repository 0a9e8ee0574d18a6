"""`facegraph models`: what an operator types, and what they read."""

import json
import shutil
from pathlib import Path

import pytest

from models import catalogue
from models.catalogue import card, cards, ranges_path
from models.store import Store
from tests.conftest import PROJECT
from tests.facegraph.cli.typing import Run

BLAZE = card("mediapipe-full-range")


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MODEL_STORE", "MODEL_MIRROR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def copied(store: Store, tmp_path: Path) -> Store:
    """A store with one model that may be damaged."""
    copy = Store(tmp_path / "models")
    shutil.copytree(store.folder(BLAZE), copy.folder(BLAZE))
    return copy


def test_the_list_shows_every_model_and_its_state(run: Run, copied: Store) -> None:
    (copied.root / "mtcnn").mkdir()
    status, out, _ = run("models", "list", "--store", copied.root)
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert set(cards()) <= set(lines)
    assert "ready" in lines[BLAZE.name]
    assert "not pulled" in lines["mtcnn"]
    assert all(word in lines["mobilefacenet"] for word in ("embedder", "192", "MIT", "MobileFaceNet"))
    assert "non-commercial" in lines["arcface-r50"]


def test_the_list_can_be_read_by_a_program(run: Run, copied: Store) -> None:
    status, out, _ = run("models", "list", "--store", copied.root, "--json")
    listed = {entry["model"]: entry for entry in json.loads(out)}
    assert (status, set(listed)) == (0, set(cards()))
    assert listed[BLAZE.name]["state"] == "ready"
    assert (listed["mobilefacenet"]["size"], listed["mobilefacenet"]["licence"]) == (192, "MIT")
    assert listed["deep-tree"]["superseded_by"] == "fr-liveness"
    fusion, stated = listed["crmnet-duo"], card("crmnet-duo").threshold("live").bona_fide
    assert stated
    assert (fusion["state"], fusion["caveats"]) == ("not pulled", list(card("crmnet-duo").caveats))
    bpcer = fusion["error_rates"]["BPCER"]
    assert (bpcer["errors"], bpcer["photos"]) == (stated.rejected, stated.photos)
    assert bpcer["low"] < bpcer["value"] < bpcer["high"]


def test_whole_models_are_verified(run: Run, copied: Store) -> None:
    assert run("models", "verify", BLAZE.name, "--store", copied.root) == (0, f"whole   {BLAZE.name}\n", "")


def test_the_members_of_a_fusion_are_verified(run: Run, copied: Store) -> None:
    status, out, err = run("models", "verify", "crmnet-duo", "--store", copied.root)
    assert status == 1
    assert [line.split(":")[0] for line in out.splitlines()] == ["damaged fr-liveness", "damaged minifasnet"]
    assert "pull fr-liveness minifasnet`" in err


def test_a_damaged_model_is_named_with_what_mends_it(run: Run, copied: Store) -> None:
    (copied.folder(BLAZE) / BLAZE.exports[0]).write_bytes(b"damaged")
    status, out, err = run("models", "verify", BLAZE.name, "--store", copied.root)
    assert status == 1
    assert out == f"damaged {BLAZE.name}: detector.tflite is missing or damaged\n"
    assert err == f"error run `facegraph models pull {BLAZE.name}` to mend it\n"


def test_without_names_the_configured_models_are_meant(run: Run, copied: Store, tmp_path: Path) -> None:
    config = tmp_path / "serve.yaml"
    config.write_text(f"applications: [{{args: {{detectors: {{mediapipe: {{model: {BLAZE.name}}}}}}}}}]")
    for command in ("verify", "pull"):
        status, out, _ = run("models", command, "--store", copied.root, "--config", config)
        assert status == 0
        assert [line.split()[-1] for line in out.splitlines()] == [BLAZE.name]


def test_the_store_may_come_from_the_environment(run: Run, copied: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_STORE", str(copied.root))
    assert run("models", "pull", BLAZE.name) == (0, f"ready  {BLAZE.name}\n", "")


def test_a_name_that_is_not_there_is_one_sentence(run: Run) -> None:
    status, out, err = run("models", "pull", "mtccn")
    assert (status, out) == (1, "")
    assert err.startswith("error no model is called 'mtccn'; the catalogue has ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", ["[/]", "[/x]", "[bold]"])
def test_brackets_in_a_message_are_shown_as_they_are(run: Run, name: str) -> None:
    status, _, err = run("models", "pull", name)
    assert status == 1
    assert f"no model is called '{name}'" in err


def test_a_mirror_that_is_no_folder_is_one_sentence(run: Run, copied: Store, tmp_path: Path) -> None:
    status, _, err = run("models", "pull", BLAZE.name, "--store", copied.root, "--mirror", tmp_path / "nowhere")
    assert (status, err) == (1, f"error the mirror {tmp_path / 'nowhere'} is no folder\n")


def test_the_mirror_may_come_from_the_environment(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_MIRROR", str(tmp_path))
    status, _, err = run(
        "models", "pull", "arcface-r50", "--store", tmp_path / "models", "--mirror", tmp_path / "nowhere"
    )
    assert (status, err) == (1, f"error the mirror {tmp_path / 'nowhere'} is no folder\n")
    monkeypatch.setenv("MODEL_MIRROR", str(tmp_path / "elsewhere"))
    assert "elsewhere is no folder" in run("models", "pull", BLAZE.name, "--store", tmp_path / "models")[2]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ranges of facenet are kept, instead of beside its card."""
    (tmp_path / "cards").mkdir()
    monkeypatch.setattr(catalogue, "CARDS", tmp_path / "cards")
    return ranges_path(card("facenet"))


def test_a_model_without_an_int8_file_has_no_ranges(run: Run, tmp_path: Path) -> None:
    assert run("models", "ranges", "mobilefacenet", "--photos", tmp_path) == (
        1,
        "",
        "error mobilefacenet has no int8 file\n",
    )


def test_ranges_are_measured_on_every_second_photo(run: Run, sample_photos: Path, tmp_path: Path, kept: Path) -> None:
    whole = json.loads((PROJECT / "models" / "cards" / kept.name).read_text())
    for path in sorted(sample_photos.glob("*/*.jpg"))[:4]:
        shutil.copy(path, tmp_path)
    status, out, _ = run("models", "ranges", "facenet", "--photos", tmp_path)
    assert (status, out) == (0, f"ranges of facenet over 2 faces: {kept}\n")
    ranges = json.loads(kept.read_text())
    assert set(ranges) == set(whole)
    # The card's own were measured on these two faces too, and on others.
    for name, (least, most) in ranges.items():
        bottom, top = whole[name]
        rounding = (top - bottom) / 1000
        assert bottom - rounding <= least < most <= top + rounding
    assert ranges != whole


def test_photos_without_faces_give_no_ranges(run: Run, tmp_path: Path, kept: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    status, out, err = run("models", "ranges", "facenet", "--photos", tmp_path)
    assert (status, out, err) == (1, "", f"error no face was found on the photos in {tmp_path}\n")
    assert not kept.exists()


def test_ranges_of_a_model_that_is_not_there_are_not_measured(run: Run, copied: Store, tmp_path: Path) -> None:
    status, out, err = run("models", "ranges", "facenet", "--photos", tmp_path, "--store", copied.root)
    assert (status, out) == (1, "")
    assert err.startswith(f"error {copied.root / 'facenet' / 'embedder.onnx'} is missing: pull facenet")
