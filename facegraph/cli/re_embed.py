"""`facegraph gallery re-embed`: moves a collection to another embedder by enrolling its photos again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.enrol import FolderArgument, create_collection
from facegraph.cli.enrolment_report import DEFAULT_PARALLEL, ParallelOption, ReportOption, run_and_report
from facegraph.cli.folder_enrolment import FolderEnrolment, RequestedRules, face_ids
from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, UrlOption
from facegraph.cli.output import CommandError, escaped, print_line, quantity
from facegraph.cli.person_folders import FileOutcome, find_people, unreadable_file
from facegraph.client import AsyncClient, StoredFace

# Photos that were enrolled before are accepted without another quality check. Others are checked as usual.
ONE_FACE, EVERY_FACE = RequestedRules("report", "prominent"), RequestedRules("report", "all")
OTHER_PHOTO = RequestedRules("require", "one")


@dataclass
class ReEmbedPlan:
    """Which photos to enrol again.

    Attributes:
        photos: by rules and subject. These are the photos that were enrolled with one face or with every face. If none
            of a subject's enrolled photos was found, they are all of the subject's photos.
        lost: files that cannot be read, and enrolled faces whose photo is not in the folder.
        absent: subjects without a readable photo in the folder.
    """

    photos: dict[RequestedRules, dict[str, list[Path]]]
    lost: list[FileOutcome]
    absent: list[str]


def re_embed_plan(enrolled: Mapping[str, Sequence[StoredFace]], found: Mapping[str, Sequence[Path]]) -> ReEmbedPlan:
    """Find the photos of the enrolled faces by their digests. Both arguments are keyed by subject."""
    plan = ReEmbedPlan({ONE_FACE: {}, EVERY_FACE: {}, OTHER_PHOTO: {}}, [], [])
    for subject, faces in enrolled.items():
        photos = []
        for path in found.get(subject, ()):
            try:
                photos.append((path, path.read_bytes()))
            except OSError as error:
                plan.lost.append(unreadable_file(subject, path, error))
        one, every = (
            {face: path for path, photo in photos for face in face_ids(subject, photo, every_face)}
            for every_face in (False, True)
        )
        ids = [face.face_id for face in faces]
        if one_face := [one[face] for face in ids if face in one]:
            plan.photos[ONE_FACE][subject] = one_face
        if every_face := list(dict.fromkeys(every[face] for face in ids if face in every)):
            plan.photos[EVERY_FACE][subject] = every_face
        if not photos:
            plan.absent.append(subject)
        if photos and not (one_face or every_face):
            plan.photos[OTHER_PHOTO][subject] = [path for path, _ in photos]
        else:
            plan.lost += [
                FileOutcome(subject, face.label, "missing", message="photo not found in the folder")
                for face in faces
                if face.face_id not in one and face.face_id not in every
            ]
    return plan


def re_embed_command(
    folder: FolderArgument,
    old: Annotated[str, typer.Option("--from", metavar="NAME", help="Existing collection (not modified).")],
    new: Annotated[str, typer.Option("--to", metavar="NAME", help="Collection to create or to continue.")],
    embedder: Annotated[
        str | None,
        typer.Option("--embedder", metavar="ROLE", help="Embedder of the new collection. Default: the old one's."),
    ] = None,
    without_missing: Annotated[
        bool, typer.Option("--without-missing", help="Leave out subjects without a photo in the folder.")
    ] = False,
    parallel: ParallelOption = DEFAULT_PARALLEL,
    report: ReportOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
) -> None:
    """Enrol a collection's subjects in a new collection with another embedder.

    The gallery keeps no photos, so this needs the folder that the subjects were enrolled from. Photos are matched by
    digest: the photos enrolled in the old collection are enrolled again. If none of a subject's photos match, all of
    that subject's photos are enrolled instead. If a subject has no photo in the folder, the command stops without
    changes.
    """
    if old == new:
        raise typer.BadParameter("--from and --to are the same collection", param_hint="--to")
    found, outcomes, lost, by_other_photos = find_people(folder), list[FileOutcome](), list[str](), list[str]()

    async def re_embed(enrolment: FolderEnrolment) -> None:
        client = enrolment.client
        role = await _new_role(client, old, new, embedder)
        metadata = {subject.id: subject.metadata async for subject in client.subjects(old, metadata=True)}
        enrolled = await enrolment.enrolled_faces(old, list(metadata))
        plan = re_embed_plan(enrolled, found.photos)
        outcomes.extend(each for each in found.unusable if each.subject in enrolled)
        outcomes.extend(plan.lost)
        by_other_photos.extend(plan.photos[OTHER_PHOTO])
        if plan.absent and not without_missing:
            raise CommandError(
                f"{folder} has no photo of {len(plan.absent)} of the {quantity(len(enrolled), 'subject')} of {old}; "
                "nothing was changed. Add their photos, or skip them with --without-missing"
            )
        await create_collection(client, new, role)
        there = await enrolment.subject_ids(new)
        for rules, photos in plan.photos.items():
            await enrolment.enrol(new, there, photos, rules, outcomes)
        arrived = {subject.id: subject.metadata async for subject in client.subjects(new, metadata=True)}
        lost.extend(subject for subject in enrolled if subject not in arrived and subject not in plan.absent)
        for subject, present in arrived.items():
            if present is None and metadata.get(subject) is not None:
                await client.set_metadata(new, subject, metadata[subject])

    run_and_report(re_embed, outcomes, report, url, api_key, parallel)
    if by_other_photos:
        print_line(f"enrolled from different photos than before: {escaped(', '.join(by_other_photos))}")
    if lost:
        raise CommandError(f"not every subject of {old} is in {new}; missing: {', '.join(lost)}")
    print_line(f"[green]done[/] every subject of {escaped(old)} with a photo is in {escaped(new)}")


async def _new_role(client: AsyncClient, old: str, new: str, embedder: str | None) -> str:
    """Return the role of the new collection's embedder.

    Raises:
        CommandError: the role does not exist, it is the old collection's embedder, or the new collection exists with
            another model's embeddings.
    """
    source, embedders = await client.collection(old), (await client.models()).embedders
    role = embedder or source.embedder
    if role not in embedders:
        raise CommandError(f"unknown embedder {role}; available: {', '.join(embedders)}")
    network = embedders[role]
    if network.embedding_contract == source.embedding_contract:
        raise CommandError(f"{old} already uses {role} ({network.model})")
    for existing in await client.collections():
        if existing.name == new and existing.embedding_contract != network.embedding_contract:
            raise CommandError(f"{new} uses {existing.model}, but {role} is {network.model}")
    return role
