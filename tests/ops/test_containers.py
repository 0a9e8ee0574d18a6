"""The Dockerfile and the compose files: only what serving needs, no privileges, no secrets, and one open port."""

import json
import re
import tomllib
from typing import Any

import pytest
import yaml

from project.root import ROOT

FOLDER = ROOT / "ops" / "compose"
SECRET = re.compile("TOKEN|SECRET|PASSWORD|ACCESS_KEY")
SERVING = ("cpu", "gpu")

DOCKERFILE = re.sub(r"^#.*\n", "", (ROOT / "ops/docker/Dockerfile").read_text("utf-8"), flags=re.M).replace("\\\n", " ")
STAGES = {
    name: (base, body)
    for base, name, body in re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
}
"""Each stage's base and the lines of its instructions."""

COMPOSE, GPU = (yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in ("compose.yaml", "gpu.yaml"))
SERVICES = COMPOSE["services"]


def of(stage: str, instruction: str) -> list[str]:
    """Arguments of an instruction in a stage and the stages that it is based on."""
    base, body = STAGES[stage]
    below = of(base, instruction) if base in STAGES else []
    return below + re.findall(rf"^{instruction} (.*)$", body, re.M)


def by_default(text: str) -> str:
    """`text` with the default of each variable."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_every_installed_package_is_copied_and_nothing_else_is_sent_to_the_builder() -> None:
    copied = {
        source for words in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.M) for source in words.split()
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = {package.split(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    lists = {"requirements.lock", "supply"}
    assert copied == {*packages, "configs", "pyproject.toml", project["project"]["readme"], "LICENSE", *lists}
    everything, *rules = re.findall(r"^[^#\n].*$", (ROOT / ".dockerignore").read_text("utf-8"), re.M)
    assert everything == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied


@pytest.mark.parametrize("stage", [*SERVING, "tools"])
def test_image_runs_unprivileged_and_forwards_signals(stage: str) -> None:
    assert of(stage, "USER") == ["10001:10001"]
    assert json.loads(of(stage, "ENTRYPOINT")[0]) == ["tini", "--", "facegraph"]
    assert STAGES[stage][1].strip().splitlines()[-1].startswith(("USER ", "CMD "))


@pytest.mark.parametrize("stage", SERVING)
def test_serving_image_has_a_health_check_weights_and_its_packages(stage: str) -> None:
    assert "/readyz" in of(stage, "HEALTHCHECK")[0]
    command, config = json.loads(of(stage, "CMD")[-1])
    assert (command, (ROOT / config).is_file()) == ("serve", True)
    for source in ("weights", f"packages-{stage}"):
        assert any(copied.startswith(f"--from={source} ") for copied in of(stage, "COPY"))


def test_no_secret_is_an_argument_or_a_variable() -> None:
    set_by_images = [rest for stage in STAGES for name in ("ARG", "ENV") for rest in of(stage, name)]
    set_by_compose = [name for service in SERVICES.values() for name in service.get("environment", {})]
    assert [each for each in (*set_by_images, *set_by_compose) if SECRET.search(each)] == []


def test_only_the_service_is_reachable_from_other_machines() -> None:
    ports = {name: [by_default(port) for port in service.get("ports", [])] for name, service in SERVICES.items()}
    assert ports.pop("service") == ["8000:8000"]
    assert [port for each in ports.values() for port in each if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize("service", [*SERVICES.values(), {**SERVICES["service"], **GPU["services"]["service"]}])
def test_containers_have_a_version_no_privileges_and_files_that_exist(service: Any) -> None:
    assert re.fullmatch(r"[^:]+:v?\d+\.\d+\.\d+(-\w+)?", service["image"])
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    for volume in service["volumes"]:
        source = volume.split(":")[0]
        mounted = source.startswith(".")
        assert ((FOLDER / source).is_dir() and volume.endswith(":ro")) if mounted else source in COMPOSE["volumes"]
    if build := service.get("build"):
        assert build["target"] in STAGES
        assert service["image"].endswith(build["target"])
        assert (FOLDER / build.get("context", "../..") / build.get("dockerfile", "ops/docker/Dockerfile")).is_file()
        assert (ROOT / by_default(service["command"][-1])).is_file()


def test_data_of_the_service_is_on_volumes() -> None:
    volumes = {volume.split(":")[1] for volume in SERVICES["service"]["volumes"]}
    assert {"/app/data/models", "/app/data/gallery", "/app/data/access"} <= volumes
    [environment] = of("runtime", "ENV")
    assert re.findall(r"(\w+)=data/access/", environment) == ["KEYS_FILE", "AUDIT_LOG"]
