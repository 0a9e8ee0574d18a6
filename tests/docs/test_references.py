"""What the documents name exists: files, headings, pictures, settings, codes, figures, commands and options."""

import re
import shlex
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from access.settings import AccessArgs
from api.settings import DownloadArgs, LimitArgs
from evaluation.error_rates import error_rates
from facegraph.cli.lazy import LazyCommand
from facegraph.cli.program import program
from gallery.settings import GalleryArgs
from graphs.flow_settings import FlowSettings
from models.card import Card
from models.catalogue import cards
from project.root import ROOT
from tests.docs.documents import DOCUMENTS, name, prose, shown, spans

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
_NAME = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?)(?:=.*)?")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)

KINDS = ("print-nuaa", "celebaspoof", "other", "replay")
FOREIGN_NAMES = {
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    *("PIP_INDEX_URL", "SCHED_BATCH", "OTEL_EXPORTER_OTLP_HEADERS", "DATABASE_PATH", "MODEL_NAME"),
    *("DEEPFACE_SERVICE_URL", "RAY_AUTH_MODE", "RAY_TMPDIR", "RAY_SERVE_HAPROXY_LOG_TARGET", "RAY_USE_UVLOOP"),
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
    models = (LimitArgs, DownloadArgs, GalleryArgs, AccessArgs, FlowSettings)
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


def test_names_of_settings_and_codes_exist() -> None:
    known, text = settings() | FOREIGN_NAMES, code()
    for document in DOCUMENTS:
        named = {found[1] for span in spans(document) if (found := _NAME.fullmatch(span))}
        assert [each for each in sorted(named - known) if each not in text] == [], name(document)


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


_INNER = r"""(?:"?\$\([^)]*\)"?)"""
_WORD = rf"""(?:{_INNER}|"[^"]*"|'[^']*'|[^\s|;&()<>#"']+)"""
_FACEGRAPH = re.compile(rf"(?:^ *|\$\(|[|;&] *|bin/)facegraph((?: +{_WORD})+)", re.MULTILINE)
_MAKE = re.compile(r"(?:^|[\s(])make ([a-z][a-z-]*)\b", re.MULTILINE)
_MODULE = re.compile(r"python -m ((?:load_tests|tests|supply|facegraph)[\w.]*)")
_OPTION = re.compile(r"--[a-z][a-z-]+")

FOREIGN_OPTIONS = {"load_testing.md", "deployment.md", "http.md"}
"""Documents whose text has options of Locust, Docker or curl."""


def check_options(words: str) -> None:
    """Check that `facegraph` has these words as a command and options. Its help is shown instead of running it."""
    command: Any = program()
    found = CliRunner().invoke(command, [*shlex.split(words), "--help"])
    assert found.exit_code == 0, found.output


def options(command: Any) -> set[str]:
    """All options of a command and of those in it."""
    inner = (
        options(each.load() if isinstance(each, LazyCommand) else each)
        for each in vars(command).get("commands", {}).values()
    )
    return {option for each in command.params for option in each.opts}.union(*inner)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_commands_exist(document: Path) -> None:
    for block in shown(document, "bash"):
        for found in _FACEGRAPH.finditer(block):
            check_options(re.sub(_INNER, "output", found[1]))
    for span in spans(document):
        if command := re.fullmatch(r"(?:\.venv/bin/)?facegraph(?: (.*))?", span):
            check_options(command[1] or "")
    if document.name not in FOREIGN_OPTIONS:
        named = {match[0] for match in map(_OPTION.match, spans(document)) if match}
        assert named <= options(program()) | {"--help", "--version", "--install-completion"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_targets_and_modules_exist(document: Path) -> None:
    text = "\n".join([*shown(document, "bash", ""), *spans(document)])
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(_MAKE.findall(text)) <= targets
    assert [module for module in _MODULE.findall(text) if find_spec(module.rstrip(".")) is None] == []
