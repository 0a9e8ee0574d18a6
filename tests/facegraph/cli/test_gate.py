"""`facegraph models gate` on real photos. What speaks against a face is tested in tests/graphs/test_gate.py."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.decode import Limits, decode
from project.root import ROOT
from tests.conftest import pulled
from tests.facegraph.cli import Run

CONFIG = ROOT / "configs" / "serve.yaml"


@pytest.fixture
def folder(mindy: bytes, tmp_path: Path) -> Path:
    """A face, the same in the dark, a photo without a face, and no photo."""
    (tmp_path / "photos" / "more").mkdir(parents=True)
    pixels = decode(mindy, Limits()).pixels
    (tmp_path / "photos" / "face.jpg").write_bytes(mindy)
    cv2.imwrite(str(tmp_path / "photos" / "more" / "dark.png"), pixels // 5)
    cv2.imwrite(str(tmp_path / "photos" / "black.png"), np.zeros_like(pixels))
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "photos"


LIMITS = "enrol_min_brightness: 60, enrol_min_contrast: 0, enrol_min_sharpness: 0, enrol_min_open: 1"


def configured(folder: Path, policy: str, *without: str) -> Path:
    """configs/serve.yaml with this policy and without the stages of these cards."""
    text = CONFIG.read_text("utf-8").replace("user_config: {}", f"user_config: {{{policy}}}")
    lines = (line for line in text.splitlines() if not any(f"model: {name}," in line for name in without))
    file = folder.parent / "serve.yaml"
    file.write_text("\n".join(lines), "utf-8")
    return file


def test_faces_are_counted_by_reason_and_card(run: Run, folder: Path) -> None:
    config = configured(folder, f"{LIMITS}, enrol_max_yaw: 0, enrol_pose: require")
    for name in ("fr-pose", "fr-eyes"):
        pulled(name)
    status, out, err = run("models", "gate", "--photos", folder, "--config", config, "--json")
    found = json.loads(out)
    assert (status, err) == (0, "")
    assert found["cards"] == ["centerface", "fr-pose", "fr-eyes"]
    assert (found["photos"], found["undecoded"], found["faceless"]) == (4, {"INVALID_IMAGE": 1}, 1)
    counts = {(each["code"], each["card"], each["refuses"]): each["count"] for each in found["reasons"]}
    # How many depends on how sure the network is.
    assert counts.pop(("EYES_CLOSED", "fr-eyes", False)) >= 1
    assert counts == {("FACE_TURNED", "fr-pose", True): 2, ("FACE_TOO_DARK", "centerface", True): 1}
    assert (found["refused"]["count"], found["refused"]["of"]) == (2, 2)


def test_a_configuration_without_the_stages_is_judged_by_the_detector_alone(run: Run, folder: Path) -> None:
    config = configured(folder, LIMITS, "fr-pose", "fr-eyes")
    status, out, _ = run("models", "gate", "--photos", folder, "--config", config, "--detector", "mtcnn")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert (status, lines[:2]) == (0, ["photos 4, faceless 1, INVALID_IMAGE 1", "networks mtcnn"])
    assert lines[3:] == [
        "FACE_TOO_DARK mtcnn refuses 1 2 50.0 % 9.5 % to 90.5 %",
        "any that refuses refuses 1 2 50.0 % 9.5 % to 90.5 %",
    ]
