"""The settings: what is refused, and where a value comes from."""

import base64
import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from access.settings import AccessArgs
from api.settings import AddressArgs, LimitArgs
from deployments.settings import DetectorArgs, StageArgs
from gallery.settings import GalleryArgs
from graphs.batches import LARGEST_PHOTO
from graphs.policy import Policy
from graphs.settings import AppArgs
from imaging.decode import Limits
from project.root import ROOT

ARGS: dict[str, Any] = {
    "detectors": {"mtcnn": {"model": "mtcnn"}},
    "liveness": {"crmnet": {"model": "deep-tree"}},
    "embedders": {"arcface": {"model": "mobilefacenet"}},
}

VARIABLES = [
    (Policy, "similarity_threshold", None, 0.25, 0.75),
    (LimitArgs, "max_image_size", 10485760, 1000, 2000),
    (LimitArgs, "max_image_dimension", 1024, 512, 2048),
    (LimitArgs, "request_timeout", 30, 5, 60),
    (LimitArgs, "max_requests", 64, 8, 16),
    (AddressArgs, "timeout", 5, 1, 10),
    (AddressArgs, "max_redirects", 3, 1, 5),
    (AccessArgs, "rate_limit", 0, 1, 2.5),
    (AccessArgs, "rate_burst", 20, 1, 5),
    (AccessArgs, "forwarded_hops", 0, 1, 2),
]
"""Every variable of the contract: its class, its name, its default, and two other values."""


