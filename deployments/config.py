"""Checking a Serve configuration before it is served, and fitting it to the environment."""

import os
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ValidationError
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import DeploymentSchema, HTTPOptionsSchema, ServeApplicationSchema, ServeDeploySchema

from graphs.settings import AppArgs
from models.pull import configured
from models.store import Store


class ConfigError(Exception):
    """A configuration cannot be served. The message says what to change."""


def check(config: Any) -> None:
    """Check a whole Serve configuration.

    Raises:
        ConfigError: it has keys that nobody knows, or values that its schema does not allow.
        ModelError: it needs a model that is not pulled.
    """
    if unknown := list(_unknown(config)):
        raise ConfigError(f"unknown keys: {', '.join(unknown)}")
    try:
        ServeDeploySchema.model_validate(config)
        for application in config["applications"]:
            args = AppArgs.model_validate(application.get("args", {}))
            for card in configured(application.get("args", {})):
                Store(args.models_dir).exports(card)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise ConfigError(f"{place}: {problem['msg']}") from error


def rendered(config: Any) -> Any:
    """`config` with HOST and PORT of the environment, where they are set."""
    options = dict(config.get("http_options", {}))
    if host := os.environ.get("HOST"):
        options["host"] = host
    if port := os.environ.get("PORT"):
        if not port.isdigit():
            raise ConfigError(f"PORT is {port!r}, which is no number")
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
