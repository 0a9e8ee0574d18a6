"""The audit log."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from access.audit import Audit, Event

NOW = datetime(2026, 1, 15, 10, 30, 0, 123456, tzinfo=UTC)
EVENT = Event("r-1", "0123456789abcdef", "192.0.2.7", "enrol", "POST /add_face", "staff", ("jane",), (), 201)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "audit.jsonl"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


def test_each_event_is_a_line_of_a_private_file(path: Path) -> None:
    old = os.umask(0)
    try:
        audit = Audit(path, lambda: NOW)
        audit.write(EVENT)
    finally:
        os.umask(old)
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
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_subject_id_breaks_a_line(path: Path) -> None:
    ids = ("a\nb", "\r", '"}', "\u2028", "é", "\ud800", "\0")
    Audit(path).write(replace(EVENT, subjects=ids))
    assert path.read_bytes().count(b"\n") == 1
    assert lines(path)[0]["subjects"] == list(ids)


def test_concurrent_lines_do_not_mix(path: Path) -> None:
    long = replace(EVENT, subjects=tuple(f"subject-{number}" * 20 for number in range(50)))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Audit(path).write(long), range(80)))
    assert [line["subjects"] for line in lines(path)] == [list(long.subjects)] * 80


def test_a_log_that_was_moved_away_is_replaced(path: Path) -> None:
    audit = Audit(path)
    audit.write(EVENT)
    path.rename(path.with_name("audit.1"))
    audit.write(EVENT)
    assert len(lines(path)) == len(lines(path.with_name("audit.1"))) == 1


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Audit(None).write(EVENT)
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_is_not_written_whole_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IsADirectoryError):
        Audit(path.parent.parent).write(EVENT)
    monkeypatch.setattr(os, "write", lambda file, data: len(data) - 1)
    with pytest.raises(OSError, match=r"only \d+ of \d+ bytes"):
        Audit(path).write(EVENT)
