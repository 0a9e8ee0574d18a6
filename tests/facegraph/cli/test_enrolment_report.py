"""What an enrolment reports, on the terminal and in a file."""

import csv
import json
from pathlib import Path

import pytest

from facegraph.cli.enrolment_report import run_and_report
from facegraph.cli.output import CommandError, ReportProgress
from facegraph.cli.person_folders import FileOutcome
from facegraph.client import NoAnswerError
from tests.facegraph.cli import Run

DONE = [FileOutcome("anna", "a.jpg", "enrolled")]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_report_file_has_a_row_per_photo(tmp_path: Path, suffix: str) -> None:
    async def nothing(_: ReportProgress) -> None: ...

    file = tmp_path / f"report.{suffix}"
    run_and_report(nothing, [*DONE, FileOutcome("[b]\x1b", "\udcff.jpg", "refused", "CODE", "A sentence")], file)
    text = file.read_text("utf-8")
    rows: list[dict[str, str]] = json.loads(text) if suffix == "json" else list(csv.DictReader(text.splitlines()))
    assert [row["status"] for row in rows] == ["enrolled", "refused"]
    assert (rows[1]["subject"], rows[1]["code"], rows[1]["message"]) == ("[b]\x1b", "CODE", "A sentence")


@pytest.mark.parametrize(
    ("error", "message"), [(KeyboardInterrupt(), "130"), (NoAnswerError("x"), "x; is the service")]
)
def test_what_was_done_is_reported_after_an_error(
    capsys: pytest.CaptureFixture[str], error: BaseException, message: str
) -> None:
    async def fail(_: ReportProgress) -> None:
        raise error

    with pytest.raises((SystemExit, CommandError), match=message):
        run_and_report(fail, DONE, None)
    assert capsys.readouterr().out == "1 enrolled, 0 already enrolled, 0 refused\n"


def test_another_kind_of_report_file_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    status, _, err = run("gallery", "enrol", tmp_path, "--collection", "staff", "--report", "report.txt")
    assert (status, "must end in .csv or .json" in err) == (2, True)
