"""The base of response models, and their examples in the OpenAPI document."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A response or a part of one. Can be given as any object with attributes of these names."""

    model_config = ConfigDict(from_attributes=True)


def example(*bases: type[BaseModel], **fields: Any) -> ConfigDict:
    """Return the configuration of a model with an OpenAPI example, merged from the examples of `bases` and `fields`.

    A model among the values is replaced by its example.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return value.model_config["json_schema_extra"]["examples"][0] if hasattr(value, "model_config") else value

    own = {name: plain(value) for name, value in fields.items()}
    merged = {name: value for part in (*map(plain, bases), own) for name, value in part.items()}
    return ConfigDict(json_schema_extra={"examples": [merged]})
