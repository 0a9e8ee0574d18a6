"""The form of a model card: everything the service knows of a network without loading it."""

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from imaging.crops import CropSpec

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, StringConstraints(pattern=r"^\w[\w.+-]*$")]
"""Without folders: it is a file of the model's own folder."""
Task = Literal["detector", "liveness", "embedder"]
Framework = Literal["torch", "tensorflow", "onnx", "mediapipe"]
Metric = Literal["cosine", "live"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InstalledSource(_Strict):
    """A data file of a package that this environment already has."""

    kind: Literal["installed"]
    package: str
    member: str
    """Path below site-packages."""


class PypiSource(_Strict):
    """A data file in an archive of the Python package index."""

    kind: Literal["pypi"]
    package: str
    version: str
    archive: str
    archive_sha256: Sha256
    member: str


class NpmSource(_Strict):
    """A data file in a package of the npm registry."""

    kind: Literal["npm"]
    package: str
    version: str
    archive_sha256: Sha256
    member: str


class HttpsSource(_Strict):
    """A file at an address, or a member of a zip archive there."""

    kind: Literal["https"]
    url: Annotated[str, StringConstraints(pattern=r"^https://")]
    archive_sha256: Sha256 | None = None
    member: str | None = None

    @model_validator(mode="after")
    def _archive_is_pinned(self) -> "HttpsSource":
        if (self.member is None) != (self.archive_sha256 is None):
            raise ValueError("a member needs the archive's sha256, and the other way round")
        return self


Source = Annotated[InstalledSource | PypiSource | NpmSource | HttpsSource, Field(discriminator="kind")]


class WeightFile(_Strict):
    """One file of original weights and where it can be had, best source first."""

    name: FileName
    sha256: Sha256
    sources: tuple[Source, ...] = Field(min_length=1)


class Threshold(_Strict):
    """An operating point and what was measured there."""

    metric: Metric
    value: float
    """A score at or above it means "same person" (cosine similarity) or "live" (live probability)."""
    fmr: float | None = None
    """False match rate measured at `value`; for liveness, APCER. None: not measured here."""
    fnmr: float | None = None
    """False non-match rate measured at `value`; for liveness, BPCER. None: not measured here."""
    measured_on: str


class Card(_Strict):
    """One network of the catalogue.

    Attributes:
        name: unique, the card's file name without its ending.
        architecture: the module of `models.architectures` that exports and runs it.
        framework: the original runtime, which is also selectable as its engine.
        exports: the files that the exporter writes; an ONNX file takes uint8 NHWC RGB crops and
            gives the final answer.
        int8: the one of them that is the first in 8-bit integers, for CPUs: `models.int8`. Its answers are so near
            that embeddings of both are compared with one another.
        crops: what the network wants of a face; several for one that looks at several scales.
        output_size: length of the embedding; None for other tasks.
        preprocessing: version of everything between photo and network; change it when crops or
            normalisation change, so that old embeddings are not compared with new ones.
        non_commercial: the weights' licence forbids commercial use.
    """

    name: str = ""
    title: str
    task: Task
    architecture: str
    framework: Framework
    licence: str
    non_commercial: bool = False
    homepage: str | None = None
    note: str = ""
    files: tuple[WeightFile, ...] = Field(min_length=1)
    exports: tuple[FileName, ...] = Field(min_length=1)
    int8: FileName | None = None
    crops: tuple[CropSpec, ...] = ()
    output_size: int | None = Field(None, gt=0)
    preprocessing: str
    thresholds: tuple[Threshold, ...] = ()

    @model_validator(mode="after")
    def _task_is_whole(self) -> "Card":
        if (self.task == "detector") != (not self.crops):
            raise ValueError("a detector takes photos, every other network crops")
        if (self.task == "embedder") != (self.output_size is not None):
            raise ValueError("an embedder, and nothing else, has an output size")
        if any(spec.size <= 0 or spec.scale <= 0 for spec in self.crops):
            raise ValueError("crops have a size and a scale above 0")
        if self.int8 and (self.int8 not in self.exports[1:] or len(self.crops) != 1):
            raise ValueError("the int8 file is an export after the first, of a network with one crop")
        return self

    @property
    def embedding_contract(self) -> str:
        """Sixteen hex digits that change whenever embeddings stop being comparable."""
        parts = [*(file.sha256 for file in self.files), repr(self.crops), self.preprocessing, str(self.output_size)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def threshold(self, metric: Metric) -> Threshold:
        """The card's operating point for `metric`.

        Raises:
            KeyError: the card states none.
        """
        for threshold in self.thresholds:
            if threshold.metric == metric:
                return threshold
        raise KeyError(f"the card of {self.name} states no threshold for {metric}")
