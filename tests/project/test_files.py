"""Writing files whole."""

import os
from contextlib import suppress
from pathlib import Path

import pytest

from project.files import atomic


def test_a_file_is_replaced_when_it_is_complete_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, synced = tmp_path / "new" / "file", list[tuple[int, bool]]()
    monkeypatch.setattr(os, "fsync", lambda file: synced.append((os.fstat(file).st_ino, target.exists())))
    with atomic(target) as unfinished:
        unfinished.write_bytes(b"both halves")
    assert target.read_bytes() == b"both halves"
    assert list(target.parent.iterdir()) == [target]
    assert synced == [(target.stat().st_ino, False), (target.parent.stat().st_ino, True)]


def test_an_interruption_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"old")
    for name in ("old", "new"):
        with suppress(KeyboardInterrupt), atomic(tmp_path / name) as unfinished:
            unfinished.write_bytes(b"half")
            raise KeyboardInterrupt
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"old": b"old"}
