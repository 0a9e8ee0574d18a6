"""`facegraph models recall`: measures a detector on photos with labelled faces."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from evaluation.detection import MeasuredDetection, measure_detection, read_photos
from facegraph.cli.models import StoreOption, store_for
from facegraph.cli.options import JsonOption, key_values
from facegraph.cli.output import make_table, print_json, print_line, print_table, tracking
from facegraph.cli.shares import SHARE_COLUMNS, share_cells, share_json
from imaging.decode import Limits
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector


def recall_command(
    detector: Annotated[str, typer.Argument(help="Name of the detector's card.")],
    photos: Annotated[
        Path,
        typer.Option("--photos", exists=True, file_okay=False, help="Folder of photos with boxes.csv or noses.json."),
    ],
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="KEY=VALUE", help="Option of the detector, as in the configuration. May be repeated."
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how many labelled and unlabelled faces a detector finds, and its time on one thread.

    boxes.csv has the columns file, left, top, width and height. Each value of any other column is a group that is also
    measured separately. noses.json maps each photo to a list of nose tips (x, y). A labelled face counts as found if a
    detected box overlaps it by at least 0.35 (intersection over union) or contains its nose tip.
    """
    options = {name: _yaml_value(value) for name, value in key_values(option, "--option").items()}
    labelled = read_photos(photos)
    finder = load_detector(card(detector), store_for(store), "onnx", Device(threads=1), options)
    with closing(finder), tracking() as track:
        measured = measure_detection(track(labelled, "photos"), PhotoDetector(finder, Limits()))
    if as_json:
        print_json(_summary(measured))
    else:
        _print(measured)


def _yaml_value(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise typer.BadParameter(f"{text} is not YAML", param_hint="--option") from None


def _summary(measured: MeasuredDetection) -> Mapping[str, object]:
    return {
        "found": {name: share_json(share) for name, share in measured.found.items()},
        "beyond_the_labels": measured.beyond,
        "photos_with_as_many_faces_as_labels": share_json(measured.same_count),
        "photos_all_right": share_json(measured.right),
        "ms": measured.ms,
    }


def _print(measured: MeasuredDetection) -> None:
    table = make_table("labelled faces", "found", *SHARE_COLUMNS)
    for name, share in measured.found.items():
        table.add_row(name, *share_cells(share))
    print_table(table)
    print_line(f"unlabelled faces {measured.beyond}")
    for name, share in (("with the labelled number of faces", measured.same_count), ("without error", measured.right)):
        count, photos, percent, interval = share_cells(share)
        print_line(f"photos {name} {count} of {photos}, {percent} ({interval})")
    print_line(f"{measured.ms:.1f} ms per photo on one thread, without decoding")
