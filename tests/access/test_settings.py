"""Settings of access."""

import pytest

from access.settings import AccessArgs
from project.root import ROOT


def test_files_are_relative_to_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command `facegraph keys` also takes an empty variable for the default.
    monkeypatch.setenv("KEYS_FILE", "")
    monkeypatch.delenv("AUDIT_LOG", raising=False)
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "data/keys.json", str(ROOT / "data/audit.jsonl"))
    monkeypatch.setenv("KEYS_FILE", "other/keys.json")
    monkeypatch.setenv("AUDIT_LOG", "/var/log/audit.jsonl")
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "other/keys.json", "/var/log/audit.jsonl")


def test_audit_log_can_be_switched_off() -> None:
    assert AccessArgs(audit_log="").audit_log == ""
