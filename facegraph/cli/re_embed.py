"""`facegraph gallery re-embed`: from one network's embeddings to another's, which takes the photos again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.enrol import FolderArgument, make
from facegraph.cli.enrolment import (
    Outcome,
    Rules,
    enrol,
    enrolled_faces,
    face_ids,
    new_photos,
    unreadable,
    unusable,
)
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, UrlOption
from facegraph.cli.outcomes import DEFAULT_PARALLEL, ParallelOption, ReportOption, follow
from facegraph.cli.person_folders import people
from facegraph.cli.terminal import CommandError, Report, mistakes, say, shown
from facegraph.client import AsyncClient, StoredFace


@dataclass
class Plan:
    """Which photos are enrolled anew.

    Attributes:
        same: by subject, those of which one face was enrolled, known by their digest.
        every: by subject, those of which every face was enrolled.
        others: by subject, all photos of whoever has none that was enrolled.
        missing: faces whose photo is not there; of `absent` there is no photo at all.
        absent: subjects.
        unread: files that cannot be read.
    """

    same: dict[str, list[Path]] = field(default_factory=dict)
    every: dict[str, list[Path]] = field(default_factory=dict)
    others: dict[str, list[Path]] = field(default_factory=dict)
    missing: list[Outcome] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    unread: list[Outcome] = field(default_factory=list)


def planned(enrolled: Mapping[str, Sequence[StoredFace]], found: Mapping[str, Sequence[Path]]) -> Plan:
    """The photos, of those `found` by subject, for the subjects and faces that are `enrolled`."""
    plan = Plan()
    for subject, faces in enrolled.items():
        paths = found.get(subject, ())
        photos = []
        for path in paths:
            try:
                photos.append((path, path.read_bytes()))
            except OSError as error:
                plan.unread.append(unreadable(subject, path, error))
        one, every = (
            {face: path for path, photo in photos for face in face_ids(subject, photo, each)} for each in (False, True)
        )
        ids = [face.face_id for face in faces]
        if same := [one[face] for face in ids if face in one]:
            plan.same[subject] = same
        if whole := list(dict.fromkeys(every[face] for face in ids if face in every)):
            plan.every[subject] = whole
        if not photos:
            plan.absent.append(subject)
        if not (same or whole) and photos:
            plan.others[subject] = [path for path, _ in photos]
        else:
            gone = [face for face in faces if face.face_id not in one and face.face_id not in every]
            plan.missing += [Outcome(subject, face.label, "missing", message="no such photo") for face in gone]
    return plan


def re_embed_command(
    folder: FolderArgument,
    old: Annotated[str, typer.Option("--from", metavar="NAME", help="The collection as it is; it stays so.")],
    new: Annotated[str, typer.Option("--to", metavar="NAME", help="The collection that is made, or gone on with.")],
    embedder: Annotated[
        str | None, typer.Option("--embedder", metavar="ROLE", help="Of the new collection. Default: the old one's.")
    ] = None,
    without_missing: Annotated[
        bool, typer.Option("--without-missing", help="Leave out whom the folder has no photo of.")
    ] = False,
    parallel: ParallelOption = DEFAULT_PARALLEL,
    report: ReportOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Enrol everybody of a collection in a new one of another network, with the photos once more.

    A gallery keeps no photos, so it takes the folder that they were enrolled from. Of each subject exactly the photos
    that were enrolled are taken, known by their digests, and all photos of whoever has no such photo. If anybody has
    none, nothing is done. The old collection is only read.
    """
    if old == new:
        raise typer.BadParameter("the old collection and the new one are the same", param_hint="--to")
    found, outcomes, lost, others = people(folder), list[Outcome](), list[str](), list[str]()

    async def run(track: Report) -> None:
        with mistakes(ValueError):
            client = AsyncClient(url, api_key)
        async with client:
            role = await _role(client, old, new, embedder)
            enrolled = await enrolled_faces(client, old, parallel, track)
            plan = planned(enrolled, found.photos)
            outcomes.extend(each for each in unusable(found) if each.subject in enrolled)
            outcomes.extend(plan.unread + plan.missing)
            others.extend(plan.others)
            if plan.absent and not without_missing:
                raise CommandError(
                    f"{len(plan.absent)} of {len(enrolled)} subjects of {old} have no photo in {folder}, and nothing "
                    "was done: add photos of them, or leave them out with --without-missing"
                )
            await make(client, new, role)
            # What was let in once is let in again; other photos are judged as any are.
            for photos, rules in (
                (plan.same, Rules("report", "prominent")),
                (plan.every, Rules("report", "all")),
                (plan.others, Rules("require", "one")),
            ):
                left, known = await new_photos(client, new, photos, rules, parallel, track)
                outcomes.extend(known)
                await enrol(client, new, left, rules, parallel, track, outcomes)
            there = {subject.id async for subject in client.subjects(new)}
            lost.extend(subject for subject in enrolled if subject not in there and subject not in plan.absent)

    follow(run, outcomes, report)
    if others:
        say(f"{len(others)} subjects by other photos than those enrolled: {shown(', '.join(others))}")
    if lost:
        raise CommandError(f"{len(lost)} subjects of {old} are not in {new}: {', '.join(lost)}")
    say(f"[green]everybody[/] of {shown(old)} with a photo is in {shown(new)}; {shown(old)} is as it was")


async def _role(client: AsyncClient, old: str, new: str, embedder: str | None) -> str:
    """The role of the embedder of the new collection.

    Raises:
        CommandError: it gives no other embeddings than those in the old collection, or than those in the new one.
    """
    was, embedders = await client.collection(old), (await client.models()).embedders
    role = embedder or was.embedder
    if role not in embedders:
        raise CommandError(f"there is no embedder called {role}; there are {', '.join(embedders)}")
    network = embedders[role]
    if network.embedding_contract == was.embedding_contract:
        raise CommandError(f"{old} has the embeddings of {network.model}, which is {role}, already")
    for there in await client.collections():
        if there.name == new and there.embedding_contract != network.embedding_contract:
            raise CommandError(f"{new} has embeddings of {there.model}, and {role} is {network.model} now")
    return role
