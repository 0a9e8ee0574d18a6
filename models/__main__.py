"""The models command: `python -m models pull | list | verify | ranges`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imaging.decode import Limits
from models.catalogue import card, cards, ranges_path
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.pull import configured_in, pull
from models.store import Store

ROOT = Path(__file__).resolve().parents[1]

app = typer.Typer(help="Fetch, export and check the networks.", no_args_is_help=True, add_completion=False)
console = Console()

Names = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL...", help="Default: all that the configuration uses.")
]
StoreOption = Annotated[Path, typer.Option("--store", envvar="MODEL_STORE", help="Folder of weights and exports.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="The Serve configuration that names the models.")]
MirrorOption = Annotated[
    Path | None, typer.Option("--mirror", envvar="MODEL_MIRROR", help="Folder of weight files to ask first.")
]
DEFAULT_STORE, DEFAULT_CONFIG = ROOT / "data" / "models", ROOT / "configs" / "serve.yaml"


@app.command("pull")
def pull_command(
    names: Names = None,
    store: StoreOption = DEFAULT_STORE,
    config: ConfigOption = DEFAULT_CONFIG,
    mirror: MirrorOption = None,
) -> None:
    """Fetch weights and export them. What is ready already is left alone."""
    pull([card(name) for name in names] if names else configured_in(config), Store(store), mirror, console)


@app.command("list")
def list_command(store: StoreOption = DEFAULT_STORE) -> None:
    """Show the catalogue and what of it is here."""
    table = Table("model", "task", "state", "size", "licence", "what it is", box=None, header_style="bold")
    for entry in cards().values():
        size = str(entry.output_size) if entry.output_size else ""
        table.add_row(entry.name, entry.task, Store(store).state(entry), size, entry.licence, entry.title)
    console.print(table)


@app.command("verify")
def verify_command(
    names: Names = None, store: StoreOption = DEFAULT_STORE, config: ConfigOption = DEFAULT_CONFIG
) -> None:
    """Compare every file of the pulled models with its hash."""
    damaged = []
    for entry in [card(name) for name in names] if names else configured_in(config):
        problems = Store(store).problems(entry)
        damaged += [entry.name] if problems else []
        console.print(
            f"[red]damaged[/] {entry.name}: {', '.join(problems)}" if problems else f"[green]whole[/]   {entry.name}"
        )
    if damaged:
        raise ModelError(f"run `python -m models pull {' '.join(damaged)}` to mend it")


@app.command("ranges")
def ranges_command(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model whose card has an int8 file.")],
    photos: Annotated[Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder of faces.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Measure the ranges of a network's activations, by which its int8 export is made, and keep them beside its card.

    Every second photo counts, so that the others can tell whether the export holds.
    """
    # Only here: ONNX Runtime's quantisation is a second's import.
    from models.int8 import measured, write_ranges

    entry = card(name)
    if not entry.int8:
        raise ModelError(f"{name} has no int8 file")
    floats = Store(store).folder(entry) / entry.exports[0]
    if not floats.is_file():
        raise ModelError(f"{floats} is missing: pull {name}, by a card without int8 as long as it has no ranges")
    detect = PhotoDetector(load_detector(card("mtcnn"), Store(store), "onnx", Device(), {}), Limits())
    found = detect([path.read_bytes() for path in sorted(photos.rglob("*.jpg"))[::2]], entry.crops)
    crops = found.crops[entry.crops[0]]
    if not len(crops):
        raise ModelError(f"no face was found on the photos in {photos}")
    write_ranges(entry, measured(floats, crops))
    console.print(f"ranges of {name} over {len(crops)} faces: {ranges_path(entry)}")


def main() -> None:
    """Run the command; an operator's mistake ends it with one sentence and status 1."""
    try:
        app()
    except ModelError as error:
        Console(stderr=True).print(f"[red]error[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
