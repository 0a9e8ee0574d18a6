"""`facegraph config`: whether a configuration can be served, and what is served by it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import LimitArgs
from deployments.config import check
from graphs.policy import Policy
from graphs.settings import AppArgs
from project.root import ROOT
from tests.facegraph.cli.typing import Run

DEFAULT = ROOT / "configs" / "serve.yaml"


@pytest.fixture(autouse=True)
def _without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "REQUEST_TIMEOUT", "SIMILARITY_THRESHOLD", "GALLERY_STORAGE_OPTIONS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration to change."""
    path = tmp_path / "serve.yaml"
    path.write_text(DEFAULT.read_text("utf-8"))
    return path


def change(file: Path, **changed: Any) -> None:
    """Set keys of the application in `file`, and of its args."""
    config = yaml.safe_load(file.read_text())
    application = config["applications"][0]
    application["args"] |= changed.pop("args", {})
    application |= changed
    file.write_text(yaml.safe_dump(config))


def origins(text: str) -> dict[str, str]:
    """The comment at each line that has one."""
    return {line.partition(" # ")[0].strip(): line.partition(" # ")[2].strip() for line in text.splitlines()}


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_that_is_shipped_is_right(run: Run, path: Path) -> None:
    status, out, err = run("config", "check", path)
    assert (status, err) == (0, "")
    assert out.startswith(f"right {path}: mtcnn is mtcnn, ")


def test_what_is_wrong_is_one_sentence_with_its_place(run: Run, file: Path) -> None:
    change(file, args={"limits": {"max_imag": 1}}, rout_prefix="/")
    status, out, err = run("config", "check", file)
    assert (status, out, err) == (
        1,
        "",
        f"error {file} cannot be served: unknown keys: applications[0].rout_prefix\n",
    )
    assert run("config", "render", file) == (status, out, err)
    file.write_text("[")
    status, _, err = run("config", "check", file)
    assert (status, err.count("\n")) == (1, 1)
    assert "\\n" not in err


def test_what_is_served_is_shown_with_where_it_comes_from(
    run: Run, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.setenv("REQUEST_TIMEOUT", "12")
    monkeypatch.setenv("SIMILARITY_THRESHOLD", "0.5")
    monkeypatch.setenv("GALLERY_CLEAN_S", "99")
    status, out, err = run("config", "render", file)
    assert (status, err) == (0, "")
    said = origins(out)
    assert said["host: 0.0.0.0"] == "file"
    assert said["port: 8123"] == "environment: PORT"
    assert said["request_timeout: 12.0"] == "environment: REQUEST_TIMEOUT"
    assert said["clean_s: 99.0"] == "environment: GALLERY_CLEAN_S"
    assert said["similarity_threshold: 0.5"] == "environment: SIMILARITY_THRESHOLD"
    assert said["model: mobilefacenet"] == "file"
    assert said["max_faces: 10000"] == "default"
    assert said["arcface_threshold: null"] == "default"


def test_what_is_shown_can_be_served_and_says_all(run: Run, file: Path) -> None:
    change(file, deployments=[])
    shown = yaml.safe_load(run("config", "render", file)[1])
    [args] = check(shown)
    [was] = check(yaml.safe_load(file.read_text()))
    assert args == was
    application = shown["applications"][0]
    assert set(application["args"]) == set(AppArgs.model_fields)
    assert set(application["args"]["limits"]) == set(LimitArgs.model_fields)
    [ingress] = application["deployments"]
    assert set(ingress["user_config"]) == set(Policy.model_fields)
    assert shown["http_options"] == {"host": "0.0.0.0", "port": 8000}


def test_secrets_are_never_shown(run: Run, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_STORAGE_OPTIONS", '{"aws_secret_access_key": "hush"}')
    change(file, runtime_env={"env_vars": {"AWS_SECRET_ACCESS_KEY": "hush"}})
    config = yaml.safe_load(file.read_text())
    config["http_options"]["ssl_keyfile_password"] = "hush"
    file.write_text(yaml.safe_dump(config))
    status, out, err = run("config", "render", file)
    assert status == 0
    assert "hush" not in out + err
    assert out.count("(hidden)") == 3
    for place in (
        "http_options.ssl_keyfile_password",
        "applications[0].runtime_env.env_vars.AWS_SECRET_ACCESS_KEY",
        "applications[0].args.gallery.storage_options.aws_secret_access_key",
    ):
        assert place in err
