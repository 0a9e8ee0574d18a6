"""Checking a Serve configuration, and applying HOST and PORT."""

import copy
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial, reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from deployments.config import check_config, read_config, rendered
from deployments.errors import ConfigError
from graphs import app
from models.pull import configured_in
from project.root import ROOT
from tests.fakes import deployment_of, pull

CONFIGS = ROOT / "configs"
DEFAULT = yaml.safe_load((CONFIGS / "serve.yaml").read_text("utf-8"))
FREE = ("runtime_env", "options", "storage_options", "logging_config", "custom_resources", "stages", "defaults")
"""Tables whose keys are not fixed."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
brief = settings(max_examples=40)


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_configuration_scales_exactly_its_deployments_within_its_machine(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load(file.read_text("utf-8"))
    config["applications"][0]["args"]["models_dir"] = str(pull(tmp_path, *(card.name for card in configured_in(file))))
    [checked] = check_config(config)
    monkeypatch.setattr(app, "_cluster_gpus", lambda: 1.0)
    built = deployment_of(app.build(checked))
    stages = [stage.stage for stage in built.init_kwargs["stages"].values()]
    handles = [stage for stage in stages if not isinstance(stage, partial)]
    deployments = [built, *map(deployment_of, (*handles, *built.init_kwargs["gallery"]))]
    shares = {each.name: each.ray_actor_options for each in deployments}
    most = {
        entry["name"]: entry.get("autoscaling_config", {}).get("max_replicas", 1)
        for entry in config["applications"][0]["deployments"]
    }
    assert most.keys() == shares.keys()
    # Otherwise, Serve's router holds calls back while replicas are idle, or a stage refuses calls of requests on which
    # other stages have already worked.
    places = built.init_kwargs["limits"].max_requests
    for entry in config["applications"][0]["deployments"]:
        assert entry["max_ongoing_requests"] >= places
        assert entry["name"] == "ingress" or entry["max_queued_requests"] > places
    assert sum(share["num_gpus"] for share in shares.values()) <= 0.9 + 1e-9
    if file.stem == "node":
        # 16 cores, one of them for HAProxy, Ray and the controller, and one GPU.
        assert sum(most[name] * share["num_cpus"] for name, share in shares.items()) <= 15
        assert 0.5 < sum(most[name] * share["num_gpus"] for name, share in shares.items()) <= 0.9 + 1e-9


Place = tuple[str | int, ...]


def paths(value: Any, path: Place = ()) -> Iterator[Place]:
    """The paths of all values of a configuration."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(inner, (*path, key))


def at(value: Any, path: Place) -> Any:
    return reduce(getitem, path, value)


def changed(path: Place, value: Any) -> Any:
    """The default configuration with this value at `path`; the value alone without a path."""
    if not path:
        return value
    config = copy.deepcopy(DEFAULT)
    at(config, path[:-1])[path[-1]] = value
    return config


TABLES = [path for path in paths(DEFAULT) if isinstance(at(DEFAULT, path), dict) and not {*path[-1:]} & {*FREE}]


@brief
@given(path=st.sampled_from(TABLES), key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))
def test_unknown_key_is_refused_by_name(path: Place, key: str) -> None:
    # Because of the prefix, Ray has no such key.
    with pytest.raises(ConfigError) as caught:
        check_config(changed((*path, f"zz{key}"), None))
    assert f"zz{key}" in str(caught.value)


@brief
@given(path=st.sampled_from([*paths(DEFAULT)]), value=JSON)
def test_any_value_is_accepted_or_refused(path: Place, value: Any) -> None:
    config = changed(path, value)
    with suppress(ConfigError):
        assert len(check_config(config)) == len(config["applications"])


