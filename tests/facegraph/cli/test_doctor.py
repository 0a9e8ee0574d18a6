"""`facegraph doctor`."""

import json
from pathlib import Path

import pytest

from facegraph.doctor import Finding, installation
from tests.facegraph.cli import Run

NO_SERVICE = ("--url", "http://127.0.0.1:1")


def test_each_finding_is_a_line_and_a_problem_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "packages", lambda lock: Finding("warning", "[x] is odd", "type this"))
    monkeypatch.setattr("facegraph.doctor.start.address", lambda *_: Finding("ok", "port"))
    monkeypatch.setattr("facegraph.doctor.start.gallery", lambda *_: Finding("ok", "gallery"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    status, out, err = run("doctor", *NO_SERVICE)
    assert (status, err) == (0, "")
    assert "warning  [x] is odd; try `type this`\n" in out
    assert {line.split()[0] for line in out.splitlines()} == {"ok", "warning"}
    assert "all files of the model mtcnn are intact" in out
    monkeypatch.setattr(installation, "packages", lambda lock: Finding("problem", "odd", "type this"))
    status, out, _ = run("doctor", *NO_SERVICE, "--json")
    assert status == 1
    assert {"level": "problem", "what": "odd", "command": "type this"} in json.loads(out)


def test_an_invalid_configuration_is_a_problem(run: Run, tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("applications: [{name: x}]")
    status, out, _ = run("doctor", tmp_path / "serve.yaml", *NO_SERVICE)
    assert status == 1
    assert f"problem  {tmp_path}/serve.yaml is invalid, so its settings were not checked: " in out
