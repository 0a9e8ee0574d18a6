"""Checks whether the service can start. The checks themselves are tested in tests/deployments."""

from pathlib import Path

import pytest

from deployments import preflight
from deployments.address import Address, claimed
from deployments.errors import StartError
from facegraph.doctor import start
from gallery.disk import reserve


@pytest.mark.parametrize("name", ["open_files", "temporary_folder", "object_store", "token"])
def test_a_failed_check_is_a_problem_in_its_words(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def refuse() -> None:
        raise StartError("one sentence")

    monkeypatch.setenv("RAY_ADDRESS", "local")
    for variable in ("RAY_TMPDIR", "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "")
    monkeypatch.setattr(preflight, name, refuse)
    found = [(each.level, each.what) for each in start.machine() if each.level != "ok"]
    assert found == [("problem", "one sentence")]


def test_a_cluster_must_respond_and_is_not_checked_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert [(each.level, each.command) for each in start.machine()] == [("problem", "unset RAY_ADDRESS")]
    monkeypatch.setattr(start, "has_own_cluster", lambda: False)
    assert [each.level for each in start.machine()] == ["ok"]


def test_an_address_is_free_or_the_running_services(lone_port: int) -> None:
    address = Address("127.0.0.1", lone_port)
    with claimed(address, 0):
        assert start.address(address, running=False).what.startswith(f"{address} is taken by another facegraph service")
        assert start.address(address, running=True).level == "ok"
    assert start.address(address, running=False).level == "ok"
    assert start.address(Address("192.0.2.99", 1024), running=True).level == "problem"


def test_a_gallery_is_writable_and_free_or_the_running_services(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    assert start.gallery(str(folder), running=False).level == "ok"
    assert not folder.exists()
    with reserve(folder, 0):
        assert start.gallery(str(folder), running=True).level == "ok"
        assert start.gallery(str(folder), running=False).what.startswith("another process serves the gallery at")
    assert start.gallery(str(folder), running=False).level == "ok"
    (tmp_path / "file").touch()
    for place in ("file", "file/gallery"):
        assert start.gallery(str(tmp_path / place), running=True).level == "problem"
    assert start.gallery("s3://bucket/x?secret", running=False).what.endswith("s3://")
