"""`facegraph models scale`: fits the scale of an embedder's similarities."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from evaluation.answers import answers
from evaluation.figures import rounded
from evaluation.labelled import photos_in
from evaluation.local_stages import face_stage, loaded_detector
from evaluation.similarity import fit_scale
from facegraph.cli.models import StoreOption, store_for
from facegraph.cli.output import escaped, print_line, tracking
from models.catalogue import card
from models.device import Device
from models.engines import load_network
from models.errors import ModelError
from models.similarity import STATED


def scale_command(
    name: Annotated[str, typer.Argument(metavar="EMBEDDER", help="Name of an embedder's card.")],
    photos: Annotated[
        Path, typer.Option("--photos", exists=True, file_okay=False, help="A folder with one folder per person.")
    ],
    detector: Annotated[str, typer.Option("--detector", help="The detector to use.")] = "centerface",
    store: StoreOption = None,
) -> None:
    """Fit the mapping of an embedder's cosines to similarities from 0 to 100 (docs/rekognition.md)."""
    entry = card(name)
    if entry.task != "embedder":
        raise ModelError(f"{name} is not an embedder")
    paths, pulled = photos_in(photos), store_for(store)
    with loaded_detector(card(detector), pulled) as finder, tracking() as track:
        embedder = face_stage(entry, load_network(entry, pulled, "onnx", Device()))
        embeddings = answers(track(paths, "photos"), finder, embedder)
    found = ~np.isnan(embeddings[:, 0])
    people, subjects = np.unique([path.relative_to(photos).parts[0] for path in paths], return_inverse=True)
    fitted = fit_scale(embeddings[found], subjects[found])
    scale, pairs = fitted.scale, f"{fitted.impostors:,} impostor pairs of {len(people):,} people"
    typer.echo(f"[similarity]\nmidpoint = {scale.midpoint}\nslope = {scale.slope}\nfmr = {list(fitted.fmr)}")
    typer.echo(f'measured_on = "{pairs}, {detector}"')
    for percent, fmr, fnmr in zip(STATED, fitted.fmr, fitted.fnmr, strict=True):
        print_line(escaped(f"{percent}: FMR {rounded(fmr)}, FNMR {rounded(fnmr)} of {fitted.genuines:,} genuine pairs"))
