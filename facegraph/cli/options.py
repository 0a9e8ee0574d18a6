"""Options and arguments shared by several commands."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from project.root import ROOT

SERVICE, FILES = "The service", "Files"
"""Headings in a command's help."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
SimilarityOption = Annotated[
    float | None,
    typer.Option("--threshold", min=-1, max=1, help="Minimum similarity. Default: the collection's, then the model's."),
]
CollectionOption = Annotated[str, typer.Option("--collection", metavar="NAME", help="Name of the collection.")]

UrlOption = Annotated[
    str,
    typer.Option("--url", envvar="FACEGRAPH_URL", rich_help_panel=SERVICE, help="URL of the running service."),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="FACEGRAPH_API_KEY",
        rich_help_panel=SERVICE,
        help="An API key. Prefer the environment variable: other users of this machine can see a command's arguments.",
    ),
]
DEFAULT_URL = "http://localhost:8000"

UriOption = Annotated[
    str,
    typer.Option(
        "--uri",
        envvar="GALLERY_URI",
        rich_help_panel=FILES,
        help="The gallery: a folder, or an object store location such as s3://x/y.",
    ),
]
StorageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        rich_help_panel=FILES,
        help="Object store option of LanceDB, which also reads AWS_... variables. May be repeated.",
    ),
]
DEFAULT_URI = str(ROOT / "data" / "gallery")

ConfigArgument = Annotated[Path, typer.Argument(metavar="[CONFIG]", help="A Serve configuration file.")]
DEFAULT_CONFIG = ROOT / "configs" / "serve.yaml"


def key_values(given: Sequence[str] | None, option: str) -> dict[str, str]:
    """Parse the values ``KEY=VALUE`` of an option that may be repeated. `option` is its name."""
    found = dict[str, str]()
    for each in given or ():
        key, equals, value = each.partition("=")
        if not (key and equals):
            raise typer.BadParameter(f"{each} is not KEY=VALUE", param_hint=option)
        found[key] = value
    return found
