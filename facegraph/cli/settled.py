"""A configuration as it is served: every setting of it with its value, and where that comes from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings
from ray.serve.schema import HTTPOptionsSchema
from ruamel.yaml.comments import CommentedMap

from deployments.config import rendered
from graphs.policy import Policy
from graphs.settings import AppArgs

HIDDEN = "(hidden)"
"""Stands for what may be a secret."""
_SECRETS = ("storage_options", "env_vars")
"""Tables whose values may be secrets."""


@dataclass
class Settled:
    """What is served.

    Attributes:
        document: the whole configuration; a comment at every setting says where it comes from.
        hidden: places of what is not shown.
    """

    document: CommentedMap
    hidden: list[str] = field(default_factory=list)


def settled(config: Any, args: Sequence[AppArgs]) -> Settled:
    """What is served by `config`, of whose applications `deployments.config.check` gave `args`.

    Raises:
        ConfigError: PORT is not a port.
    """
    document = _of_file(config)
    document["http_options"] = _http(config.get("http_options", {}), rendered(config)["http_options"])
    for application, given, known in zip(document["applications"], config["applications"], args, strict=True):
        application["args"] = _of_model(known, given.get("args", {}))
        deployments = application.setdefault("deployments", [])
        if not (ingress := [each for each in deployments if each["name"] == "ingress"]):
            ingress = [CommentedMap(name="ingress")]
            deployments.insert(0, ingress[0])
        policy = ingress[0].get("user_config") or {}
        ingress[0]["user_config"] = _of_model(Policy(**policy), policy)
    found = Settled(document)
    _hide(document, "", found.hidden)
    return found


def _of_file(value: Any) -> Any:
    """What Ray takes as it stands in the file."""
    if isinstance(value, Mapping):
        table = CommentedMap()
        for key, entry in value.items():
            _put(table, key, _of_file(entry), "file")
        return table
    return [_of_file(entry) for entry in value] if isinstance(value, list) else value


def _of_model(model: BaseModel, given: Mapping[str, Any]) -> CommentedMap:
    """Every field of `model`, of which the file has `given`."""
    table = CommentedMap()
    for name in type(model).model_fields:
        value, here = getattr(model, name), given.get(name, {})
        if isinstance(value, BaseModel):
            table[name] = _of_model(value, here)
        elif isinstance(value, Mapping) and any(isinstance(entry, BaseModel) for entry in value.values()):
            table[name] = CommentedMap((role, _of_model(entry, here[role])) for role, entry in value.items())
        else:
            _put(table, name, model.model_dump(mode="json", include={name})[name], _origin(model, name, given))
    return table


def _origin(model: BaseModel, name: str, given: Mapping[str, Any]) -> str:
    if name in given:
        return "file"
    if isinstance(model, BaseSettings) and name in model.model_fields_set:
        variable = f"{model.model_config.get('env_prefix', '')}{name}"
        return f"environment: {variable.upper()}"
    return "default"


def _http(given: Mapping[str, Any], served: Mapping[str, Any]) -> CommentedMap:
    """The options of HTTP; of those that neither file nor variables name, the two that everybody asks for."""
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


def _hide(value: Any, place: str, hidden: list[str]) -> None:
    entries = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in list(entries):
        inner = f"{place}[{key}]" if isinstance(value, list) else f"{place}.{key}".removeprefix(".")
        if key in _SECRETS and isinstance(entry, Mapping):
            hidden.extend(f"{inner}.{name}" for name in entry)
            value[key] = dict.fromkeys(entry, HIDDEN)
        elif "password" in str(key) and entry is not None:
            hidden.append(inner)
            value[key] = HIDDEN
        else:
            _hide(entry, inner, hidden)
