"""The effective configuration: every setting with its value, and a comment with its origin."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings
from ray.serve.schema import HTTPOptionsSchema
from ruamel.yaml.comments import CommentedMap

from deployments.config import rendered
from graphs.flow_settings import FlowSettings
from graphs.settings import AppArgs
from models.store import STORE_VARIABLE

HIDDEN = "(hidden)"
_SECRET_TABLES = ("storage_options", "env_vars")
"""Tables whose values may be secrets."""


def effective_config(config: Any, args: Sequence[AppArgs]) -> tuple[CommentedMap, list[str]]:
    """Return the effective configuration with comments, and the locations of the values replaced by `HIDDEN`.

    Args:
        config: the configuration, as in the file.
        args: the arguments of each application, as `deployments.config.check_config` returns them.

    Raises:
        ConfigError: the environment variable PORT is not a port.
    """
    document = _from_file(config)
    document["http_options"] = _http_options(config.get("http_options", {}), rendered(config)["http_options"])
    for application, given, known in zip(document["applications"], config["applications"], args, strict=True):
        application["args"] = _from_model(known, given.get("args", {}))
        deployments = application.setdefault("deployments", [])
        if not (ingress := [each for each in deployments if each["name"] == "ingress"]):
            ingress = [CommentedMap(name="ingress")]
            deployments.insert(0, ingress[0])
        settings = ingress[0].get("user_config") or {}
        ingress[0]["user_config"] = _from_model(FlowSettings(**settings), settings)
    hidden = list[str]()
    _hide_secrets(document, "", hidden)
    return document, hidden


def _from_file(value: Any) -> Any:
    """Return Ray Serve's own settings as they are in the file."""
    if isinstance(value, Mapping):
        table = CommentedMap()
        for key, entry in value.items():
            _put(table, key, _from_file(entry), "file")
        return table
    return [_from_file(entry) for entry in value] if isinstance(value, list) else value


def _from_model(model: BaseModel, given: Mapping[str, Any]) -> CommentedMap:
    """Return all fields of `model`. `given` is its table in the file."""
    table = CommentedMap()
    for name in type(model).model_fields:
        value, inner = getattr(model, name), given.get(name, {})
        if isinstance(value, BaseModel):
            table[name] = _from_model(value, inner)
        elif isinstance(value, Mapping) and any(isinstance(entry, BaseModel) for entry in value.values()):
            table[name] = CommentedMap((role, _from_model(entry, inner[role])) for role, entry in value.items())
        else:
            _put(table, name, model.model_dump(mode="json", include={name})[name], _origin(model, name, given))
    return table


def _origin(model: BaseModel, name: str, given: Mapping[str, Any]) -> str:
    if name in given:
        return "file"
    if isinstance(model, AppArgs | BaseSettings) and name in model.model_fields_set:
        own = isinstance(model, BaseSettings)
        variable = f"{model.model_config.get('env_prefix', '')}{name}".upper() if own else STORE_VARIABLE
        return f"environment: {variable}"
    return "default"


def _http_options(given: Mapping[str, Any], served: Mapping[str, Any]) -> CommentedMap:
    """Return the HTTP options in the file. Host and port are always included."""
    table = CommentedMap()
    for name in dict.fromkeys(["host", "port", *served]):
        if name not in served:
            _put(table, name, HTTPOptionsSchema.model_fields[name].default, "default")
        else:
            changed = name in ("host", "port") and (name not in given or served[name] != given[name])
            _put(table, name, served[name], f"environment: {name.upper()}" if changed else "file")
    return table


def _put(table: CommentedMap, key: Any, value: Any, origin: str) -> None:
    table[key] = value
    if not (isinstance(value, Mapping | list) and value):
        table.yaml_add_eol_comment(origin, key, column=0)


def _hide_secrets(value: Any, place: str, hidden: list[str]) -> None:
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in list(entries):
        inner = f"{place}[{key}]" if isinstance(value, list) else f"{place}.{key}".removeprefix(".")
        if key in _SECRET_TABLES and isinstance(entry, Mapping):
            hidden.extend(f"{inner}.{name}" for name in entry)
            value[key] = dict.fromkeys(entry, HIDDEN)
        elif "password" in str(key) and entry is not None:
            hidden.append(inner)
            value[key] = HIDDEN
        else:
            _hide_secrets(entry, inner, hidden)
