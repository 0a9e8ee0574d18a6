"""Settings of access."""

from pathlib import Path

import pytest

from access.settings import AccessArgs
from project.root import ROOT


def test_files_are_relative_to_the_project_and_the_log_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    # The command `facegraph keys` also takes an empty variable for the default.
    monkeypatch.setenv("KEYS_FILE", "")
    monkeypatch.delenv("AUDIT_LOG", raising=False)
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "data/keys.json", str(ROOT / "data/audit.jsonl"))
    assert AccessArgs(keys_file=Path("other/keys.json")).keys_file == ROOT / "other/keys.json"
    assert [AccessArgs(audit_log=text).audit_log for text in ("/var/log/a", "")] == ["/var/log/a", ""]
