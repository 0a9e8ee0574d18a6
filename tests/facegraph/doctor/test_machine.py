"""Checks of the machine and of what is installed."""

import shutil
from collections import namedtuple
from importlib.metadata import version
from pathlib import Path

import pytest

from facegraph.doctor import installation, machine
from tests.default_configuration import default_args

Usage = namedtuple("Usage", "free")


def test_another_python_is_a_problem() -> None:
    assert [installation.python(each).level for each in ((3, 11), (3, 12))] == ["ok", "problem"]


def test_packages_are_compared_with_the_lock_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, others = tmp_path / "lock", ("numpy", "rich", "typer")
    assert installation.packages(lock).level == "ok"
    lock.write_text(f"# a comment\nhttpx=={version('httpx')}\n    # via x\nof-an-extra==1.0\n")
    assert installation.packages(lock).level == "ok"
    lock.write_text("".join(f"{name}==0.0.1\n" for name in ("httpx", *others)))
    found = installation.packages(lock)
    assert (found.level, found.command) == ("problem", "make install")
    assert f"httpx {version('httpx')} instead of ==0.0.1" in found.what
    assert found.what.endswith("and 1 more")
    monkeypatch.setattr(installation, "requires", lambda project: ["not-there>=1", "torch; extra == 'torch'"])
    monkeypatch.setattr(installation, "ONNX_RUNTIMES", ("no-build", "no-other-build"))
    assert "not-there is missing, no-build is missing" in installation.packages(lock).what


def test_missing_npm_and_haproxy_are_warnings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [installation.npm().level, installation.haproxy().level] == ["ok", "ok"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("deployments.transport.find_spec", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert [installation.npm().level, installation.haproxy().level] == ["warning", "warning"]


def test_the_configuration_must_fit_the_cores() -> None:
    args = default_args()
    assert [machine.cores(args, each).level for each in (1, 2, 16)] == ["problem", "warning", "ok"]
    inside = {role: stage.model_copy(update={"place": "ingress"}) for role, stage in args.of("detector").items()}
    assert machine.cores(args.model_copy(update={"stages": inside}), 2).level == "ok"


def test_little_memory_is_a_warning_and_a_full_disk_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "meminfo"
    for available, level in ((2**22, "ok"), (2**21, "warning")):
        table.write_text(f"MemTotal: 9999999 kB\nMemFree: 1 kB\nHugePages_Total: 0\nMemAvailable: {available} kB\n")
        assert machine.memory(table).level == level
    for free, level in ((2**33, "ok"), (2**30, "warning"), (2**20, "problem")):
        monkeypatch.setattr("shutil.disk_usage", lambda folder, free=free: Usage(free))
        assert machine.disk(Path()).level == level


@pytest.mark.parametrize(
    ("provider", "levels"),
    [
        (None, ["ok", "problem"]),
        ("CUDAExecutionProvider", ["ok", "ok"]),
        ("CPUExecutionProvider", ["warning", "problem"]),
    ],
)
def test_a_gpu_must_be_usable_if_it_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str | None, levels: list[str]
) -> None:
    if provider:
        (tmp_path / "nvidia0").touch()
        monkeypatch.setattr("onnxruntime.get_available_providers", lambda: [provider])
    args = [default_args().model_copy(update={"device": device}) for device in ("auto", "cuda")]
    assert [machine.gpu(each, tmp_path).level for each in args] == levels
