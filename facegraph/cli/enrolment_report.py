"""Runs an enrolment of many photos and reports the outcomes on the terminal and in a file."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from facegraph.cli.folder_enrolment import FolderEnrolment
from facegraph.cli.output import ReportProgress, command_errors, escaped, exit_with_error, print_line, progress_bar
from facegraph.cli.person_folders import FileOutcome
from facegraph.cli.service_client import service_errors
from facegraph.client import AsyncClient


def _report_file(path: Path | None) -> Path | None:
    if path is not None and path.suffix not in (".csv", ".json"):
        raise typer.BadParameter(f"{path} must end in .csv or .json")
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report", callback=_report_file, metavar="FILE", help="Write one row per photo to a .csv or .json file."
    ),
]
ParallelOption = Annotated[
    int, typer.Option("--parallel", min=1, max=32, help="Maximum number of requests in progress.")
]
DEFAULT_PARALLEL = 4


def run_and_report(
    work: Callable[[FolderEnrolment], Coroutine[Any, Any, None]],
    outcomes: list[FileOutcome],
    file: Path | None,
    url: str,
    api_key: str | None,
    parallel: int = DEFAULT_PARALLEL,
) -> None:
    """Run an enrolment with a progress bar, and report its outcomes even if it was interrupted or failed.

    Args:
        work: the enrolment, which appends to `outcomes`.
        outcomes: outcomes so far.
        file: also write them to this file.
    """

    async def run(report: ReportProgress) -> None:
        with command_errors(ValueError):
            client = AsyncClient(url, api_key)
        async with client:
            await work(FolderEnrolment(client, parallel, report))

    interrupted = False
    try:
        with progress_bar() as report, service_errors():
            asyncio.run(run(report))
    except KeyboardInterrupt:
        interrupted = True
    finally:
        _print(outcomes)
        if file is not None:
            _write(outcomes, file)
    if interrupted:
        exit_with_error("interrupted; run the same command again to resume", 130)


def _print(outcomes: Sequence[FileOutcome]) -> None:
    for each in outcomes:
        if each.status in ("refused", "missing") or each.code:
            reason = f"{each.code} {each.message}".strip()
            subject = f" of {escaped(each.subject)}" if each.subject else ""
            print_line(f"[yellow]{each.status}[/] {escaped(each.photo)}{subject}: {escaped(reason)}")
    counts = Counter(each.status for each in outcomes)
    print_line(f"{counts['enrolled']} enrolled, {counts['already']} already enrolled, {counts['refused']} refused")


def _write(outcomes: Sequence[FileOutcome], file: Path) -> None:
    rows = [asdict(each) for each in outcomes]
    with file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as opened:
        if file.suffix == ".json":
            json.dump(rows, opened, indent=2, ensure_ascii=False)
        else:
            table = csv.DictWriter(opened, [field.name for field in fields(FileOutcome)])
            table.writeheader()
            table.writerows(rows)
