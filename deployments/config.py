"""Check a Serve configuration before it is served, and apply environment variables to it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from deployments.address import is_port
from deployments.errors import ConfigError
from deployments.settings import INGRESS, ReplicaSettings, ScalingSettings
from graphs.flow_settings import FlowSettings
from graphs.settings import AppArgs
from models.errors import ModelError
from project.environment import EnvironmentSettings
from project.validation import main_problem, plain_message

Schema = TypeVar("Schema", bound=BaseModel)

BUILDER = "graphs.app:build"
"""The `import_path` of applications."""
GALLERY = ("gallery-writer", "gallery-reader")
"""Names of the gallery's deployments."""
SCALING_POLICY = "deployments.autoscaling_policy:ApplicationPolicy"
"""The application's `policy_function` whose `policy_kwargs` are `ScalingSettings`."""


class _Loader(yaml.SafeLoader):
    """Rejects repeated keys. YAML's loader silently keeps the last value."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # Merge keys are resolved later, so a key that replaces a merged one is not taken for a repetition.
        node = super().compose_mapping_node(anchor)
        seen = set[tuple[str, str]]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.composer.ComposerError(None, None, f"{key.value} is repeated", key.start_mark)
                seen.add((key.tag, key.value))
        return node


def read_config(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or repeats a key.
    """
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)  # noqa: S506  # Derived from the safe loader.
    except OSError as error:
        raise ConfigError(f"it cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(" ".join(str(error).split())) from error


def check_config(config: Any) -> list[AppArgs]:
    """Check a Serve configuration.

    Returns:
        The arguments of its applications.

    Raises:
        ConfigError: it has unknown keys or invalid values.
    """
    # Imported here, because Serve reads the environment when it is imported, and the import takes two seconds.
    from ray.serve.config import AutoscalingConfig
    from ray.serve.schema import ServeDeploySchema

    _valid(ServeDeploySchema, config, "")
    if unknown := list(_unknown(ServeDeploySchema, config, "")):
        raise ConfigError(f"unknown keys: {', '.join(unknown)}")
    if not config["applications"]:
        raise ConfigError("applications is empty, so nothing would be served")
    checked = []
    for number, application in enumerate(config["applications"]):
        place = f"applications[{number}]."
        if application["import_path"] != BUILDER:
            raise ConfigError(f"{place}import_path must be {BUILDER}")
        args = _valid(AppArgs, application.get("args", {}), f"{place}args.")
        checked.append(args)
        stages = {stage.deployment(role) for role, stage in args.stages.items()} - {INGRESS}
        _check_scaling_policy(application.get("autoscaling_policy") or {}, f"{place}autoscaling_policy.")
        for deployment in application.get("deployments", []):
            if "ray_actor_options" in deployment:
                raise ConfigError(
                    f"{place}{deployment['name']}.ray_actor_options would replace the stage's share of the machine: "
                    "set its cpus and gpus in args"
                )
            user_config, name = deployment.get("user_config") or {}, deployment["name"]
            if name not in {INGRESS, *stages, *GALLERY}:
                known = ", ".join((INGRESS, *sorted(stages), *GALLERY))
                raise ConfigError(f"{place}deployments: there is no deployment {name}; available: {known}")
            if isinstance(scaling := deployment.get("autoscaling_config"), Mapping):
                _valid(AutoscalingConfig, scaling, f"{place}{name}.autoscaling_config.")
            if name == INGRESS:
                _check_flow_settings(user_config, args, f"{place}{name}.user_config.")
            elif name in stages:
                _valid(ReplicaSettings, user_config, f"{place}{name}.user_config.")
    return checked


def _check_scaling_policy(policy: Mapping[str, Any], place: str) -> None:
    # Serve's schema allows any mapping here.
    if unknown := [f"{place}{key}" for key in policy if key not in ("policy_function", "policy_kwargs")]:
        raise ConfigError(f"unknown keys: {', '.join(unknown)}")
    function = policy.get("policy_function")
    if isinstance(function, str) and function.startswith("deployments.") and function != SCALING_POLICY:
        raise ConfigError(f"{place}policy_function: there is no {function}; did you mean {SCALING_POLICY}?")
    if function == SCALING_POLICY:
        _valid(ScalingSettings, policy.get("policy_kwargs", {}), f"{place}policy_kwargs.")


def _check_flow_settings(user_config: Any, args: AppArgs, place: str) -> None:
    settings = _valid(FlowSettings, user_config, place)
    try:
        settings.checked_for(args.roles)
    except ValueError as error:
        setting, _, problem = str(error).partition(": ")
        named = _variable(FlowSettings, (setting,), user_config) or f"{place}{setting}"
        raise ConfigError(f"{named}: {problem}") from error


def _valid(schema: type[Schema], entry: Any, place: str) -> Schema:
    try:
        return schema.model_validate(entry)
    except ValidationError as error:
        problem = main_problem(error)
        if isinstance(cause := problem.get("ctx", {}).get("error"), SettingsError):
            raise _unreadable(schema, cause) from error
        # If a table is missing, its settings are validated separately, and their places do not include the table.
        tables = {getattr(field.annotation, "__name__", ""): name for name, field in schema.model_fields.items()}
        parts = (*filter(None, [tables.get(error.title)]), *problem["loc"])
        written = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
        where = "".join((place.removesuffix("."), *written)).removeprefix(".")
        named = _variable(schema, parts, entry) or where or "the configuration"
        raise ConfigError(f"{named}: {plain_message(problem)}") from error
    except ModelError as error:
        raise ConfigError(str(error)) from error
    except AttributeError as error:
        # Ray's validator fails like this if a deployment is not a mapping.
        raise ConfigError(f"{place}applications: an entry of deployments is not a mapping") from error
    except SettingsError as error:
        raise _unreadable(schema, error) from error


def _unreadable(schema: type[BaseModel], error: SettingsError) -> ConfigError:
    # Raised for an environment variable that is not valid JSON. Only the message names the setting.
    setting = error.args[0].split('"')[1]
    places = ((setting,), *((table, setting) for table in schema.model_fields))
    named = next(filter(None, (_variable(schema, place, {}) for place in places)), setting)
    return ConfigError(f"{named}: the environment variable must be JSON")


def _variable(schema: Any, place: Sequence[int | str], entry: Any) -> str:
    """Return the environment variable that sets the setting at `place`; empty if `entry` sets it, or nothing does."""
    name, table = str(place[0]) if place else "", entry if isinstance(entry, Mapping) else {}
    if not (isinstance(schema, type) and issubclass(schema, BaseModel) and name in schema.model_fields):
        return ""
    if issubclass(schema, EnvironmentSettings):
        variable = f"{schema.model_config.get('env_prefix', '')}{name}".upper()
        found = next((each for each in os.environ if each.upper() == variable), "")
        return "" if _is_set(table, place) else found
    return _variable(schema.model_fields[name].annotation, place[1:], table.get(name))


def _is_set(entry: Any, place: Sequence[int | str]) -> bool:
    """Whether `entry` sets the value at `place`. Its mappings are merged with those of environment variables."""
    if not (place and isinstance(entry, Mapping)):
        return True
    return place[0] in entry and _is_set(entry[place[0]], place[1:])


def rendered(config: Any) -> Any:
    """Return `config` with the environment variables HOST and PORT applied, if they are set.

    Raises:
        ConfigError: PORT is not a port, or `config` or its `http_options` is not a mapping.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("http_options", {}), Mapping):
        raise ConfigError("the configuration, or http_options in it, is not a mapping")
    options = dict(config.get("http_options", {}))
    if host := os.environ.get("HOST"):
        options["host"] = host
    if port := os.environ.get("PORT"):
        if not is_port(port):
            raise ConfigError(f"PORT is {port!r}, which is not a port")
        options["port"] = int(port)
    return {**config, "http_options": options}


def _unknown(schema: type[BaseModel], entry: Mapping[str, Any], place: str) -> Iterator[str]:
    """Yield dotted paths of keys that are not in Serve's schemas. Serve itself ignores such keys."""
    yield from (f"{place}{key}" for key in entry if key not in schema.model_fields)
    for key, value in ((key, entry[key]) for key in entry if key in schema.model_fields):
        for inner in _schemas(schema.model_fields[key].annotation):
            if isinstance(value, Mapping):
                yield from _unknown(inner, value, f"{place}{key}.")
            for number, each in enumerate(value if isinstance(value, list) else []):
                within = each.get("name", "?") if key == "deployments" else f"{key}[{number}]"
                yield from _unknown(inner, each, f"{place}{within}.")


def _schemas(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the schemas in the annotation of a field."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _schemas(part)
