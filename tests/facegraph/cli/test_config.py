"""`facegraph config` and `facegraph doctor`."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import LimitArgs
from deployments.config import check_config
from facegraph.cli.options import DEFAULT_CONFIG
from facegraph.doctor import Finding, installation
from graphs.flow_settings import FlowSettings
from graphs.settings import AppArgs
from tests.facegraph.cli import Run

VARIABLES = {
    "PORT": "8123",
    "REQUEST_TIMEOUT": "12",
    "MODEL_STORE": "/srv/models",
    "GALLERY_STORAGE_OPTIONS": '{"key": "hush"}',
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", *VARIABLES):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config() -> Any:
    """The default configuration."""
    return yaml.safe_load(DEFAULT_CONFIG.read_text("utf-8"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serve.yaml"


def test_a_valid_configuration_is_described(run: Run) -> None:
    status, out, err = run("config", "check", DEFAULT_CONFIG)
    assert (status, err, out.startswith(f"valid {DEFAULT_CONFIG}: mtcnn is mtcnn, ")) == (0, "", True)


def test_the_output_is_complete_and_can_be_served(run: Run, file: Path, config: Any) -> None:
    del config["applications"][0]["deployments"]
    file.write_text(yaml.safe_dump(config))
    effective = yaml.safe_load(run("config", "render", file)[1])
    assert check_config(effective) == check_config(config)
    [application] = effective["applications"]
    assert set(application["args"]) == set(AppArgs.model_fields)
    assert set(application["args"]["limits"]) == set(LimitArgs.model_fields)
    [ingress] = application["deployments"]
    assert set(ingress["user_config"]) == set(FlowSettings.model_fields)
    assert effective["http_options"] == {"host": "0.0.0.0", "port": 8000}


def test_settings_have_their_origin_and_secrets_are_hidden(
    run: Run, file: Path, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    config["applications"][0]["runtime_env"] = {"env_vars": {"AWS_SECRET_ACCESS_KEY": "hush"}}
    config["http_options"]["ssl_keyfile_password"] = "hush"
    file.write_text(yaml.safe_dump(config))
    _, out, err = run("config", "render", file)
    origins = {line.partition(" # ")[0].strip(): line.partition(" # ")[2].strip() for line in out.splitlines()}
    assert origins["host: 0.0.0.0"] == origins["model: mobilefacenet"] == "file"
    assert origins["port: 8123"] == "environment: PORT"
    assert origins["request_timeout: 12.0"] == "environment: REQUEST_TIMEOUT"
    assert origins["models_dir: /srv/models"] == "environment: MODEL_STORE"
    assert origins["arcface_threshold: null"] == "default"
    assert ("hush" in out + err, out.count("(hidden)")) == (False, 3)
    for place in (
        "http_options.ssl_keyfile_password",
        "applications[0].runtime_env.env_vars.AWS_SECRET_ACCESS_KEY",
        "applications[0].args.gallery.storage_options.key",
    ):
        assert place in err


NO_SERVICE = ("--url", "http://127.0.0.1:1")


def test_each_finding_is_a_line_and_a_problem_is_an_error(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "packages", lambda lock: Finding("warning", "[x] is odd", "type this"))
    monkeypatch.setattr("facegraph.doctor.start.address", lambda *_: Finding("ok", "port"))
    monkeypatch.setattr("facegraph.doctor.start.gallery", lambda *_: Finding("ok", "gallery"))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    status, out, err = run("doctor", *NO_SERVICE)
    assert (status, err) == (0, "")
    assert "warning  [x] is odd; try `type this`\n" in out
    assert {line.split()[0] for line in out.splitlines()} == {"ok", "warning"}
    assert "all files of the model mtcnn are intact" in out
    monkeypatch.setattr(installation, "packages", lambda lock: Finding("problem", "odd", "type this"))
    status, out, _ = run("doctor", *NO_SERVICE, "--json")
    assert status == 1
    assert {"level": "problem", "what": "odd", "command": "type this"} in json.loads(out)


def test_an_invalid_configuration_is_a_problem(run: Run, tmp_path: Path) -> None:
    (tmp_path / "serve.yaml").write_text("applications: [{name: x}]")
    status, out, _ = run("doctor", tmp_path / "serve.yaml", *NO_SERVICE)
    assert status == 1
    assert f"problem  {tmp_path}/serve.yaml is invalid, so its settings were not checked: " in out
