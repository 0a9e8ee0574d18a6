"""Options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from project.root import ROOT

SERVICE, FILES = "The service", "Files"
"""Panels of the help."""

JsonOption = Annotated[bool, typer.Option("--json", help="For a program to read.")]
CollectionOption = Annotated[str, typer.Option("--collection", metavar="NAME", help="In this collection.")]

UrlOption = Annotated[
    str,
    typer.Option("--url", envvar="FACEGRAPH_URL", rich_help_panel=SERVICE, help="Where the running service is."),
]
ApiKeyOption = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="FACEGRAPH_API_KEY",
        rich_help_panel=SERVICE,
        help="Better in the variable: other users of this machine see what a command is given.",
    ),
]
DEFAULT_URL = "http://localhost:8000"

UriOption = Annotated[
    str,
    typer.Option(
        "--uri",
        envvar="GALLERY_URI",
        rich_help_panel=FILES,
        help="The gallery: a folder, or an address such as s3://x/y.",
    ),
]
StorageOption = Annotated[
    list[str] | None,
    typer.Option(
        "--storage-option",
        metavar="KEY=VALUE",
        rich_help_panel=FILES,
        help="For an object store, as LanceDB has them; it reads AWS_... variables by itself. May be repeated.",
    ),
]
DEFAULT_URI = str(ROOT / "data" / "gallery")

ConfigArgument = Annotated[Path, typer.Argument(metavar="[CONFIG]", help="A Serve configuration.")]
DEFAULT_CONFIG = ROOT / "configs" / "serve.yaml"
