"""Files, headings, pictures, settings, codes and figures in the documents are those of the project."""

import re
import subprocess
from pathlib import Path

import pytest

from access.settings import AccessArgs
from api.settings import AddressArgs, LimitArgs
from evaluation.error_rates import error_rates
from gallery.settings import GalleryArgs
from graphs.flow_settings import FlowSettings
from models.card import Card
from models.catalogue import cards
from project.root import ROOT
from tests.docs.documents import DOCUMENTS, name, prose, spans

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
_NAME = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?)(?:=.*)?")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

PICTURES = ROOT / "docs" / "pictures"
KINDS = ("print-nuaa", "celebaspoof", "other", "replay")
FOREIGN_NAMES = {
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    *("PIP_INDEX_URL", "SCHED_BATCH", "OTEL_EXPORTER_OTLP_HEADERS", "DATABASE_PATH", "MODEL_NAME"),
    *("DEEPFACE_SERVICE_URL", "RAY_AUTH_MODE", "RAY_TMPDIR", "RAY_SERVE_HAPROXY_LOG_TARGET"),
    *("AWS_ENDPOINT_URL_REKOGNITION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT"),
}
"""Names from pip, Linux, OpenTelemetry, Ray, AWS and the replaced services."""


def targets(document: Path) -> list[str]:
    """Targets of its links and pictures within the project."""
    found = (link or picture for link, picture in _LINK.findall(prose(document)))
    return [target for target in found if "://" not in target and not target.startswith("/")]


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as GitHub writes them."""
    headings = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(prose(document)))
    return {heading.replace(" ", "-") for heading in headings}


def settings() -> set[str]:
    """The environment variables of all settings."""
    models = (LimitArgs, AddressArgs, GalleryArgs, AccessArgs, FlowSettings)
    return {
        f"{model.model_config.get('env_prefix', '')}{field}".upper() for model in models for field in model.model_fields
    }


def code() -> str:
    """The text of all files except documents and tests."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    endings = (".py", ".sh", ".sed", ".toml", ".yaml", ".yml", "Makefile", "Dockerfile")
    paths = [ROOT / line for line in listed.splitlines() if line.endswith(endings) and not line.startswith("tests/")]
    return "\n".join(path.read_text("utf-8") for path in paths if path.is_file())


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_link_targets_exist(document: Path) -> None:
    for target in targets(document):
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        assert there.exists(), f"{target} is not there"
        if anchor:
            assert anchor in anchors(there), f"{target} has no such heading"


def test_pictures_are_used_and_small() -> None:
    pointed = {(document.parent / target).resolve() for document in DOCUMENTS for target in targets(document)}
    pictures = sorted(PICTURES.iterdir())
    assert pictures == sorted(path for path in pointed if path.parent == PICTURES) != []
    for path in pictures:
        assert path.stat().st_size <= 150_000, f"{path.name} is too large"


def test_names_of_settings_and_codes_exist() -> None:
    known, text = settings() | FOREIGN_NAMES, code()
    for document in DOCUMENTS:
        named = {found[1] for span in spans(document) if (found := _NAME.fullmatch(span))}
        assert [each for each in sorted(named - known) if each not in text] == [], name(document)


def test_configuration_explains_every_setting() -> None:
    explained = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    models = (LimitArgs, AccessArgs)
    fields = {field.upper() for model in models for field in model.model_fields}
    assert [field for field in sorted(fields) if f"`{field}`" not in explained] == []


def test_index_lists_every_document() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {(index.parent / target).resolve() for target in targets(index)}
    assert set(DOCUMENTS) - listed - {index, ROOT / "README.md"} == set()


def row(entry: Card) -> str:
    """The line of a liveness card in the table of error rates."""
    stated = entry.threshold("live")
    assert stated.bona_fide
    rates = {rate.name: rate.figure for rate in error_rates(stated.bona_fide, stated.attacks)}
    names = ("BPCER", *(f"APCER {kind}" for kind in KINDS), "APCER of all attacks")
    return f"| `{entry.name}` | {' | '.join(rates[name] for name in names)} |"


def test_error_rates_of_liveness_are_those_of_the_cards() -> None:
    text = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert [entry.name for entry in cards().values() if entry.task == "liveness" and row(entry) not in text] == []
