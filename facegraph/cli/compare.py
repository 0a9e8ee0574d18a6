"""`facegraph compare`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, JsonOption, UrlOption
from facegraph.cli.output import CommandError, escaped, print_json, print_line
from facegraph.cli.service_client import service_client
from facegraph.client import FaceRule


def compare_command(
    reference: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of a person.")],
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", exists=True, dir_okay=False, help="1 to 100 other photos.")
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
        found = client.verify_many(reference, *photos, faces=faces, threshold=threshold)
    if as_json:
        compared = [{"file": str(photos[each.photo]), **asdict(each)} for each in found.photos]
        print_json({"threshold": found.threshold, "photos": compared})
    else:
        for each in found.photos:
            name = escaped(str(photos[each.photo]))
            if each.error:
                print_line(f"[yellow]refused[/] {name}: {escaped(f'{each.error.code} {each.error.message}')}")
            else:
                verdict = "[green]match[/]" if each.match else "[yellow]no match[/]"
                print_line(f"{verdict} {name}: similarity {each.value:.3f}")
        print_line(f"a match needs at least {found.threshold.value:g}")
    if refused := sum(each.error is not None for each in found.photos):
        raise CommandError(f"refused {refused} of {len(photos)} photos")
