"""`facegraph models evaluate` and `calibrate` on real photos."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from evaluation.answers import answers
from facegraph.cli import measurement
from imaging.decode import Limits
from models.card import Card
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector, load_network
from models.errors import ModelError
from models.store import Store
from tests.conftest import PROJECT, shared_faces
from tests.facegraph.cli.typing import Run


@pytest.fixture
def people(sample_photos: Path, tmp_path: Path) -> Path:
    """Two people with three photos each, and one that is none."""
    folder = tmp_path / "<people>"
    for person in ("madonna", "jerry_seinfeld"):
        (folder / person).mkdir(parents=True)
        for path in sorted((sample_photos / person).glob("*.jpg"))[:3]:
            shutil.copy(path, folder / person)
    (folder / "madonna" / "broken.jpg").write_bytes(b"no photo")
    return folder


@pytest.fixture
def attacks(mindy: bytes, tmp_path: Path) -> Path:
    """Two photos of a live face, one that is called a spoof, and an attack without a face."""
    for name in ("live/1.jpg", "live/2.jpg", "spoof/replay/1.jpg"):
        (tmp_path / "attacks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "attacks" / name).write_bytes(mindy)
    (tmp_path / "attacks" / "spoof" / "mask").mkdir()
    (tmp_path / "attacks" / "spoof" / "mask" / "broken.jpg").write_bytes(b"no photo")
    return tmp_path / "attacks"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return Path(shutil.copy(PROJECT / "configs" / "serve.yaml", tmp_path))


def figures(report: Path) -> Any:
    """The figures beside a report, which is one page without an address that it would have to ask."""
    page = report.read_text("utf-8")
    assert not re.search(r'(?:src|href)=(?!"data:)|url\(|@import|<script', page)
    HTMLParser().feed(page)
    assert "<people>" not in page
    assert page.count("<h1>") == 1
    return json.loads(report.with_suffix(".json").read_text("utf-8"))


def user_config(config: Path) -> Any:
    return yaml.safe_load(config.read_text("utf-8"))["applications"][0]["deployments"][0]["user_config"]


def test_an_embedder_is_evaluated(run: Run, people: Path, tmp_path: Path) -> None:
    report = tmp_path / "made" / "report.html"
    status, out, _ = run("models", "evaluate", "arcface", "--photos", people, "--report", report, "--replicates", 100)
    assert status == 0
    for text in ("photos 7, faceless 1", "subjects 2, pairs 6 genuine, 9 impostor", "AUC 1.00000", str(report)):
        assert text in out
    found = figures(report)
    assert found["about"]["network"].startswith("mobilefacenet: ")
    assert found["about"]["embedding contract"] == card("mobilefacenet").embedding_contract
    assert found["acquisition"]["faceless"] == [str(people / "madonna" / "broken.jpg")]
    points = {point["name"]: point for point in found["verification"]["points"]}
    assert points["the card's"]["threshold"]["value"] == card("mobilefacenet").threshold("cosine").value
    assert points["best balanced accuracy"]["balanced_accuracy"]["value"] == 1
    assert found["verification"]["pairs_without_a_face"] == {"genuine": 3, "impostor": 3}
    assert found["identification"]["ranks"] == {"1": {"value": 1, "low": 0.5, "high": 1}}
    assert len(found["verification"]["unsupported"]) == 4
    assert "intervals that are drawn from so few people are too narrow" in report.read_text("utf-8")


def test_a_csv_of_pairs_has_no_identification(run: Run, people: Path, tmp_path: Path) -> None:
    first, second, *_ = sorted((people / "madonna").glob("*.jpg"))[1:]
    other = min((people / "jerry_seinfeld").glob("*.jpg"))
    file = tmp_path / "pairs.csv"
    file.write_text(f"{first},{second},1\n{first},{other},0\n", "utf-8")
    report = tmp_path / "report.html"
    words = ("--photos", file, "--report", report, "--replicates", 100, "--detector", "mediapipe-full-range")
    assert run("models", "evaluate", "mobilefacenet", *words)[0] == 0
    assert figures(report).keys() == {"about", "acquisition", "verification"}


def test_the_lfw_protocol(run: Run, people: Path, tmp_path: Path) -> None:
    """Two folds of the same pairs: one genuine in three has a faceless photo, and the others are correct."""
    broken, first, second, _ = sorted((people / "madonna").glob("*.jpg"))
    other = min((people / "jerry_seinfeld").glob("*.jpg"))
    genuine, faceless = f"{first},{second},1\n", f"{first},{broken},1\n"
    file, report = tmp_path / "pairs.csv", tmp_path / "report.html"
    file.write_text(((genuine * 2 + faceless) * 100 + f"{first},{other},0\n" * 300) * 2, "utf-8")
    words = ("--photos", file, "--protocol", "lfw", "--report", report, "--replicates", 100)
    status, out, _ = run("models", "evaluate", "mobilefacenet", *words)
    assert status == 0
    assert "accuracy 83.33 %, standard deviation 0.00 %, standard error 0.00 %" in out
    found = figures(report)
    assert [fold["false_non_matches"] for fold in found["lfw"]["folds"]] == [100, 100]
    names = [point["name"] for point in found["verification"]["points"]]
    assert names[-2:] == ["FMR ≤ 1 %", "FMR ≤ 0.1 %"]


def test_false_matches_by_group(run: Run, people: Path, tmp_path: Path) -> None:
    file, report = people / "groups.csv", tmp_path / "report.html"
    photos = [photo.relative_to(people) for photo in sorted(people.glob("*/*.jpg"))]
    file.write_text("file,[b]who\n" + "".join(f"{photo},{photo.parent.name}\n" for photo in photos), "utf-8")
    words = ("--photos", people, "--groups", file, "--report", report, "--replicates", 100)
    status, out, _ = run("models", "evaluate", "mobilefacenet", *words)
    assert status == 0
    for text in ("groups: photos 7, faceless 1", "FMR at 0.4200, the card's", "[b]who", "jerry_seinfeld", "madonna"):
        assert text in out
    section = figures(report)["groups"]
    assert section["columns"]["[b]who"]["faces"] == {"jerry_seinfeld": 3, "madonna": 3}
    assert [rate["pairs"] for rate in section["columns"]["[b]who"]["rates"]] == [3, 3, 9]
    assert run("models", "calibrate", "mobilefacenet", *words, "--fmr", 0.5)[0] == 0
    found = figures(report)
    assert found["groups"]["threshold"] == found["calibration"]["threshold"]


def test_liveness_is_evaluated(run: Run, attacks: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    words = ("--photos", attacks, "--report", report, "--replicates", 100)
    status, out, _ = run("models", "evaluate", "crmnet", *words)
    assert status == 0
    assert "All attacks are counted together: no kind has 20 photos with a face." in out
    assert "AUC 0.5000 (0.5000 to 0.5000) all attacks\n" in out
    found = figures(report)["liveness"]
    [rates] = found["rates"]
    assert (rates["threshold"], rates["worst"], rates["acer"]) == (0.5, "all attacks", 0.5)
    assert found["kinds"] == {
        "live": {"photos": 2, "faceless": 0, "note": ""},
        "spoof/mask": {"photos": 1, "faceless": 1, "note": "too few photos"},
        "spoof/replay": {"photos": 1, "faceless": 0, "note": "too few photos"},
    }


def test_a_threshold_is_calibrated_and_written(run: Run, people: Path, config: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    words = ("--photos", people, "--fmr", 0.5, "--report", report, "--replicates", 100, "--write", config)
    status, out, _ = run("models", "calibrate", "mobilefacenet", *words)
    assert status == 0
    found = figures(report)
    chosen = found["calibration"]["threshold"]
    assert f"threshold {chosen} for FMR at most 50 %" in out
    assert user_config(config) == {"thresholds": {"arcface": chosen}}
    [point] = [point for point in found["verification"]["points"] if point["name"] == "calibrated"]
    assert point["fmr"]["value"] == pytest.approx(4 / 9)
    # And from now on it is measured like the card's.
    assert run("models", "evaluate", "mobilefacenet", "--config", config, *words[:2], *words[4:8])[0] == 0
    names = [point["name"] for point in figures(report)["verification"]["points"]]
    assert names[:2] == ["the card's", "the configured, arcface"]


def test_too_few_photos_are_refused_unless_forced(run: Run, people: Path, config: Path, tmp_path: Path) -> None:
    report = ("--report", tmp_path / "report.html", "--replicates", 100)
    words = ("calibrate", "mobilefacenet", "--photos", people, "--fmr", 0.01, "--write", config, *report)
    status, out, err = run("models", *words)
    assert (status, out) == (1, "")
    assert err == (
        "error FMR 1 %: 9 impostor pairs are too few; not one error in 300 would show it (rule of three). "
        "Take more photos, or use --force\n"
    )
    assert user_config(config) == {}
    assert run("models", *words, "--force")[0] == 0
    assert user_config(config)["thresholds"]["arcface"] > 0


@pytest.mark.parametrize(("option", "low", "high"), [("--apcer", 0.5, 1), ("--bpcer", 0, 1)])
def test_liveness_is_calibrated(
    run: Run, attacks: Path, config: Path, tmp_path: Path, option: str, low: float, high: float
) -> None:
    words = ("calibrate", "crmnet", "--photos", attacks, option, 0.05, "--write", config, "--force")
    report = tmp_path / "report.html"
    status, out, _ = run("models", *words, "--report", report, "--replicates", 100)
    assert status == 0
    chosen = user_config(config)["liveness_threshold"]
    assert low < chosen <= high
    assert f"threshold {chosen} for {option[2:].upper()} at most 5 %" in out
    rates = {each["name"]: each for each in figures(report)["liveness"]["rates"]}["calibrated"]
    assert (rates["bpcer"]["value"], rates["acer"]) == ((1, 0.5) if option == "--apcer" else (0, 0.5))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "mtcnn"), "mtcnn is neither an embedder nor a liveness network"),
        (("evaluate", "nobody"), "no model is called 'nobody'"),
        (("evaluate", "crmnet", "--protocol", "lfw"), "the protocol lfw is for embedders"),
        (("evaluate", "crmnet", "--groups", __file__), "only an embedder has false matches by group"),
        (("calibrate", "mobilefacenet"), "calibrating mobilefacenet takes one rate above 0: --fmr"),
        (("calibrate", "mobilefacenet", "--apcer", 0.1), "calibrating mobilefacenet takes one rate above 0: --fmr"),
        (("calibrate", "crmnet", "--apcer", 0), "takes one rate above 0: --apcer or --bpcer"),
        (("calibrate", "crmnet", "--apcer", 0.1, "--bpcer", 0.1), "takes one rate above 0: --apcer or --bpcer"),
        (("calibrate", "facenet", "--fmr", 0.1, "--apcer", 0.1), "calibrating facenet takes one rate above 0: --fmr"),
    ],
)
def test_an_unsuitable_request_is_refused_in_one_sentence(
    run: Run, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    status, out, err = run("models", *words, "--photos", tmp_path)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_a_network_that_the_configuration_lacks_is_not_written(run: Run, people: Path, config: Path) -> None:
    words = ("calibrate", "facenet512", "--photos", people, "--fmr", 0.1, "--write", config)
    status, _, err = run("models", *words)
    assert (status, err) == (1, f"error {config} has no stage with facenet512 to write a threshold for\n")


@pytest.mark.parametrize("engine", ["onnx", "onnx-float32"])
def test_a_network_is_measured_in_the_engine_asked_for(
    run: Run, people: Path, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    asked: list[str] = []

    def load(entry: Card, *args: object) -> None:
        asked.append(str(args[1]))
        raise ModelError("enough")

    monkeypatch.setattr(measurement, "load_network", load)
    assert run("models", "evaluate", "facenet", "--photos", people, "--engine", engine) == (1, "", "error enough\n")
    assert asked == [engine]


@pytest.mark.long
def test_an_independent_computation_agrees(run: Run, store: Store, tmp_path: Path) -> None:
    """The threshold, the rates there and rank 1 of real faces, by loops over pairs."""
    photos, report = shared_faces("lfw50"), tmp_path / "report.html"
    words = ("--photos", photos, "--detector", "mtcnn", "--fmr", 1e-3, "--report", report, "--replicates", 100)
    assert run("models", "calibrate", "mobilefacenet", *words)[0] == 0
    entry, files = card("mobilefacenet"), sorted(photos.glob("*/*.jpg"))
    detect = PhotoDetector(load_detector(card("mtcnn"), store, "onnx", Device(), {}), Limits())
    embeddings = answers(files, detect, load_network(entry, store, "onnx", Device()), entry.crops)
    faces = [(file.parent.name, row) for file, row in zip(files, embeddings, strict=True) if not np.isnan(row[0])]
    pairs = [(a[0] == b[0], float(a[1] @ b[1])) for i, a in enumerate(faces) for b in faces[:i]]
    impostor = sorted((score for same, score in pairs if not same), reverse=True)
    genuine = [score for same, score in pairs if same]
    found = figures(report)
    threshold = found["calibration"]["threshold"]
    allowed = int(len(impostor) * 1e-3)
    assert impostor[allowed] < threshold <= impostor[allowed] + 1.1e-6
    [point] = [each for each in found["verification"]["points"] if each["name"] == "calibrated"]
    assert point["fmr"]["value"] == pytest.approx(allowed / len(impostor))
    assert point["fnmr"]["value"] == pytest.approx(sum(score < threshold for score in genuine) / len(genuine))
    assert point["fnmr"]["low"] < point["fnmr"]["value"] < point["fnmr"]["high"]
