"""Doing something with many photos, and telling what became of them: on the terminal, and in a file."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from facegraph.cli.enrolment import Outcome
from facegraph.cli.gallery import service_mistakes
from facegraph.cli.terminal import Report, end, progress, say, shown


def _named(path: Path | None) -> Path | None:
    if path is not None and path.suffix not in (".csv", ".json"):
        raise typer.BadParameter(f"{path} ends neither in .csv nor in .json")
    return path


ReportOption = Annotated[
    Path | None,
    typer.Option("--report", callback=_named, metavar="FILE", help="A .csv or .json file that gets one row per photo."),
]
ParallelOption = Annotated[int, typer.Option("--parallel", min=1, max=32, help="Most requests at once.")]
DEFAULT_PARALLEL = 4


def follow(work: Callable[[Report], Coroutine[Any, Any, None]], outcomes: list[Outcome], file: Path | None) -> None:
    """Do `work` with a bar that tells of it; then tell of its `outcomes`, in `file` too, even if it was cut short."""
    stopped = False
    try:
        with progress() as report, service_mistakes():
            asyncio.run(work(report))
    except KeyboardInterrupt:
        stopped = True
    finally:
        tell(outcomes, file)
    if stopped:
        end("stopped; the same command again goes on from here", 130)


def tell(outcomes: Sequence[Outcome], file: Path | None) -> None:
    """Say what became of each photo that is not enrolled, and how many are; write all of it to `file`."""
    for each in outcomes:
        if each.status in ("refused", "missing"):
            reason = f"{each.code} {each.message}".strip()
            whose = f" of {shown(each.subject)}" if each.subject else ""
            say(f"[yellow]{each.status}[/] {shown(each.photo)}{whose}: {shown(reason)}")
    counts = Counter(each.status for each in outcomes)
    say(f"{counts['enrolled']} enrolled, {counts['already']} already there, {counts['refused']} refused")
    if file is not None:
        _write(outcomes, file)


def _write(outcomes: Sequence[Outcome], file: Path) -> None:
    rows = [asdict(each) for each in outcomes]
    with file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as opened:
        if file.suffix == ".json":
            json.dump(rows, opened, indent=2, ensure_ascii=False)
        else:
            table = csv.DictWriter(opened, [field.name for field in fields(Outcome)])
            table.writeheader()
            table.writerows(rows)
