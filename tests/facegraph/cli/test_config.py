"""`facegraph config`: checking a configuration, and printing the effective one."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import LimitArgs
from deployments.config import check
from graphs.policy import Policy
from graphs.settings import AppArgs
from project.root import ROOT
from tests.facegraph.cli import Run


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "REQUEST_TIMEOUT", "SIMILARITY_THRESHOLD", "GALLERY_STORAGE_OPTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config() -> Any:
    """The default configuration."""
    return yaml.safe_load((ROOT / "configs" / "serve.yaml").read_text("utf-8"))


@pytest.fixture
def file(tmp_path: Path, config: Any) -> Path:
    path = tmp_path / "serve.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(run: Run, path: Path) -> None:
    status, out, err = run("config", "check", path)
    assert (status, err) == (0, "")
    assert out.startswith(f"valid {path}: mtcnn is mtcnn, ")


@pytest.mark.parametrize("command", ["check", "render"])
def test_an_error_is_one_sentence(run: Run, file: Path, command: str) -> None:
    for text in ("applications: [{import_path: x, rout_prefix: /}]", "["):
        file.write_text(text)
        status, out, err = run("config", command, file)
        assert (status, out, err.count("\n"), "\\n" in err) == (1, "", 1, False)
        assert err.startswith(f"error {file} cannot be served: ")


def test_each_setting_is_printed_with_its_origin(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PORT": "8123", "REQUEST_TIMEOUT": "12", "GALLERY_CLEAN_S": "99"}.items():
        monkeypatch.setenv(name, value)
    lines = [line.partition(" # ") for line in run("config", "render", file)[1].splitlines()]
    origins = {setting.strip(): origin.strip() for setting, _, origin in lines}
    assert origins["host: 0.0.0.0"] == "file"
    assert origins["port: 8123"] == "environment: PORT"
    assert origins["request_timeout: 12.0"] == "environment: REQUEST_TIMEOUT"
    assert origins["clean_s: 99.0"] == "environment: GALLERY_CLEAN_S"
    assert origins["model: mobilefacenet"] == "file"
    assert origins["arcface_threshold: null"] == "default"


def test_the_output_is_complete_and_can_be_served(run: Run, file: Path, config: Any) -> None:
    del config["applications"][0]["deployments"]
    file.write_text(yaml.safe_dump(config))
    effective = yaml.safe_load(run("config", "render", file)[1])
    assert check(effective) == check(config)
    [application] = effective["applications"]
    assert set(application["args"]) == set(AppArgs.model_fields)
    assert set(application["args"]["limits"]) == set(LimitArgs.model_fields)
    [ingress] = application["deployments"]
    assert set(ingress["user_config"]) == set(Policy.model_fields)
    assert effective["http_options"] == {"host": "0.0.0.0", "port": 8000}


def test_secrets_are_hidden(run: Run, file: Path, config: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_STORAGE_OPTIONS", '{"aws_secret_access_key": "hush"}')
    config["applications"][0]["runtime_env"] = {"env_vars": {"AWS_SECRET_ACCESS_KEY": "hush"}}
    config["http_options"]["ssl_keyfile_password"] = "hush"
    file.write_text(yaml.safe_dump(config))
    status, out, err = run("config", "render", file)
    assert (status, "hush" in out + err, out.count("(hidden)")) == (0, False, 3)
    for place in (
        "http_options.ssl_keyfile_password",
        "applications[0].runtime_env.env_vars.AWS_SECRET_ACCESS_KEY",
        "applications[0].args.gallery.storage_options.aws_secret_access_key",
    ):
        assert place in err
