"""Checking a Serve configuration before it is served."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.config import check, read, rendered
from deployments.errors import ConfigError
from graphs import app
from graphs.settings import AppArgs
from models.pull import configured_in
from project.root import ROOT
from tests.fakes import deployment_of, pull

DEFAULT = ROOT / "configs" / "serve.yaml"
PRODUCTION = ROOT / "configs" / "production.yaml"
NODE = ROOT / "configs" / "node.yaml"

Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The default configuration, with a store in which its models are ready."""
    names = {card.name for card in configured_in(DEFAULT)}
    config = yaml.safe_load(DEFAULT.read_text("utf-8"))
    config["applications"][0]["args"]["models_dir"] = str(pull(tmp_path_factory.mktemp("models"), *names))
    return config


@pytest.fixture
def config(whole: Any) -> Any:
    """A copy of the default configuration, to be spoiled."""
    return copy.deepcopy(whole)


def args(config: Any) -> Any:
    return config["applications"][0]["args"]


def ingress(config: Any) -> Any:
    return config["applications"][0]["deployments"][0]


def test_the_default_configuration_can_be_served(config: Any) -> None:
    check(config)


def test_the_production_configuration_is_known_whole(tmp_path: Path) -> None:
    """Every key and every card of it; its models are of another network than the tests'."""
    config = yaml.safe_load(PRODUCTION.read_text("utf-8"))
    args(config)["models_dir"] = str(pull(tmp_path, *(card.name for card in configured_in(PRODUCTION))))
    check(config)
    shares = [stage["gpus"] for stage in args(config)["stages"].values()]
    assert sum(shares) <= 0.9


def test_a_node_of_16_cores_and_a_gpu_has_room_for_every_replica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_cluster_gpus", lambda: 1.0)
    config = yaml.safe_load(NODE.read_text("utf-8"))
    args(config)["models_dir"] = str(pull(tmp_path, *(card.name for card in configured_in(NODE))))
    [checked] = check(config)
    built = deployment_of(app.build(checked))
    stages = [stage.stage for stage in built.init_kwargs["stages"].values()]
    shares = {
        deployment.name: deployment.ray_actor_options
        for deployment in (built, *map(deployment_of, (*stages, *built.init_kwargs["gallery"])))
    }
    most = {
        entry["name"]: entry.get("autoscaling_config", {}).get("max_replicas", 1)
        for entry in config["applications"][0]["deployments"]
    }
    assert most.keys() == shares.keys()
    assert sum(most[name] * share["num_cpus"] for name, share in shares.items()) <= 15
    assert 0.5 < sum(most[name] * share["num_gpus"] for name, share in shares.items()) <= 0.9 + 1e-9


def test_the_default_configuration_scales_every_deployment_and_no_other(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_cluster_gpus", lambda: 0.0)
    built = deployment_of(app.build(AppArgs.model_validate(args(config))))
    stages = [*built.init_kwargs["stages"].values()]
    handles = [*(stage.stage for stage in stages), *built.init_kwargs["gallery"]]
    names = [built.name, *(deployment_of(handle).name for handle in handles)]
    assert sorted(entry["name"] for entry in config["applications"][0]["deployments"]) == sorted(names)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda config: config.update(proxy="EveryNode"), "proxy"),
        (lambda config: config["http_options"].update(prot=1), "http_options.prot"),
        (lambda config: config["applications"][0].update(arguments={}), "applications[0].arguments"),
        (lambda config: ingress(config).update(replicas=2), "applications[0].ingress.replicas"),
        (
            lambda config: ingress(config)["autoscaling_config"].update(maximum=2),
            "applications[0].ingress.autoscaling_config.maximum",
        ),
        (lambda config: config.update(grpc_options={"prt": 1}), "grpc_options.prt"),
        (
            lambda config: ingress(config).update(request_router_config={"choice": 1}),
            "applications[0].ingress.request_router_config.choice",
        ),
    ],
)
def test_a_key_that_serve_would_drop_is_refused_by_place(config: Any, change: Change, place: str) -> None:
    change(config)
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert str(caught.value) == f"unknown keys: {place}"


