"""The Dockerfile: what it copies is there, and whatever serves is copied."""

import fnmatch
import json
import re
import tomllib
from pathlib import PurePosixPath

import pytest

from tests.conftest import PROJECT

DOCKERFILE = (PROJECT / "ops" / "docker" / "Dockerfile").read_text("utf-8")
SERVING = ("cpu", "gpu")


def instructions(text: str) -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in joined.splitlines() if line)]


def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, rest in instructions(DOCKERFILE):
        if name == "FROM":
            current = found.setdefault(rest.split(" AS ")[1], [])
        if found:
            current.append((name, rest))
    return found


STAGES = stages()


def base(stage: str) -> str:
    return STAGES[stage][0][1].split(" AS ")[0]


def of(stage: str, instruction: str) -> list[str]:
    """Arguments of an instruction in a stage and those below it."""
    below = of(base(stage), instruction) if base(stage) in STAGES else []
    return below + [rest for name, rest in STAGES[stage] if name == instruction]


def sources() -> set[str]:
    """What is copied from the project."""
    copied = (rest.split() for stage in STAGES.values() for name, rest in stage if name == "COPY")
    return {source for words in copied if not words[0].startswith("--from") for source in words[:-1]}


def ignored(path: str) -> bool:
    """Whether .dockerignore keeps a path from the builder: the last rule that fits it or a folder of it decides."""
    verdict = False
    for rule in (PROJECT / ".dockerignore").read_text("utf-8").splitlines():
        if rule and not rule.startswith("#"):
            pattern = rule.lstrip("!").removeprefix("**/")
            whole = PurePosixPath(path)
            candidates = [str(place) for place in (whole, *whole.parents)] + (
                list(whole.parts) if "**/" in rule else []
            )
            if any(fnmatch.fnmatchcase(candidate, pattern) for candidate in candidates if candidate != "."):
                verdict = not rule.startswith("!")
    return verdict


def test_whatever_is_copied_is_there_and_reaches_the_builder() -> None:
    assert len(sources()) > 10
    for source in sources():
        assert (PROJECT / source).exists(), source
        assert not ignored(source), source


@pytest.mark.parametrize(
    "path",
    [
        "data/gallery/x.lance",
        "data/keys.json",
        ".git/config",
        ".venv/bin/python",
        "tests/conftest.py",
        "ops/compose/service.env",
        "api/__pycache__/app.pyc",
    ],
)
def test_neither_data_nor_secrets_nor_history_reach_the_builder(path: str) -> None:
    assert ignored(path)
    assert not ignored("api/v1/photos.py")


def test_every_room_that_is_installed_is_copied() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    rooms = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert {*rooms, "configs", "pyproject.toml", project["project"]["readme"]} <= sources()


@pytest.mark.parametrize("stage", [*SERVING, "tools"])
def test_an_image_runs_as_nobody_special_and_hands_signals_on(stage: str) -> None:
    assert of(stage, "USER") == ["10001:10001"]
    assert STAGES[stage][-1][0] in {"USER", "CMD"}
    [entry] = of(stage, "ENTRYPOINT")
    assert json.loads(entry) == ["tini", "--", "facegraph"]
    assert json.loads(of(stage, "CMD")[-1])[0] in {"serve", "models"}
    assert any({"tini", "wget", "libegl1", "libgles2"} <= set(run.split()) for run in of(stage, "RUN"))


@pytest.mark.parametrize("stage", SERVING)
def test_an_image_that_serves_says_whether_it_is_healthy(stage: str) -> None:
    [check] = of(stage, "HEALTHCHECK")
    assert "/readyz" in check
    assert of(stage, "EXPOSE") == ["8000"]
    assert of(stage, "STOPSIGNAL") == ["SIGINT"]
    config = json.loads(of(stage, "CMD")[-1])[1]
    assert (PROJECT / config).is_file()


def test_the_base_image_is_pinned_and_the_default_is_for_cpus() -> None:
    [python] = re.findall(r"^ARG PYTHON=(.+)$", DOCKERFILE, re.MULTILINE)
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", python)
    assert {base(stage) for stage in STAGES} <= {"${PYTHON}", "weights-${WEIGHTS}", "scratch", *STAGES}
    assert list(STAGES)[-1] == "cpu"


def test_weights_are_baked_or_mounted() -> None:
    assert re.search(r"^ARG WEIGHTS=mounted$", DOCKERFILE, re.MULTILINE)
    assert {"weights-baked", "weights-mounted", "weights"} <= STAGES.keys()
    for stage in SERVING:
        assert any(copied.startswith("--from=weights ") for copied in of(stage, "COPY"))
        assert any(copied.startswith(f"--from=packages-{stage} ") for copied in of(stage, "COPY"))


def test_no_secret_is_an_argument_or_a_variable() -> None:
    named = [rest for stage in STAGES.values() for name, rest in stage if name in {"ARG", "ENV"}]
    assert not [rest for rest in named if re.search(r"TOKEN|SECRET|PASSWORD|ACCESS_KEY", rest)]
