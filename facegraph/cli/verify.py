"""`facegraph gallery verify`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.options import DEFAULT_URL, ApiKeyOption, CollectionOption, JsonOption, SimilarityOption, UrlOption
from facegraph.cli.output import escaped, print_json, print_line
from facegraph.cli.service_client import service_client
from facegraph.client import FaceRule


def verify_command(
    photo: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A photo of a person.")],
    subject: Annotated[str, typer.Argument(help="Id of the subject.")],
    collection: CollectionOption,
    faces: Annotated[
        FaceRule, typer.Option("--faces", help="Which face of the photo to compare; all: the most similar one.")
    ] = "prominent",
    threshold: SimilarityOption = None,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check whether a photo shows an enrolled subject."""
    with service_client(url, api_key) as client:
        found = client.verify_subject(collection, subject, photo, faces=faces, threshold=threshold)
    if as_json:
        print_json(asdict(found))
        return
    verdict = "[green]match[/]" if found.match else "[yellow]no match[/]"
    needed = f"a match needs at least {found.threshold.value:g}"
    print_line(f"{verdict}: similarity {found.similarity:.3f} to {escaped(subject)}; {needed}")