def test_all_unknown_keys_are_named_at_once(config: Any) -> None:
    config["proxy"] = ingress(config)["replicas"] = 1
    with pytest.raises(ConfigError, match=r"^unknown keys: proxy, applications\[0\]\.ingress\.replicas$"):
        check(config)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (lambda config: args(config).update(devices="cpu"), "devices: Extra inputs are not permitted"),
        (lambda config: args(config)["stages"]["mtcnn"].update(cpu=1), "stages.mtcnn.cpu: Extra inputs"),
        (lambda config: args(config).update(limits={"max_size": 1}), "limits.max_size: Extra inputs"),
        (lambda config: args(config)["stages"]["crmnet"].update(cpus=0), "stages.crmnet.cpus: Input should be"),
        (lambda config: args(config).pop("stages"), "stages: Field required"),
        (lambda config: config["http_options"].update(port="http"), "http_options.port: Input should be"),
        (lambda config: config.pop("applications"), "applications: Field required"),
        (lambda config: ingress(config).update(max_ongoing_requests=0), "applications.0.deployments.0.max_ongoing"),
    ],
)
def test_what_a_schema_does_not_allow_is_refused_by_place(config: Any, change: Change, place: str) -> None:
    change(config)
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ({"treshold": 0.5}, "treshold"),
        ({"similarity_threshold": 2}, "similarity_threshold"),
        ({"thresholds": {"arcface": 2}}, r"user_config\.thresholds\.arcface"),
        (
            {"thresholds": {"arcfase": 0.4}},
            r"user_config\.thresholds: no embedder is called arcfase; there are arcface",
        ),
    ],
)
def test_a_policy_that_the_ingress_would_refuse_is_refused_here(
    config: Any, policy: dict[str, Any], place: str
) -> None:
    ingress(config)["user_config"] = policy
    with pytest.raises(ConfigError, match=place):
        check(config)


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config.update(http_options=None),
        lambda config: config.update(applications=None),
        lambda config: config["applications"].clear(),
        lambda config: config["applications"].append("facegraph"),
        lambda config: args(config).update(gallery={"uri": "a\0b"}),
        lambda config: config["applications"][0].update(deployments=None),
    ],
    ids=["http_options", "applications", "no application", "an application", "gallery", "deployments"],
)
def test_a_section_of_a_wrong_kind_is_refused_in_words(config: Any, change: Change) -> None:
    change(config)
    with pytest.raises(ConfigError):
        check(config)


@pytest.mark.parametrize("config_file", ["", "[]", "text"])
def test_a_file_that_is_no_configuration_is_refused_in_words(config_file: str) -> None:
    with pytest.raises(ConfigError):
        check(yaml.safe_load(config_file))


@pytest.fixture
def _no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOST", raising=False)
    monkeypatch.delenv("PORT", raising=False)


@pytest.mark.usefixtures("_no_address")
def test_without_variables_the_configuration_stays_as_it_is(config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(config) == config
    monkeypatch.setenv("HOST", "")
    monkeypatch.setenv("PORT", "")
    assert rendered(config) == config


@pytest.mark.usefixtures("_no_address")
def test_host_and_port_come_from_the_environment(whole: Any, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "127.0.0.1")
    monkeypatch.setenv("PORT", "9001")
    found = rendered(config)
    assert found["http_options"] == {"host": "127.0.0.1", "port": 9001}
    assert found["applications"] == config["applications"]
    assert config == whole
    check(found)
    del config["http_options"]
    assert rendered(config)["http_options"] == {"host": "127.0.0.1", "port": 9001}


@pytest.mark.usefixtures("_no_address")
def test_either_variable_can_come_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    config = {"http_options": {"host": "0.0.0.0", "port": 8000, "request_timeout_s": 60}}
    monkeypatch.setenv("PORT", "9001")
    assert rendered(config)["http_options"] == {"host": "0.0.0.0", "port": 9001, "request_timeout_s": 60}
    monkeypatch.delenv("PORT")
    monkeypatch.setenv("HOST", "::1")
    assert rendered(config)["http_options"] == {"host": "::1", "port": 8000, "request_timeout_s": 60}


@pytest.mark.usefixtures("_no_address")
@pytest.mark.parametrize("port", ["http", "-1", "0", "80.5", " 80", "²", "65536"])
def test_a_port_of_no_use_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", port)
    with pytest.raises(ConfigError) as caught:
        rendered({})
    assert f"PORT is {port!r}" in str(caught.value)


@pytest.mark.parametrize("document", [None, [], "text", {"http_options": None}, {"http_options": []}])
def test_a_document_without_a_place_for_them_is_refused(document: Any) -> None:
    with pytest.raises(ConfigError, match="is not a table"):
        rendered(document)


def test_actor_options_that_would_replace_a_stages_share_are_refused(config: Any) -> None:
    config["applications"][0]["deployments"][1]["ray_actor_options"] = {"num_gpus": 0.5}
    with pytest.raises(ConfigError, match=r"detector-mtcnn\.ray_actor_options would replace .* in args"):
        check(config)


def test_a_model_that_the_catalogue_does_not_have_is_refused(config: Any) -> None:
    args(config)["stages"]["mtcnn"]["model"] = "mtccn"
    with pytest.raises(ConfigError, match=r"^no model is called 'mtccn'; the catalogue has "):
        check(config)


def test_a_file_that_cannot_be_read_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff")
    (tmp_path / "text").write_text("{")
    for path in (tmp_path / "nowhere", tmp_path / "bytes", tmp_path / "text"):
        with pytest.raises(ConfigError):
            read(path)
