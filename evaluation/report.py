"""The report: one HTML file that needs nothing else, and all its figures in a JSON file beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from evaluation import plots
from evaluation.answers import Answers
from evaluation.comparisons import Comparisons
from evaluation.embedder import Identification, Measured
from evaluation.figures import GRID, Figures, percent, rounded
from evaluation.intervals import Estimate, wilson
from evaluation.liveness import MeasuredLiveness
from models.store import atomic

Section = dict[str, Any]
"""Plain values, as JSON has them, and ``plots``, which the JSON file leaves out."""


def write_report(file: Path, title: str, about: Mapping[str, str], sections: Mapping[str, Section]) -> Path:
    """Write the report to `file`.

    Args:
        about: what was measured, how and when, by what it is called.
        sections: by the names that the template knows.

    Returns:
        the path of the JSON file beside it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"wished": percent, "percent": rounded, "number": "{:.4f}".format}
    text = environment.get_template("report.html").render(title=title, about=about, **sections)
    plain = {name: {key: part for key, part in one.items() if key != "plots"} for name, one in sections.items()}
    beside = file.with_suffix(".json")
    for path, content in ((file, text), (beside, json.dumps({"about": dict(about), **plain}, indent=1) + "\n")):
        with atomic(path) as unfinished:
            unfinished.write_text(content, "utf-8")
    return beside


def acquisition(photos: Sequence[Path], answers: Answers) -> Section:
    """How many photos gave no face, and which."""
    faceless = [str(photo) for photo, answer in zip(photos, answers, strict=True) if np.isnan(answer[0])]
    return {"photos": len(photos), "faceless": faceless, "rate": asdict(wilson(len(faceless), len(photos)))}


def verification(measured: Measured, thresholds: Mapping[str, float]) -> Section:
    """Pairs of photos."""
    comparisons, found = measured.comparisons, measured.verification
    genuine = comparisons.genuine
    scores = {"genuine": comparisons.scores[genuine], "impostor": comparisons.scores[~genuine]}
    return {
        "subjects": measured.subjects,
        "genuine_pairs": int(genuine.sum()),
        "impostor_pairs": int((~genuine).sum()),
        "pairs_without_a_face": {"genuine": comparisons.lost_genuine, "impostor": comparisons.lost_impostor},
        **_figures(found),
        "with_faceless": [_with_faceless(comparisons, found, place) for place in range(len(found.points))],
        "plots": [
            ("ROC", plots.roc(found, "FMR", "FNMR")),
            ("DET", plots.det(found, "FMR", "FNMR")),
            ("Scores", plots.distributions(scores, thresholds, "cosine similarity")),
        ],
    }


def identification(found: Identification) -> Section:
    """Searches among many subjects."""
    searches = found.searches
    return {
        "subjects": searches.gallery,
        "mated_searches": int(searches.mated.sum()),
        "non_mated_searches": len(searches.others),
        "ranks": {str(rank): asdict(estimate) for rank, estimate in found.ranks.items()},
        "cmc": found.cmc.tolist(),
        "open_set": _figures(found.open_set),
        "plots": [("CMC, closed set", plots.cmc(found.cmc)), ("Open set", plots.det(found.open_set, "FPIR", "FNIR"))],
    }


def liveness(measured: MeasuredLiveness, thresholds: Mapping[str, float]) -> Section:
    """Live faces and attacks."""
    return {
        "photos": {species: len(scores) for species, scores in measured.scores.items()},
        "rates": [
            {
                "name": rates.name,
                "threshold": rates.threshold,
                "apcer": {species: asdict(estimate) for species, estimate in rates.apcer.items()},
                "worst": rates.worst,
                "bpcer": asdict(rates.bpcer),
                "acer": rates.acer,
            }
            for rates in measured.rates
        ],
        **_figures(measured.figures),
        "plots": [
            ("ROC, worst species", plots.roc(measured.figures, "APCER", "BPCER")),
            ("DET, worst species", plots.det(measured.figures, "APCER", "BPCER")),
            ("Scores", plots.distributions(measured.scores, thresholds, "live probability")),
        ],
    }


def _figures(found: Figures) -> Section:
    curve = zip(GRID.tolist(), found.curve.fnmr_at(GRID).tolist(), *found.band.tolist(), strict=True)
    return {
        "auc": asdict(found.area),
        "eer": asdict(found.equal_error_rate),
        "points": [asdict(point) for point in found.points],
        "unsupported": list(found.unsupported),
        "curve": [{"rate": rate, "miss": asdict(Estimate(*miss))} for rate, *miss in curve],
    }


def _with_faceless(comparisons: Comparisons, found: Figures, place: int) -> Section:
    point = found.points[place]
    far, frr = comparisons.with_faceless(point.fmr.value, point.fnmr.value)
    return {"name": point.name, "far": far, "frr": frr}
