"""The report: a self-contained HTML file, and a JSON file with all its data."""

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
from evaluation.embedder import Identification, MeasuredEmbedder
from evaluation.figures import GRID, Figures, Plan, Point, percent, rounded
from evaluation.groups import Grouped, measure_groups
from evaluation.intervals import Estimate, wilson
from evaluation.liveness import ENOUGH, LIVE, MeasuredLiveness, Probabilities
from project.files import atomic

Section = dict[str, Any]
"""JSON values, and ``plots``, which are left out of the JSON file."""


def write_report(file: Path, title: str, about: Mapping[str, str], sections: Mapping[str, Section]) -> Path:
    """Write the report to `file`.

    Args:
        about: labels and texts that say what was measured, how and when.
        sections: the sections, by the names that the template uses.

    Returns:
        The path of the JSON file next to it.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"requested": percent, "percent": rounded, "number": "{:.4f}".format}
    text = environment.get_template("report.html").render(title=title, about=about, **sections)
    plain = {name: {key: part for key, part in one.items() if key != "plots"} for name, one in sections.items()}
    beside = file.with_suffix(".json")
    for path, content in ((file, text), (beside, json.dumps({"about": dict(about), **plain}, indent=1) + "\n")):
        with atomic(path) as unfinished:
            unfinished.write_text(content, "utf-8")
    return beside


def acquisition(photos: Sequence[Path], answers: Answers) -> Section:
    """The photos without a face."""
    faceless = [str(photo) for photo, answer in zip(photos, answers, strict=True) if np.isnan(answer[0])]
    return {"photos": len(photos), "faceless": faceless, "rate": asdict(wilson(len(faceless), len(photos)))}


def verification(measured: MeasuredEmbedder, thresholds: Mapping[str, float]) -> Section:
    """Verification: pairs of photos."""
    comparisons, found = measured.comparisons, measured.verification
    genuine = comparisons.genuine
    scores = {"genuine": comparisons.scores[genuine], "impostor": comparisons.scores[~genuine]}
    return {
        "subjects": measured.subjects,
        "genuine_pairs": int(genuine.sum()),
        "impostor_pairs": int((~genuine).sum()),
        "pairs_without_a_face": {"genuine": comparisons.lost_genuine, "impostor": comparisons.lost_impostor},
        **_figures(found),
        "with_faceless": [_with_faceless(comparisons, point) for point in found.points],
        "plots": [
            ("ROC", plots.roc(found, "FMR", "FNMR")),
            ("DET", plots.det(found, "FMR", "FNMR")),
            ("Scores", plots.distributions(scores, thresholds, "cosine similarity")),
        ],
    }


def identification(found: Identification) -> Section:
    """Identification: searches among many subjects."""
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


def group_rates(name: str, threshold: float, grouped: Grouped, answers: Answers, plan: Plan) -> Section:
    """False match rates by group, measured at `threshold`, whose name is `name`."""
    columns = measure_groups(grouped, answers, threshold, plan)
    return {
        "name": name,
        "threshold": threshold,
        "acquisition": acquisition(grouped.photos, answers),
        "columns": {column: asdict(measured) for column, measured in columns.items()},
    }


def liveness(measured: MeasuredLiveness, thresholds: Mapping[str, float]) -> Section:
    """Liveness: live faces and attacks."""
    found = measured.probabilities
    return {
        "rule": found.rule,
        "compared": list(found.compared),
        "kinds": {kind: _kind(found, kind, faceless) for kind, faceless in found.faceless.items()},
        "rates": [{**asdict(rates), "acer": rates.acer} for rates in measured.rates],
        **_figures(measured.figures),
        "auc": {kind: asdict(area) for kind, area in measured.areas.items()},
        "worst_auc": measured.worst_area,
        "plots": [
            ("ROC", plots.roc(measured.figures, "APCER", "BPCER")),
            ("DET", plots.det(measured.figures, "APCER", "BPCER")),
            ("Scores", plots.distributions({LIVE: found.live, **found.seen}, thresholds, "live probability")),
        ],
    }


def _kind(found: Probabilities, kind: str, faceless: int) -> Section:
    faces = len(found.live if kind == LIVE else found.attacks[kind])
    enough = kind == LIVE or faces >= ENOUGH
    return {"photos": faces + faceless, "faceless": faceless, "note": "" if enough else "too few photos"}


def _figures(found: Figures) -> Section:
    curve = zip(GRID.tolist(), found.curve.fnmr_at(GRID).tolist(), *found.band.tolist(), strict=True)
    return {
        "auc": asdict(found.area),
        "eer": asdict(found.equal_error_rate),
        "points": [asdict(point) for point in found.points],
        "unsupported": list(found.unsupported),
        "curve": [{"rate": rate, "miss": asdict(Estimate(*miss))} for rate, *miss in curve],
    }


def _with_faceless(comparisons: Comparisons, point: Point) -> Section:
    far, frr = comparisons.with_faceless(point.fmr.value, point.fnmr.value)
    return {"name": point.name, "far": far, "frr": frr}
