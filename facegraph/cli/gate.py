"""`facegraph models gate`: counts the faces that the enrolment gate would reject."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from evaluation.configuration import Configuration
from evaluation.gate import GateCounts, count_reasons
from evaluation.labelled import photos_below
from evaluation.local_stages import face_stage, loaded_detector
from facegraph.cli.evaluation import Detector
from facegraph.cli.models import ConfigOption, StoreOption, store_for
from facegraph.cli.options import DEFAULT_CONFIG, JsonOption
from facegraph.cli.output import CommandError, make_table, print_json, print_line, print_table, tracking
from facegraph.cli.shares import SHARE_COLUMNS, share_cells, share_json
from models.catalogue import card
from models.device import Device
from models.engines import load_network
from models.tasks.eyes import EYES
from models.tasks.pose import POSE


def gate_command(
    photos: Annotated[Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder of photos.")],
    detector: Detector = None,
    config: ConfigOption = DEFAULT_CONFIG,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the faces that the enrolment gate would reject or report, by reason.

    The prominent face of each photo in the folder and its subfolders is judged by the limits in the configuration,
    and by head pose and eyes if the configuration has stages for them.
    """
    configuration = Configuration(config)
    found = photos_below(photos)
    if not found:
        raise CommandError(f"{photos} has no photos")
    finder = card(detector) if detector else configuration.detector
    attributes = [entry for task in (POSE.name, EYES.name) if (entry := configuration.default(task))]
    pulled = store_for(store, config)
    with loaded_detector(finder, pulled) as stage, tracking() as track:
        networks = [face_stage(entry, load_network(entry, pulled, "onnx", Device())) for entry in attributes]
        counts = count_reasons(track(found, "photos"), stage, networks, configuration.settings)
    cards = [finder.name, *(entry.name for entry in attributes)]
    if as_json:
        print_json(_summary(counts, cards))
    else:
        _print(counts, cards)


def _summary(counts: GateCounts, cards: list[str]) -> Mapping[str, object]:
    return {
        "cards": cards,
        "photos": counts.photos,
        "undecoded": counts.undecoded,
        "faceless": counts.faceless,
        "reasons": [
            {"code": each.code, "card": each.card, "refuses": each.refuses, **share_json(each.faces)}
            for each in counts.reasons
        ],
        "refused": counts.refused and share_json(counts.refused),
    }


def _print(counts: GateCounts, cards: list[str]) -> None:
    refused = "".join(f", {code} {count}" for code, count in counts.undecoded.items())
    print_line(f"photos {counts.photos}, faceless {counts.faceless}{refused}")
    print_line(f"networks {', '.join(cards)}")
    table = make_table("reason", "by", "effect", "faces", *SHARE_COLUMNS)
    for each in counts.reasons:
        table.add_row(each.code, each.card, "refuses" if each.refuses else "reports", *share_cells(each.faces))
    if counts.refused:
        table.add_row("any refusing reason", "", "refuses", *share_cells(counts.refused))
    print_table(table)
