"""`facegraph models gate`, `recall` and `fuse` on real photos."""

import json
import shutil
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.decode import Limits, decode
from tests.conftest import pulled
from tests.default_configuration import CONFIG
from tests.facegraph.cli import Run


@pytest.fixture
def photos(mindy: bytes, tmp_path: Path) -> Path:
    """A folder with a face, the same face in the dark, a photo without a face, and a file that is no photo."""
    folder, pixels = tmp_path / "photos", decode(mindy, Limits()).pixels
    (folder / "more").mkdir(parents=True)
    for name, image in (("face.png", pixels), ("more/dark.png", pixels // 5), ("black.png", np.zeros_like(pixels))):
        cv2.imwrite(str(folder / name), image)
    (folder / "broken.jpg").write_bytes(b"no photo")
    return folder


def configured(folder: Path, more: str, *without: str) -> Path:
    """configs/serve.yaml with limits of the gate, and without the stages of these cards."""
    text, file = CONFIG.read_text("utf-8"), folder.parent / "serve.yaml"
    limits = "enrol_min_brightness: 60, enrol_min_contrast: 0, enrol_min_sharpness: 0, enrol_min_open: 1"
    lines = text.replace("user_config: {}", f"user_config: {{{limits}{more}}}").splitlines()
    file.write_text(
        "\n".join(line for line in lines if not any(f"model: {name}," in line for name in without)), "utf-8"
    )
    return file


def test_faces_are_counted_by_reason_and_card(run: Run, photos: Path) -> None:
    config = configured(photos, ", enrol_max_yaw: 0, enrol_pose: require")
    for name in ("fr-pose", "fr-eyes"):
        pulled(name)
    status, out, err = run("models", "gate", "--photos", photos, "--config", config, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["cards"] == ["centerface", "fr-pose", "fr-eyes"]
    assert (found["photos"], found["undecoded"], found["faceless"]) == (4, {"INVALID_IMAGE": 1}, 1)
    counts = {(each["code"], each["card"], each["refuses"]): each["count"] for each in found["reasons"]}
    # Their number depends on whether the network's probabilities round to 1.
    assert counts.pop(("EYES_CLOSED", "fr-eyes", False)) >= 1
    assert counts == {("FACE_TURNED", "fr-pose", True): 2, ("FACE_TOO_DARK", "centerface", True): 1}
    assert (found["refused"]["count"], found["refused"]["of"]) == (2, 2)


def test_a_configuration_without_the_stages_is_judged_by_the_detector_alone(run: Run, photos: Path) -> None:
    config = configured(photos, "", "fr-pose", "fr-eyes")
    status, out, _ = run("models", "gate", "--photos", photos, "--config", config, "--detector", "mtcnn")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (status, lines[:2]) == (0, ["photos 4, faceless 1, INVALID_IMAGE 1", "networks mtcnn"])
    shares = "refuses 1 2 50.00 % 9.45 % to 90.55 %"
    assert lines[3:] == [f"FACE_TOO_DARK mtcnn {shares}", f"any refusing reason {shares}"]


@pytest.fixture
def labelled(sample_photos: Path, tmp_path: Path) -> Path:
    """A photo of 200x200 pixels, with its face's box and a box without a face."""
    shutil.copy(min((sample_photos / "madonna").glob("*.jpg")), tmp_path / "madonna.jpg")
    rows = ("file,left,top,width,height,light", "madonna.jpg,63,27,52,68,bright", "madonna.jpg,0,0,30,30,dark")
    (tmp_path / "boxes.csv").write_text("\n".join(rows), "utf-8")
    return tmp_path


def test_a_detectors_recall_is_measured(run: Run, labelled: Path) -> None:
    status, out, err = run("models", "recall", "mediapipe-full-range", "--photos", labelled)
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert {"all 1 2 50.00 % 9.45 % to 90.55 %", "light dark 0 1 0.00 % 0.00 % to 79.35 %"} < set(lines)
    assert "photos with the labelled number of faces 0 of 1, 0.00 % (0.00 % to 79.35 %)" in lines


@pytest.mark.parametrize(("options", "count"), [("", 1), ("--option thresholds=[0.6,0.7,1.0]", 0)])
def test_options_reach_the_detector(run: Run, labelled: Path, options: str, count: int) -> None:
    out = run("models", "recall", "mtcnn", "--photos", labelled, "--json", *options.split())[1]
    assert json.loads(out)["found"]["all"]["count"] == count


@pytest.mark.parametrize("name", ["fr-liveness", "crmnet-duo"])
def test_a_card_gets_its_operating_point_and_a_fusion_its_weights(
    run: Run, sample_photos: Path, tmp_path: Path, name: str
) -> None:
    fusion, photos = pulled(name).fusion, sorted(sample_photos.glob("*/*.jpg"))
    for place, photo in zip(["live"] * 8 + ["spoof/print"] * 5, photos, strict=False):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        shutil.copy(photo, tmp_path / place)
    status, out, _ = run("models", "fuse", name, "--photos", tmp_path, "--bpcer", "0.125")
    summary, rest = out.split("\n", 1)
    lines, end, rates = rest.partition("\n]\n")
    card = tomllib.loads(lines + end)
    assert (status, summary) == (0, "photos 13, faceless 0, BPCER at most 12.5 %; for the card:")
    [threshold] = card["thresholds"]
    assert threshold["bona_fide"] == {"photos": 8, "rejected": 1}
    assert [(each["kind"], each["photos"]) for each in threshold["attacks"]] == [("print", 5)]
    assert isinstance(card["output"]["shift"], float)
    assert len(card["fusion"]["weights"] if fusion else ()) == (len(fusion.weights) if fusion else 0)
    assert "on these photos: BPCER 12.50 % (1 of 8; " in rates
    assert "held out, 5 folds: APCER print " in rates
