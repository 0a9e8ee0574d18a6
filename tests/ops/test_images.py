"""The Dockerfile copies what serving needs, and neither data nor secrets."""

import fnmatch
import json
import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.conftest import PROJECT

DOCKERFILE = (PROJECT / "ops" / "docker" / "Dockerfile").read_text("utf-8")
SERVING = ("cpu", "gpu")
SECRET = re.compile("TOKEN|SECRET|PASSWORD|ACCESS_KEY")


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage with their arguments, without comments."""
    lines = [line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#")]
    found: dict[str, list[tuple[str, str]]] = {}
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            current = found.setdefault(rest.split(" AS ")[1], [])
        if found and name:
            current.append((name, rest))
    return found


STAGES = stages()


def of(stage: str, instruction: str) -> list[str]:
    """Arguments of an instruction in a stage and the stages that it is based on."""
    base = STAGES[stage][0][1].split(" AS ")[0]
    below = of(base, instruction) if base in STAGES else []
    return below + [rest for name, rest in STAGES[stage] if name == instruction]


def sources() -> set[str]:
    """Paths that are copied from the project."""
    copied = (rest.split() for stage in STAGES.values() for name, rest in stage if name == "COPY")
    return {source for words in copied if not words[0].startswith("--from") for source in words[:-1]}


def is_ignored(path: str) -> bool:
    """Whether .dockerignore excludes a path: the last rule that matches it or one of its folders decides."""
    verdict = False
    for rule in (PROJECT / ".dockerignore").read_text("utf-8").splitlines():
        if rule and not rule.startswith("#"):
            pattern, whole = rule.lstrip("!").removeprefix("**/"), PurePosixPath(path)
            candidates = [str(each) for each in (whole, *whole.parents)] + (list(whole.parts) if "**/" in rule else [])
            if any(fnmatch.fnmatchcase(candidate, pattern) for candidate in candidates if candidate != "."):
                verdict = not rule.startswith("!")
    return verdict


def test_every_installed_package_is_copied() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    packages = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert {*packages, "configs", "pyproject.toml", project["project"]["readme"]} <= sources()
    assert [source for source in sources() if not (PROJECT / source).exists() or is_ignored(source)] == []


@pytest.mark.parametrize(
    "path", ["data/gallery/x.lance", "data/keys.json", ".git/config", ".venv/bin/python", "ops/compose/service.env"]
)
def test_data_secrets_and_history_are_not_sent_to_the_builder(path: str) -> None:
    assert is_ignored(path)
    assert not is_ignored("api/v1/photos.py")


@pytest.mark.parametrize("stage", [*SERVING, "tools"])
def test_image_runs_unprivileged_and_forwards_signals(stage: str) -> None:
    assert of(stage, "USER") == ["10001:10001"]
    assert json.loads(of(stage, "ENTRYPOINT")[0]) == ["tini", "--", "facegraph"]
    assert STAGES[stage][-1][0] in {"USER", "CMD"}


@pytest.mark.parametrize("stage", SERVING)
def test_serving_image_has_a_health_check_weights_and_its_packages(stage: str) -> None:
    assert "/readyz" in of(stage, "HEALTHCHECK")[0]
    assert of(stage, "STOPSIGNAL") == ["SIGINT"]
    command, config = json.loads(of(stage, "CMD")[-1])
    assert (command, (PROJECT / config).is_file()) == ("serve", True)
    for source in ("weights", f"packages-{stage}"):
        assert any(copied.startswith(f"--from={source} ") for copied in of(stage, "COPY"))


def test_no_secret_is_an_argument_or_a_variable() -> None:
    assert [
        rest for stage in STAGES for name in ("ARG", "ENV") for rest in of(stage, name) if SECRET.search(rest)
    ] == []
