"""`facegraph models evaluate` and `calibrate`: measuring networks on labelled photos."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from evaluation.labelled import PairScores, read_pairs, score_pairs
from evaluation.verification import OperatingPoint, area_under_curve, at_fmr, at_threshold, best
from imaging.decode import Limits
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import Engine, load_detector, load_network
from models.errors import ModelError
from models.store import Store

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_STORE = ROOT / "data" / "models"

console = Console()


def evaluate(
    embedder: Annotated[str, typer.Argument(help="The embedder to measure.")],
    pairs: Annotated[Path, typer.Option("--pairs", exists=True, help="A folder a person, or a CSV of pairs.")],
    detector: Annotated[str, typer.Option("--detector", help="The detector before it.")] = "mtcnn",
    engine: Annotated[Engine, typer.Option("--engine", help="What runs the embedder.")] = "onnx",
    store: Annotated[Path, typer.Option("--store", envvar="MODEL_STORE", help="Folder of the models.")] = DEFAULT_STORE,
) -> None:
    """Measure an embedder on labelled photos: accuracy, AUC, and FNMR at fixed false match rates."""
    entry, device = card(embedder), Device()
    if entry.task != "embedder":
        raise ModelError(f"{embedder} is no embedder")
    detect = PhotoDetector(load_detector(card(detector), Store(store), "onnx", device, {}), Limits())
    scores = score_pairs(read_pairs(pairs), detect, load_network(entry, Store(store), engine, device), entry.crops[0])
    _print_scores(scores, at_threshold(scores.genuine, scores.impostor, entry.threshold("cosine").value))


def _print_scores(scores: PairScores, own: OperatingPoint) -> None:
    genuine, impostor = scores.genuine, scores.impostor
    console.print(
        f"photos {scores.photos}, faceless {len(scores.faceless)}; "
        f"pairs {len(genuine)} genuine, {len(impostor)} impostor"
    )
    console.print(f"AUC {area_under_curve(genuine, impostor):.5f}")
    table = Table("operating point", "threshold", "balanced accuracy", "FMR", "FNMR", box=None, header_style="bold")
    points = {
        "the card's": own,
        "best": best(genuine, impostor),
        "FMR 1e-2": at_fmr(genuine, impostor, 1e-2),
        "FMR 1e-3": at_fmr(genuine, impostor, 1e-3),
    }
    for name, point in points.items():
        table.add_row(
            name, f"{point.threshold:.4f}", f"{point.balanced_accuracy:.4f}", f"{point.fmr:.5f}", f"{point.fnmr:.5f}"
        )
    console.print(table)
