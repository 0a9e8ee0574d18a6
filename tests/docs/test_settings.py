"""docs/configuration.md states the default, the limits and the description of every setting."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings

from deployments.settings import ReplicaSettings, ScalingSettings, StageArgs
from graphs.flow_settings import FlowSettings
from graphs.settings import AppArgs
from project.root import ROOT

WORDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most"}

_ROW = re.compile(r"^\| `([\w.]+)` \|([^|\n]*)\|([^|\n]*)\|([^|\n]+)\|$", re.MULTILINE)
_REFERENCE = re.compile(r"(: | \()\[\w+\.md\]\([^)]*\)\)?")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def declared(model: type[BaseModel], table: str = "") -> Iterator[tuple[str, ...]]:
    """Name, default, limits and description of each setting of `model` and of the models in it, as documented."""
    schema, from_environment = model.model_json_schema(), issubclass(model, BaseSettings)
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from declared(field.annotation, f"{table}{name}.")
            continue
        known = schema["properties"][name]
        written = f"{model.model_config.get('env_prefix')}{name}".upper() if from_environment else f"{table}{name}"
        stated = "required" if field.is_required() else default(known)
        yield written, stated, limits(known), plain(known["description"])


def default(known: dict[str, Any]) -> str:
    value = known.get("default")
    if isinstance(value, str):
        return value.removeprefix(f"{ROOT}/")
    return "" if value is None else json.dumps(value)


def limits(known: dict[str, Any]) -> str:
    """The limits of a value, or of each value of a table."""
    parts = [known, *known.get("anyOf", []), known.get("additionalProperties")]
    joined = {key: value for part in parts if isinstance(part, dict) for key, value in part.items()}
    bounds = ", ".join(f"{word} {joined[key]:.15g}" for key, word in WORDS.items() if key in joined)
    return re.sub(r"at least (\S+), at most", r"\1 to", bounds) or ", ".join(joined.get("enum", []))


def plain(description: str) -> str:
    """A description without links, code marks, the case of its first letter and its last full stop."""
    text = _LINK.sub(r"\1", _REFERENCE.sub("", description)).replace("`", "").strip().removesuffix(".")
    return text[:1].lower() + text[1:]


def test_configuration_states_the_default_the_limits_and_the_description_of_every_setting() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    stated = [
        (name, default.strip(), limits.strip(), plain(each)) for name, default, limits, each in _ROW.findall(text)
    ]
    models = (AppArgs, StageArgs, ReplicaSettings, ScalingSettings, FlowSettings)
    assert sorted(stated) == sorted(row for model in models for row in declared(model))
