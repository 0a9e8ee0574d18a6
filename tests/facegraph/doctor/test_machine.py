"""Checks of the machine."""

from collections import namedtuple
from pathlib import Path

import pytest

from facegraph.doctor import machine
from tests.default_configuration import default_args

Usage = namedtuple("Usage", "free")


def test_the_configuration_must_fit_the_cores() -> None:
    args = default_args()
    assert [machine.cores(args, each).level for each in (1, 2, 16)] == ["problem", "warning", "ok"]
    inside = {role: stage.model_copy(update={"place": "ingress"}) for role, stage in args.of("detector").items()}
    assert machine.cores(args.model_copy(update={"stages": inside}), 2).level == "ok"


@pytest.mark.parametrize(("available", "level"), [(2**22, "ok"), (2**21, "warning")])
def test_little_available_memory_is_a_warning(tmp_path: Path, available: int, level: str) -> None:
    table = tmp_path / "meminfo"
    table.write_text(f"MemTotal: 9999999 kB\nMemFree: 1 kB\nHugePages_Total: 0\nMemAvailable: {available} kB\n")
    assert machine.memory(table).level == level


@pytest.mark.parametrize(("free", "level"), [(2**33, "ok"), (2**30, "warning"), (2**20, "problem")])
def test_a_full_disk_is_a_problem(monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(free))
    assert machine.disk(Path()).level == level


@pytest.mark.parametrize(
    ("device", "provider", "level"),
    [
        ("auto", None, "ok"),
        ("cuda", None, "problem"),
        ("auto", "CUDAExecutionProvider", "ok"),
        ("auto", "CPUExecutionProvider", "warning"),
        ("cuda", "CPUExecutionProvider", "problem"),
    ],
)
def test_a_gpu_must_be_usable_if_it_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, provider: str | None, level: str
) -> None:
    if provider:
        (tmp_path / "nvidia0").touch()
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [provider])
    assert machine.gpu(default_args().model_copy(update={"device": device}), tmp_path).level == level
