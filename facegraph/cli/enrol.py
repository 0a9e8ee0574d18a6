"""`facegraph gallery enrol`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facegraph.cli.enrolment import Rules, enrol, look_alikes_among, new_photos, unusable
from facegraph.cli.look_alikes import say_look_alike
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, UrlOption
from facegraph.cli.outcomes import DEFAULT_PARALLEL, ParallelOption, ReportOption, follow
from facegraph.cli.person_folders import people
from facegraph.cli.terminal import CommandError, Report, mistakes
from facegraph.client import AsyncClient, FaceRule, NotFoundError

FolderArgument = Annotated[
    Path,
    typer.Argument(exists=True, file_okay=False, help="One folder per person, named by their id, with their photos."),
]


def enrol_command(
    folder: FolderArgument,
    collection: CollectionOption,
    create: Annotated[bool, typer.Option("--create", help="Make the collection if it does not exist.")] = False,
    embedder: Annotated[
        str | None, typer.Option("--embedder", metavar="ROLE", help="Of a collection that is made. Default: arcface.")
    ] = None,
    quality: Annotated[
        Literal["require", "report"], typer.Option(help="require refuses poor faces, report enrols them all the same.")
    ] = "require",
    faces: Annotated[
        FaceRule,
        typer.Option(help="one refuses a photo of several people, prominent and largest take one face, all each."),
    ] = "one",
    parallel: ParallelOption = DEFAULT_PARALLEL,
    report: ReportOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Enrol a folder of people. Repeat it to finish what was cut short and to add what is new.

    Hidden files and what systems leave in folders are skipped. Every other file is enrolled or reported with the
    reason; if any is reported, the exit status is 1. Subjects whose ids look alike are reported, too.
    """
    found = people(folder)
    outcomes = unusable(found)
    alike = list[tuple[str, str]]()

    async def run(track: Report) -> None:
        with mistakes(ValueError):
            client = AsyncClient(url, api_key)
        async with client:
            if create:
                await make(client, collection, embedder)
            rules = Rules(quality, faces)
            new, known = await new_photos(client, collection, found.photos, rules, parallel, track)
            outcomes.extend(known)
            await enrol(client, collection, new, rules, parallel, track, outcomes)
            alike.extend(await look_alikes_among(client, collection, found.photos))

    follow(run, outcomes, report)
    for pair in alike:
        say_look_alike(*pair)
    if refused := sum(each.status == "refused" for each in outcomes):
        raise CommandError(f"{refused} of {len(outcomes)} files were refused")


async def make(client: AsyncClient, collection: str, embedder: str | None) -> None:
    """Make a collection, unless it exists."""
    try:
        await client.collection(collection)
    except NotFoundError:
        await client.put_collection(collection, embedder=embedder)
