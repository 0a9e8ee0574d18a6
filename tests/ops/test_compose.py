"""The composition: its files are there, and nobody else on the network reaches more than the service."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT
from tests.ops.test_images import STAGES

FOLDER = PROJECT / "ops" / "compose"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
GPU = yaml.safe_load((FOLDER / "gpu.yaml").read_text("utf-8"))
SERVICES = COMPOSE["services"]


def by_default(text: str) -> str:
    """`text` where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_the_service_is_open_to_all_and_what_watches_it_to_this_machine() -> None:
    ports = {name: [by_default(port) for port in service.get("ports", [])] for name, service in SERVICES.items()}
    assert ports == {
        "service": ["8000:8000"],
        "models": [],
        "prometheus": ["127.0.0.1:9090:9090"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_a_read_only_root_and_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", SERVICES)
def test_images_have_a_version(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert re.fullmatch(r"v?\d+\.\d+\.\d+(-\w+)?", tag)


@pytest.mark.parametrize("service", [SERVICES["service"], SERVICES["models"], GPU["services"]["service"]])
def test_what_is_built_and_what_it_serves_are_there(service: Any) -> None:
    assert service["build"]["target"] in STAGES
    assert service["image"].endswith(service["build"]["target"])
    if "dockerfile" in service["build"]:
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert (PROJECT / by_default(service["command"][-1])).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_folders_that_are_mounted_are_there_and_volumes_are_declared(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (FOLDER / source).is_dir()
            assert volume.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_what_must_outlive_the_service_has_a_volume() -> None:
    [environment] = [rest for name, rest in STAGES["runtime"] if name == "ENV"]
    kept = {volume.split(":")[1] for volume in SERVICES["service"]["volumes"]}
    assert {"/app/data/models", "/app/data/gallery", "/app/data/access"} <= kept
    assert "KEYS_FILE=data/access/" in environment
    assert "AUDIT_LOG=data/access/" in environment


def test_everything_that_stays_has_bounds_and_says_whether_it_is_healthy() -> None:
    for name in ("service", "prometheus", "grafana"):
        assert SERVICES[name]["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
        # The service's is in its image.
        assert "healthcheck" in SERVICES[name] or any(entry[0] == "HEALTHCHECK" for entry in STAGES["runtime"])
    assert SERVICES["models"]["profiles"] == ["tools"]
    assert SERVICES["service"]["shm_size"]


def test_no_secret_stands_in_it() -> None:
    settings = [name for service in SERVICES.values() for name in service.get("environment", {})]
    assert not [name for name in settings if re.search(r"TOKEN|SECRET|PASSWORD|ACCESS_KEY", name)]
