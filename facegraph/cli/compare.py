"""`facegraph compare`."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption
from facegraph.cli.output import CommandError, escaped, print_json, print_line
from facegraph.cli.person_folders import checked_file
from facegraph.cli.service_client import service_client
from facegraph.client import ComparedPhoto, FaceRule, Reason, Threshold, TooLargeError
from facegraph.client.images import upload_from
from facegraph.client.upload_batches import MAX_BYTES, PhotoEntry, upload_batches

MAX_COMPARED = 100
"""Maximum number of photos that the service compares with a reference in one request."""


def compare_command(
    reference: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of a person.")],
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", exists=True, dir_okay=False, help="Other photos.")
    ],
    faces: Annotated[
        FaceRule,
        typer.Option("--faces", help="Which face of each photo to compare; with all, the most similar one."),
    ] = "prominent",
    threshold: Annotated[
        float | None, typer.Option(min=-1, max=1, help="Minimum similarity. Default: the model's.")
    ] = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check which photos show the same person as the first one. No gallery is used.

    Without --json, results are printed as they arrive. The exit status is 1 if a photo is refused.
    """
    results = list[ComparedPhoto]()
    applied: Threshold | None = None

    def report(found: Iterable[ComparedPhoto]) -> None:
        for each in found:
            results.append(each)
            if not as_json:
                _print_result(photos[each.photo], each)

    files = list[tuple[int, Path]]()
    for number, photo in enumerate(photos):
        checked = checked_file(photo, "")
        if isinstance(checked, Path):
            files.append((number, photo))
        else:
            report([_refused(number, checked.code, checked.message)])
    numbers = iter(number for number, _ in files)
    with service_client(url, api_key) as client:
        first = PhotoEntry("", upload_from(reference))
        entries = (PhotoEntry("", upload_from(photo)) for _, photo in files)
        for batch in upload_batches(entries, MAX_COMPARED, first.size):
            uploads = (entry.upload.data for entry in batch)
            try:
                answer = client.verify_many(first.upload.data, *uploads, faces=faces, threshold=threshold)
            except TooLargeError as error:
                # The photo is to blame only if it is alone and the reference leaves space for others.
                if len(batch) > 1 or first.size > MAX_BYTES:
                    raise
                report([_refused(next(numbers), error.code, error.message)])
            else:
                applied = answer.threshold
                report(replace(each, photo=next(numbers)) for each in answer.photos)
    if as_json:
        results.sort(key=lambda each: each.photo)
        compared = [{"file": str(photos[each.photo]), **asdict(each)} for each in results]
        print_json({"threshold": applied, "photos": compared})
    elif applied:
        print_line(f"a match needs at least {applied.value:g}")
    if refused := sum(each.error is not None for each in results):
        raise CommandError(f"refused {refused} of {len(photos)} photos")


def _refused(number: int, code: str, message: str) -> ComparedPhoto:
    error = Reason(code=code, message=message)
    return ComparedPhoto(
        photo=number, match=False, value=None, cosine_similarity=None, faces_found=0, face=None, error=error
    )


def _print_result(path: Path, result: ComparedPhoto) -> None:
    name = escaped(str(path))
    if result.error:
        print_line(f"[yellow]refused[/] {name}: {escaped(f'{result.error.code} {result.error.message}')}")
    else:
        verdict = "[green]match[/]" if result.match else "[yellow]no match[/]"
        print_line(f"{verdict} {name}: similarity {result.value:.3f}")
