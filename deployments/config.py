"""Checking a Serve configuration before it is served, and fitting it to the environment."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import DeploymentSchema, HTTPOptionsSchema, ServeApplicationSchema, ServeDeploySchema

from deployments.errors import ConfigError
from graphs.settings import AppArgs, Policy

Schema = TypeVar("Schema", bound=BaseModel)


def read(path: Path) -> Any:
    """What the YAML of a file says.

    Raises:
        ConfigError: the file cannot be read, or is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(str(error)) from error


def check(config: Any) -> list[AppArgs]:
    """Check a whole Serve configuration.

    Returns:
        The arguments of its applications.

    Raises:
        ConfigError: it has keys that nobody knows, or values that its schema does not allow.
    """
    _valid(ServeDeploySchema, config, "")
    if unknown := list(_unknown(config)):
        raise ConfigError(f"unknown keys: {', '.join(unknown)}")
    checked = []
    for number, application in enumerate(config["applications"]):
        place = f"applications[{number}]."
        checked.append(_valid(AppArgs, application.get("args", {}), f"{place}args."))
        for deployment in application.get("deployments", []):
            if "ray_actor_options" in deployment:
                raise ConfigError(
                    f"{place}{deployment['name']}.ray_actor_options would replace the stage's share of the machine: "
                    "set its cpus and gpus in args"
                )
            if deployment["name"] == "ingress":
                _check_policy(deployment.get("user_config") or {}, checked[-1], f"{place}ingress.user_config.")
    return checked


def _check_policy(user_config: Any, args: AppArgs, place: str) -> None:
    policy = _valid(Policy, user_config, place)
    try:
        policy.of(args.embedders)
    except ValueError as error:
        raise ConfigError(f"{place}{error}") from error


def _valid(schema: type[Schema], entry: Any, place: str) -> Schema:
    try:
        return schema.model_validate(entry)
    except ValidationError as error:
        problem = error.errors()[0]
        inner = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{place}{inner}: {problem['msg']}") from error
    except AttributeError as error:
        # Ray's own validator of deployments takes for granted that each is a table.
        raise ConfigError(f"{place}applications: an entry of deployments is no table") from error
    except SettingsError as error:
        # An environment variable that is to be JSON, and is not.
        raise ConfigError(f"{place.removesuffix('.')}: {error}") from error


def rendered(config: Any) -> Any:
    """`config` with HOST and PORT of the environment, where they are set."""
    options = dict(config.get("http_options", {}))
    if host := os.environ.get("HOST"):
        options["host"] = host
    if port := os.environ.get("PORT"):
        if not (port.isascii() and port.isdigit() and int(port) < 2**16):
            raise ConfigError(f"PORT is {port!r}, which is no port")
        options["port"] = int(port)
    return {**config, "http_options": options}


def _unknown(config: Any) -> Iterator[str]:
    """Dotted places of keys that Serve's schemas do not have: Serve itself drops such keys in silence."""
    yield from _beyond(ServeDeploySchema, config, "")
    yield from _beyond(HTTPOptionsSchema, config.get("http_options", {}), "http_options.")
    for number, application in enumerate(config.get("applications", [])):
        place = f"applications[{number}]."
        yield from _beyond(ServeApplicationSchema, application, place)
        for deployment in application.get("deployments", []):
            inner = f"{place}{deployment.get('name', '?')}."
            yield from _beyond(DeploymentSchema, deployment, inner)
            yield from _beyond(
                AutoscalingConfig, deployment.get("autoscaling_config") or {}, f"{inner}autoscaling_config."
            )


def _beyond(schema: type[BaseModel], entry: dict[str, Any], place: str) -> Iterator[str]:
    return (f"{place}{key}" for key in entry if key not in schema.model_fields)
