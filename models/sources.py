"""Weight files, identified by their SHA-256, and the sources that provide them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from project.validation import plain_message

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^\w[\w.+-]*$")]
"""A file name without folders: the file is in the model's own folder."""


def check_fields(table: Any, known: Iterable[str]) -> None:
    """Check that a table has no fields other than `known`.

    Raises:
        ValueError: it has other fields. The message lists the known fields.
    """
    if isinstance(table, dict) and (unknown := [str(key) for key in table if key not in known]):
        raise ValueError(f"unknown field {', '.join(unknown)}; available: {', '.join(known)}")


class Strict(BaseModel):
    """A frozen record that rejects unknown fields and numbers that are not finite."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _fields_are_known(cls, table: Any) -> Any:
        check_fields(table, cls.model_fields)
        return table


class PypiSource(Strict):
    """A data file in an archive of the Python package index."""

    kind: Literal["pypi"]
    package: str
    version: str
    archive: str
    archive_sha256: Sha256
    member: str


class NpmSource(Strict):
    """A data file in a package of the npm registry."""

    kind: Literal["npm"]
    package: str
    version: str
    archive_sha256: Sha256
    member: str


class HttpsSource(Strict):
    """A file at a URL, or a member of the archive at a URL."""

    kind: Literal["https"]
    url: Annotated[str, StringConstraints(pattern=r"^https://")]
    archive_sha256: Sha256 | None = None
    member: str | None = None

    @model_validator(mode="after")
    def _archive_is_pinned(self) -> "HttpsSource":
        if (self.member is None) != (self.archive_sha256 is None):
            raise ValueError("member and archive_sha256 must be set together")
        return self


Source = Annotated[PypiSource | NpmSource | HttpsSource, Field(discriminator="kind")]


class WeightFile(Strict):
    """A file of original weights and its sources in order of preference. Without sources, it is next to its card."""

    name: FileName
    sha256: Sha256
    sources: tuple[Source, ...] = ()


def problems(error: ValidationError) -> str:
    """List the problems with their fields, e.g. ``crops.0.fit: Input should be 'aligned'``."""
    entries = ((".".join(map(str, each["loc"])), plain_message(each)) for each in error.errors())
    return "; ".join(f"{field}: {problem}" if field else problem for field, problem in entries)