def variable_of(settings: type[BaseModel], name: str) -> str:
    """The environment variable of a setting."""
    return f"{settings.model_config.get('env_prefix', '')}{name.upper()}"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for settings in (AccessArgs, AddressArgs, LimitArgs, Policy):
        for name in settings.model_fields:
            monkeypatch.delenv(variable_of(settings, name), raising=False)


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (AppArgs, ARGS),
        (StageArgs, {"model": "mtcnn"}),
        (DetectorArgs, {"model": "mtcnn", "options": {"min_face": 40}}),
        (Policy, {}),
        (LimitArgs, {}),
        (AddressArgs, {}),
        (AccessArgs, {}),
    ],
)
def test_an_unknown_key_is_refused(settings: type[BaseModel], values: dict[str, Any]) -> None:
    settings(**values)
    with pytest.raises(ValidationError) as caught:
        settings(**values, treshold=1)
    assert [(problem["type"], problem["loc"]) for problem in caught.value.errors()] == [
        ("extra_forbidden", ("treshold",))
    ]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"detectors": {"mtcnn": {"model": "mtcnn", "cpu": 1}}}, ("detectors", "mtcnn", "cpu")),
        ({"liveness": {"crmnet": {"model": "deep-tree", "options": {}}}}, ("liveness", "crmnet", "options")),
        ({"limits": {"max_image_bytes": 1}}, ("limits", "max_image_bytes")),
        ({"addresses": {"allowed": "8.8.8.8"}}, ("addresses", "allowed")),
        ({"access": {"require_key": True}}, ("access", "require_key")),
    ],
)
def test_an_unknown_key_further_in_is_refused_by_place(changed: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        AppArgs(**{**ARGS, **changed})
    [problem] = caught.value.errors()
    assert (problem["type"], problem["loc"]) == ("extra_forbidden", place)


@pytest.mark.parametrize(("settings", "name", "default", "file", "variable"), VARIABLES)
def test_the_file_comes_before_the_variable_and_the_variable_before_the_default(
    settings: type[BaseModel], name: str, default: float, file: float, variable: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert getattr(settings(), name) == default
    assert getattr(settings(**{name: file}), name) == file
    monkeypatch.setenv(variable_of(settings, name), str(variable))
    assert getattr(settings(), name) == variable
    assert getattr(settings(**{name: file}), name) == file


def test_variables_reach_the_limits_inside_the_args(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_IMAGE_SIZE", "1000")
    monkeypatch.setenv("MAX_IMAGE_DIMENSION", "512")
    assert AppArgs(**ARGS).limits.max_image_size == 1000
    limits = AppArgs(**{**ARGS, "limits": {"max_image_size": 2000}}).limits
    assert (limits.max_image_size, limits.max_image_dimension) == (2000, 512)


@pytest.mark.parametrize(("settings", "name", "default", "file", "variable"), VARIABLES)
@pytest.mark.parametrize("bad", ["", "many", "-1", "nan"])
def test_a_variable_of_no_use_is_refused_by_name(
    settings: type[BaseModel],
    name: str,
    default: float,
    file: float,
    variable: float,
    bad: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(variable_of(settings, name), bad)
    with pytest.raises(ValidationError) as caught:
        settings()
    assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]
    assert getattr(settings(**{name: file}), name) == file


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        (Policy, {"similarity_threshold": 1.1}),
        (Policy, {"liveness_threshold": -0.1}),
        (Policy, {"liveness_policy": "ignore"}),
        (Policy, {"thresholds": {"arcface": 1.01}}),
        (Policy, {"thresholds": {"arcface": -1.01}}),
        (Policy, {"min_side": 0}),
        (Policy, {"min_brightness": -1}),
        (Policy, {"max_brightness": 256}),
        (Policy, {"min_contrast": 256}),
        (LimitArgs, {"max_image_size": 0}),
        (LimitArgs, {"max_image_size": LARGEST_PHOTO + 1}),
        (LimitArgs, {"max_image_pixels": 0}),
        (LimitArgs, {"max_image_dimension": 63}),
        (LimitArgs, {"request_timeout": 0}),
        (LimitArgs, {"max_requests": 0}),
        (AddressArgs, {"addresses": "perhaps"}),
        (AddressArgs, {"timeout": 0}),
        (AddressArgs, {"max_redirects": -1}),
        (AccessArgs, {"require_keys": "perhaps"}),
        (AccessArgs, {"rate_limit": -1}),
        (AccessArgs, {"rate_limit": float("inf")}),
        (AccessArgs, {"rate_burst": 0}),
        (AccessArgs, {"forwarded_hops": -1}),
        (StageArgs, {"model": "mtcnn", "engine": "caffe"}),
        (StageArgs, {"model": "mtcnn", "cpus": 0}),
        (StageArgs, {"model": "mtcnn", "gpus": -0.1}),
        (StageArgs, {"model": "mtcnn", "gpus": 1.5}),
        (StageArgs, {"model": "mtcnn", "gpu_memory_mb": 0}),
        (StageArgs, {}),
        (AppArgs, {**ARGS, "device": "tpu"}),
        (AppArgs, {**ARGS, "ingress_cpus": 0}),
    ],
)
def test_a_bad_value_is_refused(settings: type[BaseModel], values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**values)
    assert len(caught.value.errors()) == 1


@pytest.mark.parametrize(("kind", "role"), [("detectors", "mtcnn"), ("liveness", "crmnet"), ("embedders", "arcface")])
def test_a_missing_role_of_match_is_named(kind: str, role: str) -> None:
    with pytest.raises(ValidationError, match=f"/match needs a stage called {role} here") as caught:
        AppArgs(**{**ARGS, kind: {"another": {"model": "mtcnn"}}})
    assert [problem["loc"] for problem in caught.value.errors()] == [(kind,)]


@pytest.mark.parametrize(
    "settings", [Policy(), LimitArgs(), AddressArgs(), AccessArgs(), StageArgs(model="mtcnn"), AppArgs(**ARGS)]
)
def test_settings_do_not_change(settings: BaseModel) -> None:
    name = next(iter(type(settings).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings, name, getattr(settings, name))


def test_a_threshold_of_a_role_that_is_not_there_is_refused_by_name() -> None:
    policy = Policy(thresholds={"arcface": 0.5, "arcfase": 0.4})
    with pytest.raises(ValueError, match=r"thresholds: no embedder is called arcfase; there are arcface, facenet$"):
        policy.of({"arcface": None, "facenet": None})
    assert policy.of(["arcface", "arcfase"]) is policy


def test_a_relative_folder_of_models_is_below_the_project() -> None:
    assert AppArgs(**ARGS, models_dir="data/other").models_dir == ROOT / "data" / "other"
    assert AppArgs(**ARGS, models_dir="/srv/models").models_dir == Path("/srv/models")
    assert (ROOT / "pyproject.toml").is_file()


def test_the_decode_gate_gets_these_limits() -> None:
    limits = LimitArgs(max_image_size=1, max_image_pixels=2, max_image_dimension=64)
    assert limits.decode == Limits(max_bytes=1, max_pixels=2, max_dimension=64)


def test_two_photos_in_broken_lines_of_base64_fit_into_a_body() -> None:
    size = 1_000_000
    body = json.dumps(dict.fromkeys(["image1", "image2"], base64.encodebytes(bytes(size)).decode()))
    assert len(body) < LimitArgs(max_image_size=size).max_body


def test_addresses_are_fetched_from_any_public_host_by_default() -> None:
    args = AppArgs(**ARGS).addresses
    assert args.addresses is True
    assert args.hosts == frozenset()
    assert args.networks == ()


def test_the_variables_of_addresses_begin_with_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_ADDRESSES", "false")
    monkeypatch.setenv("FETCH_ALLOWED_HOSTS", "photos.example")
    monkeypatch.setenv("FETCH_ALLOWED_NETWORKS", "10.0.0.0/8")
    args = AppArgs(**ARGS).addresses
    assert args.addresses is False
    assert args.hosts == {("photos.example", None)}
    assert args.networks == (ip_network("10.0.0.0/8"),)
    assert AppArgs(**{**ARGS, "addresses": {"allowed_hosts": ""}}).addresses.hosts == frozenset()


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("  ", set()),
        ("Photos.Example", {("photos.example", None)}),
        ("photos.example.", {("photos.example", None)}),
        (" a.example , a.example:8080,b_c:1", {("a.example", None), ("a.example", 8080), ("b_c", 1)}),
        ("127.0.0.1:65535, [::1]:80, [::1]", {("127.0.0.1", 65535), ("::1", 80), ("::1", None)}),
    ],
)
def test_hosts_are_listed_with_or_without_a_port(text: str, hosts: set[tuple[str, int | None]]) -> None:
    assert AddressArgs(allowed_hosts=text).hosts == hosts


