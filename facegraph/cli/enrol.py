"""`facegraph gallery enrol`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facegraph.cli.enrolment_report import DEFAULT_PARALLEL, ParallelOption, ReportOption, run_and_report
from facegraph.cli.folder_enrolment import FolderEnrolment, RequestedRules
from facegraph.cli.gallery import print_look_alikes
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, UrlOption
from facegraph.cli.output import CommandError
from facegraph.cli.person_folders import find_people
from facegraph.client import AsyncClient, DuplicatePolicy, FaceRule, NotFoundError
from gallery.subject_ids import look_alikes

FolderArgument = Annotated[
    Path,
    typer.Argument(exists=True, file_okay=False, help="A folder with one folder of photos per person, named by id."),
]


def enrol_command(
    folder: FolderArgument,
    collection: CollectionOption,
    create: Annotated[bool, typer.Option("--create", help="Create the collection if it does not exist.")] = False,
    embedder: Annotated[
        str | None,
        typer.Option("--embedder", metavar="ROLE", help="Embedder of a new collection. Default: the service's."),
    ] = None,
    quality: Annotated[
        Literal["require", "report"], typer.Option(help="require rejects faces of poor quality; report enrols them.")
    ] = "require",
    faces: Annotated[
        FaceRule,
        typer.Option(
            help="one rejects photos of several people; prominent and largest enrol one face; all enrols every face."
        ),
    ] = "one",
    duplicate: Annotated[
        DuplicatePolicy,
        typer.Option(
            help="refuse rejects faces that resemble another person of the collection; report enrols and reports them."
        ),
    ] = "allow",
    parallel: ParallelOption = DEFAULT_PARALLEL,
    report: ReportOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Enrol a folder of people. Run it again to resume, or to add new photos.

    Hidden files and the system files of NAS devices, Windows and macOS are skipped. Every other file is either enrolled
    or reported with the reason. The exit status is 1 if a file is reported. Ids that look alike are reported too.
    """
    found = find_people(folder)
    outcomes = list(found.unusable)
    alike = list[tuple[str, str]]()

    async def enrol(enrolment: FolderEnrolment) -> None:
        if create:
            await create_collection(enrolment.client, collection, embedder)
        try:
            before = await enrolment.subject_ids(collection)
        except NotFoundError as error:
            raise CommandError(f"{error}; --create creates it") from error
        rules = RequestedRules(quality, faces, duplicate)
        await enrolment.enrol(collection, before, found.photos, rules, outcomes)
        enrolled = {*before, *(each.subject for each in outcomes if each.status in ("enrolled", "already"))}
        alike.extend(pair for pair in look_alikes(sorted(enrolled)) if not found.photos.keys().isdisjoint(pair))

    run_and_report(enrol, outcomes, report, url, api_key, parallel)
    print_look_alikes(alike)
    if refused := sum(each.status == "refused" for each in outcomes):
        raise CommandError(f"{refused} of {len(outcomes)} files were refused")


async def create_collection(client: AsyncClient, collection: str, embedder: str | None) -> None:
    """Create a collection unless it exists."""
    try:
        await client.collection(collection)
    except NotFoundError:
        await client.put_collection(collection, embedder=embedder)