APPLICATION: Place = ("applications", 0)
ARGS, DEPLOYMENTS = (*APPLICATION, "args"), (*APPLICATION, "deployments")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("grpc_options",), {"prt": 1}, "unknown keys: grpc_options.prt"),
        ((*DEPLOYMENTS, 0, "rout"), 1, "unknown keys: applications[0].ingress.rout"),
        ((*ARGS, "devices"), "cpu", "applications[0].args.devices: Unknown key"),
        (("http_options", "port"), "http", "http_options.port: Input should be"),
        (("applications",), [], "applications is empty, so nothing would be served"),
        ((*DEPLOYMENTS, 1), None, "an entry of deployments is not a mapping"),
        ((*ARGS, "gallery"), {"uri": "a\0b"}, "gallery.uri: "),
        (
            (*APPLICATION, "autoscaling_policy"),
            {"policy": 1},
            "unknown keys: applications[0].autoscaling_policy.policy",
        ),
        (
            (*APPLICATION, "autoscaling_policy", "policy_kwargs"),
            {"dryrun": True},
            "autoscaling_policy.policy_kwargs.dryrun: Unknown key",
        ),
        (
            (*DEPLOYMENTS, 1, "user_config"),
            {"largest_batch": {"cpu": 0}},
            "mtcnn.user_config.largest_batch.cpu: Input",
        ),
        (
            (*DEPLOYMENTS, 0, "user_config"),
            {"thresholds": {"arcfase": 0.4}},
            "ingress.user_config.thresholds: unknown embedder arcfase; available: arcface",
        ),
        (
            (*DEPLOYMENTS, 1, "ray_actor_options"),
            {"num_gpus": 0.5},
            "detector-mtcnn.ray_actor_options would replace the stage's share of the machine: set its cpus",
        ),
        ((*ARGS, "stages", "mtcnn", "model"), "mtccn", "unknown model 'mtccn'; available"),
        ((*ARGS, "stages", "mtcnn"), {"modle": "mtcnn"}, "args.stages.mtcnn.modle: Unknown key"),
        ((*ARGS, "stages", "mtcnn"), "mtcnn", "args.stages.mtcnn: Input should be an object with named fields"),
        ((*DEPLOYMENTS, 1, "name"), "detector-mtccn", "no deployment detector-mtccn; available: ingress, detector-"),
        (
            (*DEPLOYMENTS, 1, "autoscaling_config", "min_replicas"),
            3,
            "applications[0].detector-mtcnn.autoscaling_config: max_replicas (2) must be greater",
        ),
        ((*APPLICATION, "import_path"), "graphs.app:bild", "applications[0].import_path must be graphs.app:build"),
        (
            (*APPLICATION, "autoscaling_policy", "policy_function"),
            "deployments.autoscaling_policy:Policy",
            "policy_function: there is no deployments.autoscaling_policy:Policy; did you mean",
        ),
        ((), None, "the configuration: Input should be an object"),
        ((*DEPLOYMENTS, 1), {}, "applications[0].deployments[1].name: Field required"),
    ],
)
def test_problem_is_named_with_its_place(
    path: Place, value: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not a setting's variable: no setting that reads the environment has this name.
    monkeypatch.setenv("NAME", "shell")
    with pytest.raises(ConfigError) as caught:
        check_config(changed(path, value))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("REQUEST_TIMEOUT", "0", "REQUEST_TIMEOUT: Input should be greater than 0"),
        ("max_requests", "0", "max_requests: Input should be greater than 0"),
        ("GALLERY_EXACT_MB", "many", "GALLERY_EXACT_MB: Input should be a valid"),
        ("THRESHOLDS", "0.4", "THRESHOLDS: Input should be an object"),
        ("GALLERY_STORAGE_OPTIONS", "many", "GALLERY_STORAGE_OPTIONS: the environment variable must be JSON"),
        ("THRESHOLDS", "many", "THRESHOLDS: the environment variable must be JSON"),
        ("THRESHOLDS", '{"arcface": 2}', "THRESHOLDS: Input should be less than"),
        ("THRESHOLDS", '{"arcfase": 0.4}', "THRESHOLDS: unknown embedder arcfase; available: "),
    ],
)
def test_a_problem_of_a_variable_names_it(
    variable: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    # Variables of other programs with the name of a setting are not blamed.
    for other in ("EXACT_MB", "STORAGE_OPTIONS", "GALLERY_REQUEST_TIMEOUT"):
        monkeypatch.setenv(other, "1")
    with pytest.raises(ConfigError, match=f"^{problem}"):
        check_config(DEFAULT)


@pytest.mark.parametrize(
    ("in_variable", "in_file", "named"), [(2, 0.4, "THRESHOLDS"), (0.4, 2, r".*user_config\.thresholds\.arcface")]
)
def test_a_problem_of_a_table_that_both_set_names_the_one_that_has_it(
    in_variable: float, in_file: float, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THRESHOLDS", f'{{"facenet": {in_variable}}}')
    with pytest.raises(ConfigError, match=f"^{named}: Input should be less than"):
        check_config(changed((*DEPLOYMENTS, 0, "user_config"), {"thresholds": {"arcface": in_file}}))


@pytest.mark.parametrize(
    ("host", "port", "options"),
    [
        ("", "", DEFAULT["http_options"]),
        ("127.0.0.1", "9001", {"host": "127.0.0.1", "port": 9001}),
        (None, "9001", {**DEFAULT["http_options"], "port": 9001}),
        ("::1", None, {**DEFAULT["http_options"], "host": "::1"}),
    ],
)
def test_host_and_port_come_from_the_environment(
    clean_environment: None, host: str | None, port: str | None, options: Any
) -> None:
    os.environ.update({name: value for name, value in (("HOST", host), ("PORT", port)) if value is not None})
    before = copy.deepcopy(DEFAULT)
    assert rendered(DEFAULT) == {**DEFAULT, "http_options": options}
    assert before == DEFAULT


def test_only_a_key_that_a_mapping_has_twice_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("base: &B {x: 0}\na: {b: &A {<<: *B, x: 1}}\nc: {<<: *A, 1: y, '1': z}")
    assert read_config(file) == {"base": {"x": 0}, "a": {"b": {"x": 1}}, "c": {"x": 1, 1: "y", "1": "z"}}
    file.write_text("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3")
    with pytest.raises(ConfigError, match=r"^c is repeated .*line 5, column 3"):
        read_config(file)


def test_what_cannot_be_read_or_rendered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (None, b"\xff", b"{"):
        if content:
            (tmp_path / "file").write_bytes(content)
        with pytest.raises(ConfigError):
            read_config(tmp_path / "file")
    documents: tuple[Any, ...] = (None, [], {"http_options": []})
    for document in documents:
        with pytest.raises(ConfigError, match="is not a mapping"):
            rendered(document)
    for port in ("http", " 80"):
        monkeypatch.setenv("PORT", port)
        with pytest.raises(ConfigError, match=f"^PORT is {port!r}, which is not a port$"):
            rendered({})
