"""Writing a threshold into a configuration changes nothing else."""

import shutil
from difflib import ndiff
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluation.configuration import Configuration
from models.catalogue import card
from models.errors import ModelError
from project.root import ROOT
from tests.default_configuration import CONFIG

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(CONFIG, tmp_path))


def settings(file: Path) -> dict[str, Any]:
    return Configuration(file).settings.model_dump(exclude_unset=True)


def changed(before: str, after: str) -> list[str]:
    return [line for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.name)
def test_only_one_line_of_each_configuration_changes(config: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(config, tmp_path))
    before, model = copy.read_text("utf-8"), Configuration(copy).model("arcface")
    assert model
    assert Configuration(copy).write(card(model), 0.431234) == ["arcface"]
    assert settings(copy) == {"thresholds": {"arcface": 0.431234}}
    added = "+         user_config: {thresholds: {arcface: 0.431234}}"
    # If there was no such line before, it is added.
    assert changed(before, copy.read_text("utf-8")) in (["-         user_config: {}", added], [added])


def test_a_value_that_is_already_there_is_replaced_and_its_neighbours_stay(file: Path) -> None:
    block = "user_config:\n          min_side: 112  # for badges\n          liveness_threshold: 0.5  # ours"
    file.write_text(file.read_text("utf-8").replace("user_config: {}", block), "utf-8")
    before = file.read_text("utf-8")
    assert Configuration(file).write(card("fr-liveness"), 0.7) == ["crmnet"]
    assert changed(before, file.read_text("utf-8")) == [
        "-           liveness_threshold: 0.5  # ours",
        "+           liveness_threshold: 0.7  # ours",
    ]
    Configuration(file).write(card("facenet"), 0.5)
    assert settings(file) == {"min_side": 112, "liveness_threshold": 0.7, "thresholds": {"facenet": 0.5}}
    found = [Configuration(file).thresholds(card(name)) for name in ("facenet", "mobilefacenet", "fr-liveness")]
    assert found == [{"facenet": 0.5}, {}, {"crmnet": 0.7}]


def test_networks_are_known_by_their_roles(file: Path) -> None:
    configuration = Configuration(file)
    assert configuration.model("arcface") == "mobilefacenet"
    assert configuration.model("crmnet") == "fr-liveness"
    assert configuration.model("nobody") is None
    assert [configuration.default(task) for task in ("pose", "age")] == [card("fr-pose"), None]
    file.write_text(file.read_text("utf-8").replace("detector: retinaface", "detector: arcface"), "utf-8")
    with pytest.raises(ModelError, match=r"serve\.yaml has no detector called arcface"):
        Configuration(file).default("detector")


@pytest.mark.parametrize(
    ("model", "indent", "problem"),
    [("arcface-r50", None, "has no stage with arcface-r50"), ("mobilefacenet", 3, "layout .* cannot be preserved")],
)
def test_a_file_that_cannot_be_changed_is_left_alone(file: Path, model: str, indent: int | None, problem: str) -> None:
    if indent:
        file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text("utf-8")), indent=indent), "utf-8")
    before = file.read_text("utf-8")
    with pytest.raises(ModelError, match=problem):
        Configuration(file).write(card(model), 0.5)
    assert file.read_text("utf-8") == before


@pytest.mark.parametrize(
    "text", [None, "[", "a: 1", "- 1", "", "applications: [{args: {stages: {}}, deployments: []}]"]
)
def test_what_is_no_configuration_is_refused_in_a_sentence(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "other.yaml").write_text(text)
    with pytest.raises(ModelError, match=r"other\.yaml"):
        Configuration(tmp_path / "other.yaml")
