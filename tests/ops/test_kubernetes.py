"""The manifests: what they say agrees with the code and the configuration, and with itself."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments import transport
from deployments.config import check
from gallery.location import Location
from graphs.settings import AppArgs
from models.catalogue import card, networks_of
from tests.conftest import PROJECT
from tests.ops import embedded

FOLDER = PROJECT / "ops" / "kubernetes"
GPU_MIB = 24 * 1024
CONTEXT_MIB = 512


def documents(folder: Path) -> list[Any]:
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


@pytest.fixture(scope="module")
def args() -> AppArgs:
    """Of the embedded configuration, which `check` lets through."""
    [checked] = check(yaml.safe_load(SERVICE["serveConfigV2"]))
    return checked


def most(name: str) -> int:
    """Replicas of a deployment at its most."""
    [application] = yaml.safe_load(SERVICE["serveConfigV2"])["applications"]
    [entry] = (entry for entry in application["deployments"] if entry["name"] == name)
    return int(entry.get("autoscaling_config", {}).get("max_replicas", 1))


def stages(args: AppArgs) -> Iterator[tuple[str, Any]]:
    for task, kind in (("detector", args.detectors), ("liveness", args.liveness), ("embedder", args.embedders)):
        yield from ((f"{task}-{role}", stage) for role, stage in kind.items())


def test_the_embedded_configuration_is_the_production_configuration() -> None:
    assert embedded.MANIFEST.read_text("utf-8") == embedded.written(), "run `python -m tests.ops.embedded`"
    assert SERVICE["serveConfigV2"] == embedded.CONFIG.read_text("utf-8")


def test_the_embedders_of_production_give_512_numbers(args: AppArgs) -> None:
    assert {card(stage.model).shape for stage in args.embedders.values()} == {(512,)}


def test_the_gallery_is_in_an_object_store(args: AppArgs) -> None:
    assert "uri" not in args.gallery.model_fields_set
    assert Location(ENVIRONMENT["GALLERY_URI"]).folder is None


def test_every_switch_of_the_transport_is_set_before_ray_starts() -> None:
    switches = dict(transport.SWITCHES)
    # The project lies in /app, as the Dockerfile has it.
    script = Path(switches.pop("RAY_SERVE_HAPROXY_BINARY_PATH")).relative_to(PROJECT)
    assert ENVIRONMENT["RAY_SERVE_HAPROXY_BINARY_PATH"] == f"/app/{script}"
    assert {name: ENVIRONMENT.get(name) for name in switches} == switches
    for group in GROUPS.values():
        [container] = group["template"]["spec"]["containers"]
        assert {"configMapRef": {"name": BASE["ConfigMap"]["metadata"]["name"]}} in container["envFrom"]


def test_one_replica_of_each_stage_fits_on_a_gpu_with_its_memory(args: AppArgs) -> None:
    assert sum(stage.gpus for _, stage in stages(args)) == pytest.approx(0.85)
    for name, stage in stages(args):
        networks = sum(len(network.exports) for network in networks_of(card(stage.model)))
        if stage.gpus:
            assert stage.gpus * GPU_MIB >= networks * stage.gpu_memory_mb + CONTEXT_MIB, name


def test_the_groups_have_room_for_every_replica(args: AppArgs) -> None:
    gpu, cpu = GROUPS["gpu"], GROUPS["cpu"]
    on_gpus = [(name, stage) for name, stage in stages(args) if stage.gpus]
    shares = sum(most(name) * stage.gpus for name, stage in on_gpus)
    assert shares == pytest.approx(6.8)
    assert shares <= 0.9 * gpu["maxReplicas"]
    beside_them = sum(most(name) * stage.cpus for name, stage in on_gpus)
    assert beside_them <= gpu["maxReplicas"] * int(gpu["rayStartParams"]["num-cpus"])
    elsewhere = sum(most(name) * stage.cpus for name, stage in stages(args) if not stage.gpus)
    elsewhere += most("ingress") * args.ingress_cpus
    elsewhere += most("gallery-writer") * args.gallery.writer_cpus + most("gallery-reader") * args.gallery.reader_cpus
    assert beside_them + elsewhere == 73
    assert elsewhere <= cpu["maxReplicas"] * int(cpu["rayStartParams"]["num-cpus"])


def test_ray_counts_one_cpu_less_than_a_worker_has() -> None:
    for group in CLUSTER["workerGroupSpecs"]:
        [container] = group["template"]["spec"]["containers"]
        assert int(group["rayStartParams"]["num-cpus"]) == int(container["resources"]["limits"]["cpu"]) - 1
        assert 0 < group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


def test_ray_has_the_version_that_is_locked() -> None:
    assert f"\nray=={CLUSTER['rayVersion']}\n" in (PROJECT / "requirements.lock").read_text("utf-8")


def pods(folder: Path) -> Iterator[Any]:
    for document in documents(folder):
        if document["kind"] == "RayService":
            cluster = document["spec"]["rayClusterConfig"]
            yield from (group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]))
        elif document["kind"] == "Job":
            yield document["spec"]["template"]["spec"]


@pytest.mark.parametrize("folder", ["base", "overlays/mounted-weights"])
def test_pods_have_no_more_rights_than_they_need(folder: str) -> None:
    found = list(pods(FOLDER / folder))
    assert found
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        mounted = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"].keys() == container["resources"]["requests"].keys()
            # What has to be written where the root is read-only.
            assert {"/tmp", "/home/facegraph"} <= {mount["mountPath"] for mount in container["volumeMounts"]}
            assert {mount["name"] for mount in container["volumeMounts"]} <= mounted


def test_images_have_a_version_and_the_overlays_change_them_all() -> None:
    images = {
        container["image"]
        for folder in ("base", "overlays/mounted-weights")
        for pod in pods(FOLDER / folder)
        for container in pod["containers"]
    }
    assert images == {"facegraph:0.1.0-gpu-production", "facegraph-tools:0.1.0"}


def test_only_the_services_port_is_open_to_everybody() -> None:
    [inside, everybody, operator, prometheus] = BASE["NetworkPolicy"]["spec"]["ingress"]
    selected = BASE["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"]
    assert inside == {"from": [{"podSelector": {"matchLabels": selected}}]}
    port = yaml.safe_load(SERVICE["serveConfigV2"])["http_options"]["port"]
    assert everybody == {"ports": [{"protocol": "TCP", "port": port}]}
    assert operator["from"][0]["podSelector"]["matchLabels"] == {"app.kubernetes.io/name": "kuberay-operator"}
    assert prometheus["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "monitoring"}
    assert [rule["ports"] for rule in (operator, prometheus)] == [
        [{"protocol": "TCP", "port": 8265}],
        [{"protocol": "TCP", "port": 8080}],
    ]
    for group in GROUPS.values():
        assert selected.items() <= group["template"]["metadata"]["labels"].items()


def test_a_drain_takes_one_worker_at_a_time() -> None:
    budget = BASE["PodDisruptionBudget"]["spec"]
    assert budget["maxUnavailable"] == 1
    chosen = [
        name
        for name, group in GROUPS.items()
        if budget["selector"]["matchLabels"].items() <= group["template"]["metadata"]["labels"].items()
    ]
    assert chosen == ["gpu", "cpu"]


def test_secrets_are_named_and_never_written() -> None:
    everything = [
        document
        for folder in ("base", "overlays/example", "overlays/mounted-weights")
        for document in documents(FOLDER / folder)
    ]
    assert not [document for document in everything if document["kind"] == "Secret"]
    assert CLUSTER["authOptions"] == {"mode": "token", "secretName": "facegraph-ray"}
    assert ENVIRONMENT["REQUIRE_KEYS"] == "true"
    assert not [name for name in ENVIRONMENT if "SECRET" in name or "TOKEN" in name or "ACCESS_KEY" in name]


@pytest.mark.parametrize("folder", ["base", "overlays/example", "overlays/mounted-weights"])
def test_what_a_kustomization_names_is_there(folder: str) -> None:
    kustomization = yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text("utf-8"))
    assert all((FOLDER / folder / resource).exists() for resource in kustomization["resources"])
    files = {file.name for file in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {resource for resource in kustomization["resources"] if not resource.startswith("..")}
