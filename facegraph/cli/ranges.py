"""`facegraph models ranges`."""

from pathlib import Path
from typing import Annotated

import typer

from facegraph.cli.models import StoreOption, store_for
from facegraph.cli.output import escaped, print_line, quantity
from imaging.decode import Limits
from models.catalogue import card, ranges_path
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.errors import ModelError
from models.int8 import measure_ranges, write_ranges


def ranges_command(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="A model whose card names an int8 file.")],
    photos: Annotated[Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder of photos (.jpg).")],
    store: StoreOption = None,
) -> None:
    """Measure a model's value ranges for its int8 export, and save them next to its card.

    Only every second photo is used. The others are left for testing the export.
    """
    entry = card(name)
    if not entry.int8:
        raise ModelError(f"{name} has no int8 file")
    pulled = store_for(store)
    floats = pulled.folder(entry) / entry.exports[0]
    if not floats.is_file():
        raise ModelError(f"{floats} is missing: remove int8 from the card of {name}, pull it, and add int8 again")
    detect = PhotoDetector(load_detector(card("mtcnn"), pulled, "onnx", Device(), {}), Limits())
    found = detect([path.read_bytes() for path in sorted(photos.rglob("*.jpg"))[::2]], entry.crops)
    crops = found.crops[entry.crops[0]]
    if not len(crops):
        raise ModelError(f"no face was found in the photos in {photos}")
    write_ranges(entry, measure_ranges(floats, crops))
    print_line(f"ranges of {escaped(name)} from {quantity(len(crops), 'face')}: {escaped(str(ranges_path(entry)))}")
