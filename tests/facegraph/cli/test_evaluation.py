"""`facegraph models evaluate` and `calibrate` on real photos. The figures themselves are tested in tests/evaluation."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation import similarity
from facegraph.cli.options import DEFAULT_CONFIG
from models.catalogue import card
from tests.facegraph.cli import Run

Evaluate = Callable[..., tuple[str, Any]]


@pytest.fixture
def evaluate(run: Run, tmp_path: Path) -> Evaluate:
    """Runs `facegraph models` and returns its output and the figures of its report, a self-contained page."""

    def evaluate(*words: object) -> tuple[str, Any]:
        report = tmp_path / "made" / "report.html"
        status, out, err = run("models", *words, "--report", report, "--replicates", 100)
        assert (status, str(report) in out) == (0, True), err
        assert not re.search(r'(?:src|href)=(?!"data:)|url\(|@import|<script|<people>', report.read_text("utf-8"))
        return out, json.loads(report.with_suffix(".json").read_text("utf-8"))

    return evaluate


@pytest.fixture
def people(sample_photos: Path, tmp_path: Path) -> Path:
    """A folder of two people with three photos each and a broken file, and a CSV file with their groups."""
    folder = tmp_path / "<people>"
    for person in ("madonna", "jerry_seinfeld"):
        (folder / person).mkdir(parents=True)
        for path in sorted((sample_photos / person).glob("*.jpg"))[:3]:
            shutil.copy(path, folder / person)
    (folder / "madonna" / "broken.jpg").write_bytes(b"no photo")
    photos = [photo.relative_to(folder) for photo in sorted(folder.glob("*/*.jpg"))]
    lines = ["file,[b]who", *(f"{photo},{photo.parent.name}" for photo in photos)]
    (folder / "groups.csv").write_text("\n".join(lines), "utf-8")
    return folder


@pytest.fixture
def attacks(mindy: bytes, tmp_path: Path) -> Path:
    """A folder with two live photos, a replay of the same face, and a broken file as a mask."""
    for name in ("live/1.jpg", "live/2.jpg", "spoof/replay/1.jpg", "spoof/mask/broken.jpg"):
        (tmp_path / "attacks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "attacks" / name).write_bytes(b"no photo" if "broken" in name else mindy)
    return tmp_path / "attacks"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copy(DEFAULT_CONFIG, tmp_path))


def user_config(config: Path) -> Any:
    return yaml.safe_load(config.read_text("utf-8"))["applications"][0]["deployments"][0]["user_config"]


def test_an_embedder_is_evaluated(evaluate: Evaluate, people: Path) -> None:
    words = ("--photos", people, "--groups", people / "groups.csv", "--engine", "onnx-float32")
    out, found = evaluate("evaluate", "arcface", *words)
    texts = ["photos 7, faceless 1", "subjects 2, pairs 6 genuine, 9 impostor", "AUC 1.00000", "[b]who", "madonna"]
    texts += ["groups: photos 7, faceless 1", "FMR at 0.4200, card", "jerry_seinfeld"]
    assert [text for text in texts if text not in out] == []
    about, contract = found["about"], card("mobilefacenet").embedding_contract
    assert about["network"].startswith("mobilefacenet: ")
    assert (about["embedding contract"], about["engine"]) == (contract, "onnx-float32")
    assert found["acquisition"]["faceless"] == [str(people / "madonna" / "broken.jpg")]
    assert found["identification"]["ranks"]["1"]["value"] == 1
    assert [rate["pairs"] for rate in found["groups"]["columns"]["[b]who"]["rates"]] == [3, 3, 9]


def test_pairs_are_evaluated_by_the_lfw_protocol(evaluate: Evaluate, people: Path) -> None:
    """Two folds of the same pairs: one genuine pair in three has a faceless photo, and the others are correct."""
    broken, first, second, _ = sorted((people / "madonna").glob("*.jpg"))
    other = min((people / "jerry_seinfeld").glob("*.jpg"))
    genuine, faceless = f"{first},{second},1\n", f"{first},{broken},1\n"
    file = people / "pairs.csv"
    file.write_text(((genuine * 2 + faceless) * 100 + f"{first},{other},0\n" * 300) * 2, "utf-8")
    words = ("--photos", file, "--protocol", "lfw", "--detector", "mediapipe-full-range")
    out, found = evaluate("evaluate", "mobilefacenet", *words)
    assert "accuracy 83.33 %, standard deviation 0.00 %, standard error 0.00 %" in out
    assert found.keys() == {"about", "acquisition", "verification", "lfw"}
    assert found["about"]["detector"] == "mediapipe-full-range"


def test_an_embedder_is_calibrated(evaluate: Evaluate, people: Path, config: Path) -> None:
    words = ("mobilefacenet", "--photos", people)
    groups = ("--groups", people / "groups.csv")
    out, found = evaluate("calibrate", *words, *groups, "--fmr", 0.5, "--write", config)
    chosen = found["calibration"]["threshold"]
    assert (found["groups"]["name"], found["groups"]["threshold"]) == ("calibrated", chosen)
    assert f"threshold {chosen} for FMR at most 50 %" in out
    assert user_config(config) == {"thresholds": {"arcface": chosen}}
    points = evaluate("evaluate", *words, "--config", config)[1]["verification"]["points"]
    thresholds = {point["name"]: point["threshold"]["value"] for point in points}
    assert thresholds["card"] == card("mobilefacenet").threshold("cosine").value
    assert thresholds["configured (arcface)"] == chosen


def test_too_few_photos_are_refused_unless_forced(evaluate: Evaluate, run: Run, people: Path, config: Path) -> None:
    words = ("calibrate", "mobilefacenet", "--photos", people, "--fmr", 0.01, "--write", config)
    status, out, err = run("models", *words)
    assert (status, out, user_config(config)) == (1, "", {})
    assert err.endswith("(rule of three). Use more photos, or --force\n")
    evaluate(*words, "--force")
    assert user_config(config)["thresholds"]["arcface"] > 0


@pytest.mark.parametrize(("option", "low", "high", "bpcer"), [("--apcer", 0.5, 1, 1), ("--bpcer", 0, 1, 0)])
def test_liveness_is_calibrated_and_evaluated(
    evaluate: Evaluate, attacks: Path, config: Path, option: str, low: float, high: float, bpcer: float
) -> None:
    words = ("calibrate", "crmnet", "--photos", attacks, option, 0.05, "--write", config, "--force")
    out, found = evaluate(*words)
    assert low < user_config(config)["liveness_threshold"] <= high
    assert "AUC 0.5000 (0.5000 to 0.5000) all attacks\n" in out
    rates = {each["name"]: each for each in found["liveness"]["rates"]}
    assert (rates["card"]["acer"], rates["calibrated"]["bpcer"]["value"]) == (0.5, bpcer)


def test_a_scale_of_similarities_is_printed_for_the_card(
    run: Run, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("models", "scale", "mobilefacenet", "--photos", people)
    assert "9 impostor pairs are too few" in run(*words)[2]
    monkeypatch.setattr(similarity, "ANCHORS", {80: 0.5, 99: 0.4})
    status, out, _ = run(*words)
    assert status == 0
    assert re.match(
        r"\[similarity\]\nmidpoint = [\d.-]+\nslope = [\d.]+\nfmr = \[.*\]\nmeasured_on = \"9 impostor", out
    )
    assert run("models", "scale", "mtcnn", "--photos", people)[2] == "error mtcnn is not an embedder\n"
