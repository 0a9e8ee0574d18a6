"""The run of a load in steps, without its service."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest
import yaml

from load_tests.autoscaling import __main__ as autoscaling
from load_tests.routes import CONFIG
from load_tests.work import Answer, Record
from tests.load_tests.program import invoked


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a run writes, whose service, clients and clock are made up: load brings a second ingress."""
    now, loads = [0.0], [0]

    def look(server: object) -> Counter[str]:
        return Counter({"ingress": 1 + loads[0], "gallery-writer": 1})

    @contextmanager
    def served(config: str, log: Path, **variables: str) -> Iterator[None]:
        assert yaml.safe_load(Path(config).read_text("utf-8"))["applications"]
        yield

    @contextmanager
    def asking(server: object, route: object, body: bytes, clients: int) -> Iterator[list[Record]]:
        loads[0] += 1
        ended = now[0] + 0.5
        yield [Record(now[0], ended, Answer("answered", 500.0)), Record(now[0], ended, Answer("failed", 500.0))]
        loads[0] -= 1

    photo = tmp_path / "photo"
    photo.write_bytes(b"photo")
    fakes: dict[str, Any] = {
        "FOLDER": tmp_path,
        "prepare": lambda: (photo, photo),
        "replicas": look,
        "served": served,
        "asking": asking,
        "time": SimpleNamespace(monotonic=lambda: now[0]),
        "sleep_until": lambda moment: now.__setitem__(0, moment),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(autoscaling, name, fake)
    return tmp_path


def run(*arguments: str) -> str:
    result = invoked(autoscaling.main, *arguments)
    return f"{result.exit_code} {result.output}"


def test_every_second_is_written_down_and_drawn(folder: Path) -> None:
    told = run("--plan", "idle:2,match:3,mediapipe:1")
    assert told.startswith("0 ")
    cells = {line.split()[0]: line.split()[1:] for line in told.splitlines() if line.strip()}
    assert cells["ingress"] == ["1", "2", "2"]
    assert cells["gallery-writer"] == ["1", "1", "1"]
    assert cells["answers/s"] == ["0.0", "0.3", "1.0"]
    written = json.loads((folder / "autoscaling.json").read_text("utf-8"))
    assert [(phase["name"], phase["begin"], phase["end"]) for phase in written["phases"]] == [
        ("idle", 0, 2),
        ("match", 2, 5),
        ("mediapipe", 5, 6),
    ]
    assert [entry["replicas"]["ingress"] for entry in written["seconds"]] == [1, 1, 2, 2, 2, 2]
    assert [(entry["answers"], entry["others"]) for entry in written["seconds"]] == [
        (0, 0),
        (0, 0),
        (1, 1),
        (0, 0),
        (0, 0),
        (1, 1),
    ]
    assert PIL.Image.open(folder / "autoscaling.png").width > 1000


def test_the_configuration_is_changed_only_as_asked(folder: Path) -> None:
    run("--plan", "idle:1", "--most", "0", "--no-short")
    served = yaml.safe_load((folder / "autoscaling.yaml").read_text("utf-8"))
    assert served == yaml.safe_load(CONFIG.read_text("utf-8"))
    run("--plan", "idle:1", "--most", "2")
    served = yaml.safe_load((folder / "autoscaling.yaml").read_text("utf-8"))
    [detector] = [entry for entry in served["applications"][0]["deployments"] if entry["name"] == "detector-mtcnn"]
    assert detector["autoscaling_config"]["max_replicas"] == 2
    assert detector["autoscaling_config"]["upscale_delay_s"] < 5


@pytest.mark.parametrize("plan", ["", "match", "match:0", "nowhere:5", "idle:-1"])
def test_a_plan_that_cannot_be_followed_is_refused(folder: Path, plan: str) -> None:
    assert run("--plan", plan).startswith("2 ")
    assert not (folder / "autoscaling.json").exists()
