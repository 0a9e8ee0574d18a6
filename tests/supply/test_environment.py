"""What is installed into an environment, and when nothing is."""

import sys
from pathlib import Path

import pytest

from supply import environment
from supply.locked import locked_lines

LOCK = "uv==1\n    # via facegraph (pyproject.toml:setup)\nbase==1\n    # via facegraph (pyproject.toml)\n"
PYPROJECT = """
[project]
dependencies = ["base"]
[project.optional-dependencies]
cpu = []
gpu = []
torch = []
[dependency-groups]
setup = ["uv"]
npm = []
"""


class Installed:
    """An environment whose commands are recorded instead of run."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "requirements.lock").write_text(LOCK)
        (folder / "pyproject.toml").write_text(PYPROJECT)
        self.record, self.settings = folder / "extras.txt", dict[str, str]()
        self.commands: list[tuple[str, ...]] = []
        self.variables: dict[str, str] = {}
        self._monkeypatch = monkeypatch
        monkeypatch.setattr(environment, "ROOT", folder)
        monkeypatch.setattr(environment, "RECORD", self.record)
        monkeypatch.setattr(environment, "locked_lines", lambda extras: locked_lines(extras, folder))
        monkeypatch.setattr(environment, "_pip_settings", lambda: self.settings)
        monkeypatch.setattr(environment, "_run", self._run)

    def install(self, *extras: str) -> list[str]:
        """Install extras and return those of the environment afterwards; `commands` are those of this call."""
        self.commands.clear()
        self._monkeypatch.setattr(sys, "argv", ["supply.environment", *extras])
        environment.main()
        return self.record.read_text().split()

    def _run(self, *command: str, **variables: str) -> None:
        self.commands.append(command)
        self.variables |= variables


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/npm")
    return Installed(tmp_path, monkeypatch)


def test_extras_stay_one_runtime_replaces_the_other_and_nothing_is_done_twice(installed: Installed) -> None:
    assert installed.install("cpu", "torch") == ["cpu", "setup", "torch"]
    assert "sync" in installed.commands[-2]
    assert "--editable" in installed.commands[-1]
    assert installed.install("cpu") == ["cpu", "setup", "torch"]
    assert installed.commands == []
    assert installed.install("gpu") == ["gpu", "setup", "torch"]
    assert installed.commands
    (installed.record.parent / "requirements.lock").write_text(LOCK)
    assert installed.install("gpu")
    assert installed.commands


def test_a_failed_installation_is_not_recorded(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    installed.install("cpu")

    def fails(*command: str, **variables: str) -> None:
        raise SystemExit(2)

    monkeypatch.setattr(environment, "_run", fails)
    with pytest.raises(SystemExit):
        installed.install("gpu")
    assert not installed.record.exists()


def test_npm_is_installed_where_there_is_none(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert installed.install("cpu") == ["cpu", "npm", "setup"]


def test_uv_gets_the_settings_of_pip(installed: Installed) -> None:
    installed.settings |= {"find-links": "wheels", "index-url": "https://index.example", "timeout": "9"}
    installed.install("cpu")
    assert "--no-index" not in installed.commands[-2]
    expected = {"UV_FIND_LINKS": "wheels", "UV_DEFAULT_INDEX": "https://index.example"}
    assert installed.variables == {**expected, "UV_INDEX_STRATEGY": "unsafe-best-match"}
    installed.settings["no-index"] = "1"
    installed.install("gpu")
    assert "--no-index" in installed.commands[-2]
