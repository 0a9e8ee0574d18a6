"""`facegraph models recall`: measuring a detector on photos whose faces are labelled."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from evaluation.detection import MeasuredDetection, Share, measure_detection, read_photos
from facegraph.cli.models import StoreOption
from facegraph.cli.options import JsonOption
from facegraph.cli.terminal import CommandError, console, say, say_json, tracking
from imaging.decode import Limits
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.store import DEFAULT_STORE, Store

DetectorArgument = Annotated[str, typer.Argument(help="The detector's card.")]
PhotosOption = Annotated[
    Path,
    typer.Option("--photos", exists=True, file_okay=False, help="Folder of photos, with boxes.csv or noses.json."),
]
DetectorOption = Annotated[
    list[str] | None,
    typer.Option("--option", metavar="KEY=VALUE", help="An option of the detector, as in a stage. May be repeated."),
]


def recall_command(
    detector: DetectorArgument,
    photos: PhotosOption,
    option: DetectorOption = None,
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Measure which labelled faces a detector finds, which others it reports, and its time on one thread.

    boxes.csv has the columns file, left, top, width and height; the values of any further column are groups that are
    measured by themselves. noses.json has a list of nose tips, x and y, for each photo. A label is found when a box
    overlaps it by at least 0.35 (intersection over union), or holds the nose.
    """
    labelled = read_photos(photos)
    finder = load_detector(card(detector), Store(store), "onnx", Device(threads=1), _options(option or []))
    try:
        with tracking() as track:
            measured = measure_detection(track(labelled, "photos"), PhotoDetector(finder, Limits()))
    finally:
        finder.close()
    if as_json:
        say_json(_summary(measured))
    else:
        _show(measured)


def _options(given: Sequence[str]) -> dict[str, Any]:
    """Options by their names, their values read as a configuration's."""
    options = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals:
            raise CommandError(f"{each} is not KEY=VALUE")
        options[name] = yaml.safe_load(value)
    return options


def _summary(measured: MeasuredDetection) -> Mapping[str, object]:
    return {
        "found": {name: _figures(share) for name, share in measured.found.items()},
        "beyond_the_labels": measured.beyond,
        "photos_with_as_many_faces_as_labels": _figures(measured.same_count),
        "photos_all_right": _figures(measured.right),
        "ms": measured.ms,
    }


def _figures(share: Share) -> Mapping[str, float]:
    return {"count": share.count, "of": share.of, "low": share.estimate.low, "high": share.estimate.high}


def _show(measured: MeasuredDetection) -> None:
    table = Table("labelled faces", "found", "of", "share", "95 % interval", box=None, header_style="bold")
    for name, share in measured.found.items():
        table.add_row(name, str(share.count), str(share.of), _percent(share.estimate.value), _interval(share))
    console.print(table)
    say(f"faces beyond the labels {measured.beyond}")
    for name, share in (("as many faces as labels", measured.same_count), ("all right", measured.right)):
        say(f"photos with {name} {share.count} of {share.of}, {_percent(share.estimate.value)} ({_interval(share)})")
    say(f"{measured.ms:.1f} ms a photo on one thread, decoding not included")


def _interval(share: Share) -> str:
    return f"{_percent(share.estimate.low)} to {_percent(share.estimate.high)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
