"""The audit log: whole lines, whoever writes, and what becomes of a line that cannot be written."""

import json
import os
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.audit import Audit, Event

NOW = datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
EVENT = Event("r-1", "0123456789abcdef", "192.0.2.7", "enrol", "POST /add_face", "staff", ("jane",), (), 201)


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_an_event_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "below" / "audit.jsonl"
    audit = Audit(path, lambda: NOW)
    audit.write(EVENT)
    audit.write(replace(EVENT, key=None, collection=None, subjects=(), faces=("f",), status=None))
    first = {
        "time": "2026-01-15T10:30:00.123Z",
        "request_id": "r-1",
        "key": "0123456789abcdef",
        "address": "192.0.2.7",
        "action": "enrol",
        "route": "POST /add_face",
        "collection": "staff",
        "subjects": ["jane"],
        "faces": [],
        "status": 201,
    }
    changed = {"key": None, "collection": None, "subjects": [], "faces": ["f"], "status": None}
    assert lines(path) == [first, first | changed]


def test_no_id_ends_a_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    ids = ("a\nb", "\r", '"}', "\u2028", "é", "\ud800", "\0")
    Audit(path).write(replace(EVENT, subjects=ids))
    assert path.read_bytes().count(b"\n") == 1
    assert lines(path)[0]["subjects"] == list(ids)


def test_the_log_is_the_owners_alone_and_is_added_to(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    old = os.umask(0)
    try:
        Audit(path).write(EVENT)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Audit(path).write(EVENT)
    assert len(lines(path)) == 2


def test_several_can_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    long = tuple(f"subject-{number}" * 20 for number in range(50))

    def write(number: int) -> None:
        for _ in range(10):
            Audit(path).write(replace(EVENT, request_id=str(number), subjects=long))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = lines(path)
    assert len(found) == 80
    assert {tuple(line["subjects"]) for line in found} == {long}  # type: ignore[arg-type]


def test_a_log_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    audit = Audit(path)
    audit.write(EVENT)
    path.rename(tmp_path / "audit.1")
    audit.write(EVENT)
    assert len(lines(path)) == len(lines(tmp_path / "audit.1")) == 1


def test_without_a_file_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Audit(None).write(EVENT)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        Audit(tmp_path).write(EVENT)


def test_half_a_line_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(OSError, match=r"only \d+ of \d+ bytes"):
        Audit(tmp_path / "audit.jsonl").write(EVENT)
