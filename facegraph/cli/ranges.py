"""`facegraph models ranges`."""

from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.models import StoreOption
from facegraph.cli.terminal import say, shown
from imaging.decode import Limits
from models.catalogue import card, ranges_path
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.int8 import measured, write_ranges
from models.store import DEFAULT_STORE, Store


def ranges_command(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model whose card has an int8 file.")],
    photos: Annotated[Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder of faces.")],
    store: StoreOption = DEFAULT_STORE,
) -> None:
    """Measure the ranges by which the int8 export of a network is made, and keep them beside its card.

    Every second photo counts, so that the others can tell whether the export holds.
    """
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
    say(f"ranges of {shown(name)} over {len(crops)} faces: {shown(str(ranges_path(entry)))}")
