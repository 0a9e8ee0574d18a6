"""What stands in the way of a start."""

import fcntl
from contextlib import ExitStack
from pathlib import Path

import pytest

from deployments import preflight
from deployments.address import Address, claimed
from deployments.errors import StartError
from facegraph.doctor import start
from gallery.disk import LOCK, reserve


def test_a_check_of_the_start_is_a_problem_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StartError("one sentence")

    monkeypatch.setenv("RAY_ADDRESS", "local")
    for name in ("RAY_TMPDIR", "RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")
    for name in ("open_files", "temporary_folder", "object_store", "token"):
        with monkeypatch.context() as patch:
            patch.setattr(preflight, name, refuse)
            assert [(each.level, each.what) for each in start.machine() if each.level != "ok"] == [
                ("problem", "one sentence")
            ]


def test_a_cluster_is_joined_or_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    assert [(each.level, each.command) for each in start.machine()] == [("problem", "unset RAY_ADDRESS")]
    monkeypatch.setattr(start, "has_own_cluster", lambda: False)
    assert [each.level for each in start.machine()] == ["ok"]


def test_an_address_is_free_or_the_services(lone_port: int) -> None:
    address = Address("127.0.0.1", lone_port)
    with claimed(address, 0):
        assert start.address(address, running=False).what.startswith(f"{address} is taken by another facegraph service")
        assert start.address(address, running=True).level == "ok"
    assert start.address(address, running=False).level == "ok"
    assert start.address(Address("192.0.2.99", 1024), running=True).level == "problem"


def test_a_gallery_is_writable_and_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "gallery"
    assert start.gallery(str(folder), running=False).level == "ok"
    assert not folder.exists()
    with reserve(folder, 0):
        assert start.gallery(str(folder), running=True).level == "ok"
        assert start.gallery(str(folder), running=False).what.startswith("another process serves the gallery at")
    with ExitStack() as held:
        lock = held.enter_context((folder / LOCK).open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = start.gallery(str(folder), running=False)
        assert found.what.startswith(f"another process writes to the gallery at {folder}: end it")
    assert start.gallery(str(folder), running=False).level == "ok"
    (tmp_path / "file").touch()
    for place in ("file", "file/gallery"):
        assert start.gallery(str(tmp_path / place), running=True).level == "problem"
    assert start.gallery("s3://bucket/x?secret", running=False).what.endswith("s3://")
