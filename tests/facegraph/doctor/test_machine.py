"""What a machine has."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from facegraph.doctor import machine
from tests.default_configuration import default_args


def test_cores_are_held_against_the_configuration() -> None:
    args = default_args()
    assert machine.cores(args, 16).level == "ok"
    few = machine.cores(args, 2)
    assert (few.level, few.command) == ("warning", "facegraph serve configs/laptop.yaml")
    assert machine.cores(args, 1).level == "problem"
    inside = {role: stage.model_copy(update={"place": "ingress"}) for role, stage in args.detectors.items()}
    args = args.model_copy(update={"detectors": inside, "liveness": {}, "embedders": {}})
    assert machine.cores(args, 2).level == "ok"


@pytest.mark.parametrize(("available", "level"), [(2**22, "ok"), (2**21, "warning")])
def test_memory_is_what_linux_says_is_available(tmp_path: Path, available: int, level: str) -> None:
    table = tmp_path / "meminfo"
    table.write_text(f"MemTotal: 9999999 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n")
    assert machine.memory(table).level == level


@pytest.mark.parametrize(("free", "level"), [(2**33, "ok"), (2**30, "warning"), (2**20, "problem")])
def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    assert machine.disk(tmp_path).level == level


@pytest.mark.parametrize(
    ("device", "there", "providers", "level"),
    [
        ("auto", False, [], "ok"),
        ("cuda", False, [], "problem"),
        ("auto", True, ["CUDAExecutionProvider"], "ok"),
        ("auto", True, ["CPUExecutionProvider"], "warning"),
        ("cuda", True, ["CPUExecutionProvider"], "problem"),
    ],
)
def test_a_gpu_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: Any, there: bool, providers: list[str], level: str
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    if there:
        (tmp_path / "nvidia0").touch()
    assert machine.gpu(default_args().model_copy(update={"device": device}), tmp_path).level == level
