"""Prints the sections of an evaluation report as tables."""

from collections.abc import Mapping

from evaluation.figures import rounded
from evaluation.liveness import ALL, LIVE
from evaluation.report import Section
from facegraph.cli.output import escaped, make_table, print_line, print_table


def print_section(name: str, section: Section) -> None:
    """Print a section of the report."""
    match name:
        case "verification":
            pairs = f"{section['genuine_pairs']} genuine, {section['impostor_pairs']} impostor"
            print_line(f"subjects {section['subjects']}, pairs {pairs}")
            _points(name, section, "FMR", "FNMR")
            print_line(f"AUC {section['auc']['value']:.5f}, EER {_interval(section['eer'])}")
        case "identification":
            _points(name, section["open_set"], "FPIR", "FNIR")
            for rank, estimate in section["ranks"].items():
                print_line(f"rank {rank} {_interval(estimate)}")
        case "lfw":
            _lfw(section)
        case "groups":
            _groups(section)
        case "liveness":
            _liveness(section)


def _liveness(section: Section) -> None:
    for rates in section["rates"]:
        table = make_table(
            f"threshold {rates['threshold']:.4f}, {rates['name']}", "photos", "faceless", "error rate", ""
        )
        for kind, counts in section["kinds"].items():
            rate, estimate = ("BPCER", rates["bpcer"]) if kind == LIVE else ("APCER", rates["apcer"].get(kind))
            table.add_row(
                escaped(f"{rate}, {kind}"),
                str(counts["photos"]),
                str(counts["faceless"]),
                _interval(estimate) if estimate else "",
                "the worst" if kind == rates["worst"] else counts["note"],
            )
        table.add_row(f"APCER, {ALL}", "", "", _interval(rates["apcer"][ALL]), "")
        print_table(table)
    print_line(escaped(section["rule"]))
    auc, worst = section["auc"], section["worst_auc"]
    worst_auc = f", {_number(auc[worst])} {worst}, the worst" if worst != ALL else ""
    print_line(escaped(f"AUC {_number(auc[ALL])} {ALL}{worst_auc}"))
    _points("liveness", section, "APCER", "BPCER")
    print_line(f"EER {_interval(section['eer'])}")


def _lfw(section: Section) -> None:
    table = make_table("fold", "threshold", "accuracy", "false matches", "false non-matches", "faceless")
    for number, fold in enumerate(section["folds"], start=1):
        errors = (fold["false_matches"], fold["false_non_matches"], fold["faceless"])
        table.add_row(str(number), f"{fold['threshold']:.4f}", rounded(fold["accuracy"]), *map(str, errors))
    print_table(table)
    spread = f"standard deviation {rounded(section['deviation'])}, standard error {rounded(section['standard_error'])}"
    print_line(f"accuracy {rounded(section['mean'])}, {spread}")


def _groups(section: Section) -> None:
    gate = section["acquisition"]
    print_line(f"groups: photos {gate['photos']}, faceless {len(gate['faceless'])}, all pairs are impostor pairs")
    print_line(f"FMR at {section['threshold']:.4f}, {section['name']}")
    for name, column in section["columns"].items():
        table = make_table(name, "with", "faces", "pairs", "false matches", "FMR")
        for rate in column["rates"]:
            first, second = rate["groups"]
            faces = " + ".join(str(column["faces"][group]) for group in dict.fromkeys(rate["groups"]))
            fmr = _interval(rate["fmr"]) if rate["fmr"] else ""
            table.add_row(
                escaped(first),
                "itself" if first == second else escaped(second),
                faces,
                f"{rate['pairs']:,}",
                str(rate["false_matches"]),
                fmr,
            )
        print_table(table)


def _points(name: str, curve: Section, rate: str, miss: str) -> None:
    table = make_table(name, "threshold", rate, miss)
    for point in curve["points"]:
        table.add_row(
            point["name"], f"{point['threshold']['value']:.4f}", _interval(point["fmr"]), _interval(point["fnmr"])
        )
    print_table(table)
    for sentence in curve["unsupported"]:
        print_line(sentence)


def _interval(estimate: Mapping[str, float]) -> str:
    return f"{rounded(estimate['value'])} ({rounded(estimate['low'])} to {rounded(estimate['high'])})"


def _number(estimate: Mapping[str, float]) -> str:
    return f"{estimate['value']:.4f} ({estimate['low']:.4f} to {estimate['high']:.4f})"
