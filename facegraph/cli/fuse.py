"""`facegraph models fuse`: finds a liveness card's operating point and fits a fusion's weights."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from evaluation.answers import answers
from evaluation.error_rates import error_rates
from evaluation.figures import percent
from evaluation.fusion import FOLDS, Fit, check_enough, counted, cross_validated, fit
from evaluation.liveness import LIVE, read_presentations
from evaluation.local_stages import face_stage, loaded_detector
from facegraph.cli.models import StoreOption, store_for
from facegraph.cli.output import escaped, print_line, tracking
from models.card import Attack, BonaFide, Card
from models.catalogue import card
from models.device import Device
from models.engines import load_members
from models.errors import ModelError

SEED = 0


def fuse_command(
    name: Annotated[str, typer.Argument(metavar="CARD", help="Name of a liveness card, which may be a fusion.")],
    photos: Annotated[
        Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder with live/ and spoof/KIND/.")
    ],
    bpcer: Annotated[
        float, typer.Option("--bpcer", min=0, max=0.5, help="Fraction of live photos that may be rejected.")
    ] = 0.05,
    store: StoreOption = None,
) -> None:
    """Find the operating point of a liveness card and, for a fusion, fit its weights."""
    entry = card(name)
    if entry.task != "liveness":
        raise ModelError(f"{name} is not a liveness model")
    presentations = read_presentations(photos)
    pulled = store_for(store)
    with loaded_detector(card("mtcnn"), pulled) as finder, tracking() as track:
        members = face_stage(entry, load_members(entry, pulled, "onnx", Device()))
        logits = answers(track(presentations.photos, "photos"), finder, members)
    found = ~np.isnan(logits[:, 0])
    logits, kinds = logits[found], [each for each, here in zip(presentations.kinds, found, strict=True) if here]
    check_enough(kinds)
    live = np.array(kinds) == LIVE
    fitted = fit(logits, live, bpcer)
    print_line(f"photos {len(found)}, faceless {int(np.sum(~found))}, BPCER at most {percent(bpcer)}; for the card:")
    bona_fide, attacks = counted(fitted.live(logits), kinds)
    for line in _card_lines(entry, fitted, bona_fide, attacks):
        typer.echo(line)
    held_out = counted(cross_validated(logits, live, bpcer, SEED), kinds)
    for title, counts in (("on these photos", (bona_fide, attacks)), (f"held out, {FOLDS} folds", held_out)):
        for rate in error_rates(*counts):
            print_line(escaped(f"{title}: {rate}"))


def _card_lines(entry: Card, fitted: Fit, bona_fide: BonaFide, attacks: Sequence[Attack]) -> Iterator[str]:
    """Yield the fitted parameters and the measured counts as TOML for the card."""
    yield "[output]"
    yield f"shift = {fitted.shift}"
    if entry.fusion:
        yield "[fusion]"
        yield f"weights = [{', '.join(map(str, fitted.weights))}]"
        yield f"bias = {fitted.bias}"
    yield "[[thresholds]]"
    yield f"bona_fide = {{ photos = {bona_fide.photos}, rejected = {bona_fide.rejected} }}"
    yield "attacks = ["
    for attack in attacks:
        yield f'    {{ kind = "{attack.kind}", photos = {attack.photos}, passed = {attack.passed} }},'
    yield "]"
