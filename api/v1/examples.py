"""The base classes of models, and their examples in the OpenAPI document."""

from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ConfigDict


def example(**fields: Any) -> ConfigDict:
    """Return the configuration of a model whose example has these values."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


def example_of(model: type) -> dict[str, Any]:
    """Return the example of a model; empty for other types."""
    extra = getattr(model, "model_config", {}).get("json_schema_extra")
    return dict(extra["examples"][0]) if extra else {}


def _nested(annotation: Any) -> Any:
    """Return the examples of a model, an optional model, or a list or tuple of models; none for other types."""
    if not (parts := [_nested(part) for part in get_args(annotation)]):
        return example_of(annotation)
    if get_origin(annotation) is UnionType:
        return next(filter(None, parts), None)
    return parts if all(parts) else None


class DocumentedModel(BaseModel):
    """A model with an example: the values of `example`, of its base classes, and of models among its fields."""

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """Complete the example of a new model."""
        shown = {name: value for name, field in cls.model_fields.items() if (value := _nested(field.annotation))}
        for model in (*cls.__bases__, cls):
            shown |= example_of(model)
        cls.model_config["json_schema_extra"] = {"examples": [shown]}


class Answer(DocumentedModel):
    """A response or a part of one. Can be built from any object with attributes of the same names."""

    model_config = ConfigDict(from_attributes=True)


class JsonBody(DocumentedModel):
    """A JSON body of a request, or a part of one."""

    model_config = ConfigDict(extra="forbid")
