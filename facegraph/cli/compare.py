"""`facegraph compare`."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption
from facegraph.cli.output import CommandError, escaped, print_json, print_line
from facegraph.cli.service_client import service_client
from facegraph.client import FaceRule
from facegraph.client.upload_batches import MAX_BYTES

MAX_PHOTOS = 100
"""Maximum number of photos that the service compares with a reference in one request."""
_FORM_OVERHEAD = 1024
"""Upper bound in bytes for the name of a photo and its other headers in a form."""


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

    The exit status is 1 if a photo is refused.
    """
    with service_client(url, api_key) as client:
        answers = [
            client.verify_many(reference, *batch, faces=faces, threshold=threshold)
            for batch in _batches(reference, photos)
        ]
    results = [replace(each, photo=n) for n, each in enumerate(each for answer in answers for each in answer.photos)]
    applied = answers[0].threshold
    if as_json:
        compared = [{"file": str(photos[each.photo]), **asdict(each)} for each in results]
        print_json({"threshold": applied, "photos": compared})
    else:
        for each in results:
            name = escaped(str(photos[each.photo]))
            if each.error:
                print_line(f"[yellow]refused[/] {name}: {escaped(f'{each.error.code} {each.error.message}')}")
            else:
                verdict = "[green]match[/]" if each.match else "[yellow]no match[/]"
                print_line(f"{verdict} {name}: similarity {each.value:.3f}")
        print_line(f"a match needs at least {applied.value:g}")
    if refused := sum(each.error is not None for each in results):
        raise CommandError(f"refused {refused} of {len(photos)} photos")


def _batches(reference: Path, photos: list[Path]) -> Iterator[list[Path]]:
    """Group photos in order into requests that fit the service's limits, each with the reference."""
    sizes = [path.stat().st_size + _FORM_OVERHEAD for path in (reference, *photos)]
    batch, size = list[Path](), sizes[0]
    for photo, bytes_ in zip(photos, sizes[1:], strict=True):
        if batch and (len(batch) == MAX_PHOTOS or size + bytes_ > MAX_BYTES):
            yield batch
            batch, size = [], sizes[0]
        batch.append(photo)
        size += bytes_
    yield batch
