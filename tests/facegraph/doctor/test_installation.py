"""Checks of what is installed."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

from facegraph.doctor import installation


def test_another_python_is_a_problem() -> None:
    assert [installation.python(each).level for each in ((3, 11), (3, 12))] == ["ok", "problem"]


def test_packages_are_compared_with_the_lock_file(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text(
        f"# a comment\nhttpx=={version('httpx')}\n    # via facegraph\nunknown==1.0 ; sys_platform == 'never'\n"
    )
    assert installation.packages(lock).level == "ok"
    lock.write_text("httpx==0.0.1\n" + "".join(f"unknown-{number}==1.0\n" for number in range(4)))
    found = installation.packages(lock)
    assert (found.level, str(lock) in found.command) == ("problem", True)
    assert f"httpx {version('httpx')} instead of ==0.0.1, unknown-0 is missing" in found.what
    assert found.what.endswith("and 2 others")


def test_missing_npm_and_haproxy_are_warnings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [installation.npm().level, installation.haproxy().level] == ["ok", "ok"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("deployments.transport.find_spec", lambda name: None)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    assert [installation.npm().level, installation.haproxy().level] == ["warning", "warning"]
