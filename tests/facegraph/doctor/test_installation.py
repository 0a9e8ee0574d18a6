"""What is installed."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from facegraph.doctor import installation
from project.root import ROOT


def test_another_python_is_a_problem() -> None:
    assert installation.python((3, 11)).level == "ok"
    assert installation.python((3, 12)).level == "problem"


def test_packages_are_held_against_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(
        f"# made by hand\nhttpx=={version('httpx')}\n    # via facegraph\n"
        "nobody-has-this==1.0 ; sys_platform == 'never'\n"
    )
    assert installation.packages(lock).level == "ok"
    lock.write_text("httpx==0.0.1\n" + "".join(f"nobody-has-this-{number}==1.0\n" for number in range(4)))
    found = installation.packages(lock)
    assert found.level == "problem"
    assert f"httpx {version('httpx')} instead of ==0.0.1, nobody-has-this-0 is missing" in found.what
    assert found.what.endswith("and 2 others")
    assert str(lock) in found.command


def test_every_line_of_the_lock_is_understood() -> None:
    lines = (ROOT / "requirements.lock").read_text("utf-8").splitlines()
    named = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert all("==" in line for line in named)


def test_npm_and_haproxy_are_told_where_they_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [installation.npm().level, installation.haproxy().level] == ["ok", "ok"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("deployments.transport.find_spec", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    found = [installation.npm(), installation.haproxy()]
    assert [each.level for each in found] == ["warning", "warning"]
    assert all(each.command for each in found)