@pytest.mark.parametrize(
    "entry",
    ["", "https://photos.example", "photos.example/a", "*.example", "a:0", "a:65536", "a:", "::1", "bücher.example"],
)
def test_a_host_that_is_none_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AddressArgs(allowed_hosts=f"photos.example,{entry}")
    [problem] = caught.value.errors()
    assert problem["loc"] == ("allowed_hosts",)
    assert f"{entry!r} is neither a host nor HOST:PORT" in problem["msg"]


def test_networks_are_listed_and_a_single_address_is_one() -> None:
    args = AddressArgs(allowed_networks="10.0.0.0/8, 127.0.0.1,fd00::/8")
    assert args.networks == tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")))


@pytest.mark.parametrize("entry", ["", "10.0.0.1/8", "10.0.0.0/33", "intranet", "10.0.0.0-10.0.0.9"])
def test_a_network_that_is_none_is_refused_by_name(entry: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AddressArgs(allowed_networks=f"127.0.0.1,{entry}")
    [problem] = caught.value.errors()
    assert problem["loc"] == ("allowed_networks",)
    assert entry in problem["msg"]
    assert problem["type"] == "value_error"


def test_keys_are_needed_where_the_variable_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AppArgs(**ARGS).access.require_keys is False
    monkeypatch.setenv("REQUIRE_KEYS", "true")
    assert AppArgs(**ARGS).access.require_keys is True
    monkeypatch.setenv("REQUIRE_KEYS", "")
    with pytest.raises(ValidationError):
        AppArgs(**ARGS)


def test_the_files_of_access_are_below_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "data" / "keys.json", str(ROOT / "data" / "audit.jsonl"))
    monkeypatch.setenv("KEYS_FILE", "other/keys.json")
    monkeypatch.setenv("AUDIT_LOG", "/var/log/audit.jsonl")
    args = AccessArgs()
    assert (args.keys_file, args.audit_log) == (ROOT / "other" / "keys.json", "/var/log/audit.jsonl")
    monkeypatch.setenv("AUDIT_LOG", "")
    assert AccessArgs().audit_log == ""


def test_the_default_detector_is_one_of_those_that_are_there() -> None:
    with pytest.raises(ValidationError, match="defaults: no detector is called centerface; there are mtcnn"):
        AppArgs(**ARGS, defaults={"detector": "centerface"})


def test_an_empty_address_is_not_the_projects_own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_URI", "")
    assert GalleryArgs().uri == str(ROOT / "data" / "gallery")
    with pytest.raises(ValidationError, match="an empty address"):
        GalleryArgs(uri=" ")


def test_an_empty_file_of_keys_is_the_default_as_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS_FILE", "")
    assert AccessArgs().keys_file == ROOT / "data" / "keys.json"
