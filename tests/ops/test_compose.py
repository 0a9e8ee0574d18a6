"""The compose files agree with the image and the project, and expose only the service."""

import re
from typing import Any

import pytest
import yaml

from tests.conftest import PROJECT
from tests.ops.test_images import SECRET, STAGES

FOLDER = PROJECT / "ops" / "compose"
COMPOSE, GPU = (yaml.safe_load((FOLDER / name).read_text("utf-8")) for name in ("compose.yaml", "gpu.yaml"))
SERVICES = COMPOSE["services"]


def by_default(text: str) -> str:
    """`text` with the default of each variable."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_only_the_service_is_reachable_from_other_machines() -> None:
    ports = {name: [by_default(port) for port in service.get("ports", [])] for name, service in SERVICES.items()}
    assert {name for name, each in ports.items() if any(not port.startswith("127.0.0.1:") for port in each)} == {
        "service"
    }
    assert ports["service"] == ["8000:8000"]


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_a_version_and_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert re.fullmatch(r"[^:]+:v?\d+\.\d+\.\d+(-\w+)?", service["image"])
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not [each for each in service.get("environment", {}) if SECRET.search(each)]


@pytest.mark.parametrize("service", [SERVICES["service"], SERVICES["models"], GPU["services"]["service"]])
def test_build_stage_and_configuration_exist(service: Any) -> None:
    assert service["build"]["target"] in STAGES
    assert service["image"].endswith(service["build"]["target"])
    if "dockerfile" in service["build"]:
        assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert (PROJECT / by_default(service["command"][-1])).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_mounted_folders_exist_and_volumes_are_declared(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("."):
            assert (FOLDER / source).is_dir()
            assert volume.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_data_of_the_service_is_on_volumes() -> None:
    [environment] = [rest for name, rest in STAGES["runtime"] if name == "ENV"]
    volumes = {volume.split(":")[1] for volume in SERVICES["service"]["volumes"]}
    assert {"/app/data/models", "/app/data/gallery", "/app/data/access"} <= volumes
    assert {"KEYS_FILE=data/access/", "AUDIT_LOG=data/access/"} <= set(re.findall(r"\w+=data/access/", environment))
