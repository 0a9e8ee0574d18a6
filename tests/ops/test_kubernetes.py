"""The manifests agree with the code, the configuration and one another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments import transport
from deployments.config import check_config
from gallery.location import Location
from graphs.settings import AppArgs
from models.catalogue import card, networks_of
from project.root import ROOT
from tests.ops import embedded
from tests.ops.test_containers import SECRET

FOLDER = ROOT / "ops" / "kubernetes"
GPU_MIB = 24 * 1024
CONTEXT_MIB = 512


def documents(folder: Path) -> list[Any]:
    """The manifests in a folder."""
    return [
        document
        for file in sorted(folder.glob("*.yaml"))
        if file.name != "kustomization.yaml"
        for document in yaml.safe_load_all(file.read_text("utf-8"))
    ]


BASE = {document["kind"]: document for document in documents(FOLDER / "base")}
SERVICE = BASE["RayService"]["spec"]
CLUSTER = SERVICE["rayClusterConfig"]
GROUPS = {"head": CLUSTER["headGroupSpec"], **{group["groupName"]: group for group in CLUSTER["workerGroupSpecs"]}}
ENVIRONMENT = BASE["ConfigMap"]["data"]


CONFIG = yaml.safe_load(SERVICE["serveConfigV2"])
REPLICAS = {
    entry["name"]: entry.get("autoscaling_config", {}).get("max_replicas", 1)
    for entry in CONFIG["applications"][0]["deployments"]
}
"""The largest number of replicas of each deployment."""


@pytest.fixture(scope="module")
def args() -> AppArgs:
    """Arguments of the embedded configuration, checked."""
    [checked] = check_config(CONFIG)
    return checked


def pods(folder: Path) -> Iterator[Any]:
    """The pod specifications in a folder."""
    for document in documents(folder):
        if document["kind"] == "RayService":
            cluster = document["spec"]["rayClusterConfig"]
            yield from (group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]))
        elif document["kind"] == "Job":
            yield document["spec"]["template"]["spec"]


def test_production_configuration_is_embedded() -> None:
    assert embedded.MANIFEST.read_text("utf-8") == embedded.written(), "run `python -m tests.ops.embedded`"


def test_gallery_is_in_an_object_store(args: AppArgs) -> None:
    assert "uri" not in args.gallery.model_fields_set
    assert Location(ENVIRONMENT["GALLERY_URI"]).folder is None


def test_every_pod_has_the_transports_variables() -> None:
    switches = dict(transport.SWITCHES)
    # The image has the project in /app.
    script = Path(switches.pop("RAY_SERVE_HAPROXY_BINARY_PATH")).relative_to(ROOT)
    assert ENVIRONMENT["RAY_SERVE_HAPROXY_BINARY_PATH"] == f"/app/{script}"
    assert {name: ENVIRONMENT.get(name) for name in switches} == switches
    for group in GROUPS.values():
        [container] = group["template"]["spec"]["containers"]
        assert {"configMapRef": {"name": BASE["ConfigMap"]["metadata"]["name"]}} in container["envFrom"]


def test_one_replica_of_each_stage_fits_on_one_gpu(args: AppArgs) -> None:
    assert sum(stage.gpus for stage in args.stages.values()) <= 1
    for role, stage in args.stages.items():
        networks = sum(len(network.exports) for network in networks_of(card(stage.model)))
        if stage.gpus:
            assert stage.gpus * GPU_MIB >= networks * stage.gpu_memory_mb + CONTEXT_MIB, role


def test_worker_groups_have_room_for_every_replica(args: AppArgs) -> None:
    gpu, cpu = GROUPS["gpu"], GROUPS["cpu"]
    gpus, beside_gpus, elsewhere = 0.0, 0.0, REPLICAS["ingress"] * args.ingress_cpus
    elsewhere += REPLICAS["gallery-writer"] * args.gallery.writer_cpus
    elsewhere += REPLICAS["gallery-reader"] * args.gallery.reader_cpus
    for role, stage in args.stages.items():
        replicas = REPLICAS[f"{stage.card.task}-{role}"]
        gpus += replicas * stage.gpus
        beside_gpus += replicas * stage.cpus if stage.gpus else 0
        elsewhere += 0 if stage.gpus else replicas * stage.cpus
    assert gpus <= 0.9 * gpu["maxReplicas"]
    assert beside_gpus <= gpu["maxReplicas"] * int(gpu["rayStartParams"]["num-cpus"])
    assert elsewhere <= cpu["maxReplicas"] * int(cpu["rayStartParams"]["num-cpus"])
    for group in (gpu, cpu):
        [container] = group["template"]["spec"]["containers"]
        # One CPU is left to Ray's own processes.
        assert int(group["rayStartParams"]["num-cpus"]) == int(container["resources"]["limits"]["cpu"]) - 1
        assert 0 < group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_version_is_the_locked_one() -> None:
    assert f"\nray=={CLUSTER['rayVersion']}\n" in (ROOT / "requirements.lock").read_text("utf-8")


@pytest.mark.parametrize("folder", ["base", "overlays/mounted-weights"])
def test_pods_run_unprivileged_with_a_read_only_root(folder: str) -> None:
    found = list(pods(FOLDER / folder))
    assert found
    for pod in found:
        assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, 10001)
        for container in pod["containers"]:
            security, mounts = container["securityContext"], container["volumeMounts"]
            assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"]) == (False, True)
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert {"/tmp", "/home/facegraph"} <= {mount["mountPath"] for mount in mounts}
            assert {mount["name"] for mount in mounts} <= {volume["name"] for volume in pod["volumes"]}
            assert container["image"] in {"facegraph:0.1.0-gpu-production", "facegraph-tools:0.1.0"}


def test_only_the_port_of_the_service_is_open_and_keys_are_required() -> None:
    [inside, everybody, *named] = BASE["NetworkPolicy"]["spec"]["ingress"]
    assert (CLUSTER["authOptions"]["mode"], ENVIRONMENT["REQUIRE_KEYS"]) == ("token", "true")
    selected = BASE["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert inside == {"from": [{"podSelector": {"matchLabels": selected}}]}
    assert everybody == {"ports": [{"protocol": "TCP", "port": CONFIG["http_options"]["port"]}]}
    assert [(len(rule["from"]), [each["port"] for each in rule["ports"]]) for rule in named] == [
        (1, [8265]),
        (1, [8080]),
    ]
    for group in GROUPS.values():
        assert selected.items() <= group["template"]["metadata"]["labels"].items()


@pytest.mark.parametrize("folder", ["base", "overlays/example", "overlays/mounted-weights"])
def test_kustomization_lists_every_file_and_no_secret(folder: str) -> None:
    listed = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert all((FOLDER / folder / resource).exists() for resource in listed)
    files = {file.name for file in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {resource for resource in listed if not resource.startswith("..")}
    assert not [document for document in documents(FOLDER / folder) if document["kind"] == "Secret"]
    assert not [name for name in ENVIRONMENT if SECRET.search(name)]
