"""What an enrolment reports, on the terminal and in a file."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from facegraph.cli.enrolment_report import run_and_report
from facegraph.cli.output import CommandError, ReportProgress
from facegraph.cli.person_folders import FileOutcome
from facegraph.client import NoAnswerError
from tests.facegraph.cli import Run

OUTCOMES = [
    FileOutcome("anna", "a.jpg", "enrolled"),
    FileOutcome("[b]\x1b", "\udcff.jpg", "refused", "CODE", "A sentence"),
]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_report_file_has_a_row_per_photo(tmp_path: Path, suffix: str) -> None:
    async def nothing(_: ReportProgress) -> None: ...

    file = tmp_path / f"report.{suffix}"
    run_and_report(nothing, OUTCOMES, file)
    text = file.read_text("utf-8")
    rows: list[dict[str, Any]] = json.loads(text) if suffix == "json" else list(csv.DictReader(text.splitlines()))
    assert [row["status"] for row in rows] == ["enrolled", "refused"]
    assert (rows[1]["subject"], rows[1]["code"], rows[1]["message"]) == ("[b]\x1b", "CODE", "A sentence")


@pytest.mark.parametrize(
    ("error", "raised", "message"),
    [
        (KeyboardInterrupt(), SystemExit, "130"),
        (NoAnswerError("No answer"), CommandError, "No answer; is the service running?"),
    ],
)
def test_what_was_done_is_reported_after_an_error(
    capsys: pytest.CaptureFixture[str], error: BaseException, raised: type[BaseException], message: str
) -> None:
    async def fail(_: ReportProgress) -> None:
        raise error

    with pytest.raises(raised, match=message):
        run_and_report(fail, OUTCOMES[:1], None)
    assert capsys.readouterr().out == "1 enrolled, 0 already enrolled, 0 refused\n"


def test_another_kind_of_report_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    status, _, err = run("gallery", "enrol", tmp_path, "--collection", "staff", "--report", "report.txt")
    assert status == 2
    assert "must end in .csv or .json" in err
