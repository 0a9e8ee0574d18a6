"""The model card: what the service knows about a network without loading it."""

import hashlib
import math
from dataclasses import fields
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from imaging.crops import CropSpec
from models.fusion import Fusion
from models.input import Input
from models.similarity import MeasuredScale
from models.sources import FileName, Strict, WeightFile, check_fields, problems
from models.tasks import DETECTOR, FACE_TASKS
from models.tasks.task import FaceTask, TaskOutput

Framework = Literal["torch", "tensorflow", "onnx", "mediapipe"]

ONNX_FILE = "onnx_file"
"""Architecture of a network whose weights are an ONNX file, and whose card describes its input and output."""

KEPT = ("manifest.json", "export.log")
"""Files in the model's folder besides weights and exports."""


class BonaFide(Strict):
    """Number of photos of live faces, and of those rejected as spoofs."""

    photos: int = Field(gt=0)
    rejected: int = Field(ge=0)


class Attack(Strict):
    """Number of photos of one kind of attack, and of those that passed as live."""

    kind: str
    photos: int = Field(gt=0)
    passed: int = Field(ge=0)


class Threshold(Strict):
    """An operating point and the error rates measured there.

    Attributes:
        value: scores of at least this value mean "same person" (cosine similarity) or "live" (live probability).
        fmr, fnmr: false match rate and false non-match rate of an embedder. None if not measured.
        bona_fide, attacks: counts for a liveness network's BPCER, and for its APCER per kind of attack.
        measured_on: the photos of the measurement.
    """

    metric: str
    value: float
    fmr: float | None = None
    fnmr: float | None = None
    bona_fide: BonaFide | None = None
    attacks: tuple[Attack, ...] = ()
    measured_on: str


class Card(Strict):
    """One model of the catalogue.

    Attributes:
        name: unique name; the file name of the card without its suffix.
        architecture: module of `models.architectures` that exports the network, and of `models.originals` that runs
            the original.
        framework: original runtime of the network, which can be chosen as the engine.
        non_commercial: whether the licence of the weights forbids commercial use.
        caveats: limitations that users must know, one sentence each.
        superseded_by: card to use instead of this one.
        exports: files that the exporter writes. An ONNX file takes uint8 NHWC RGB crops and returns the task's answer.
        int8: name of the export with the first export's network in 8-bit integers, for CPUs; see `models.int8`.
            Embeddings of these two exports are comparable.
        crops: crops of a face that the network reads; several if it reads several scales.
        input: preprocessing of an `onnx_file` network.
        output: the task's description of the network's output; None for a detector.
        preprocessing_version: changed by hand when crops or normalisation change, so that old embeddings are not
            compared with new ones.
        fusion: how the members are combined. A fusion has no files or exports, and the catalogue takes its crops,
            licence and caveats from the members' cards.
        similarity: scale that states an embedder's similarities from 0 to 100. None if not measured.
    """

    name: str = ""
    title: str
    task: str
    architecture: str
    framework: Framework
    licence: str
    non_commercial: bool = False
    homepage: str | None = None
    note: str = ""
    caveats: tuple[str, ...] = ()
    superseded_by: str | None = None
    files: tuple[WeightFile, ...] = ()
    exports: tuple[FileName, ...] = ()
    int8: FileName | None = None
    crops: tuple[CropSpec, ...] = ()
    input: Input | None = None
    output: SerializeAsAny[TaskOutput] | None = Field(None, validate_default=True)
    preprocessing_version: str
    fusion: Fusion | None = None
    thresholds: tuple[Threshold, ...] = ()
    similarity: MeasuredScale | None = None

    @field_validator("task")
    @classmethod
    def _task_is_known(cls, task: str) -> str:
        if task not in (known := (DETECTOR, *FACE_TASKS)):
            raise ValueError(f"unknown task {task}; available: {', '.join(known)}")
        return task

    @field_validator("output", mode="before")
    @classmethod
    def _output_is_the_tasks(cls, stated: Any, info: ValidationInfo) -> Any:
        if isinstance(stated, TaskOutput):
            return stated
        if "task" not in info.data:
            # The task is missing or invalid, which is reported as a separate error.
            return None
        task = FACE_TASKS.get(info.data["task"])
        if task is None:
            if stated is not None:
                raise ValueError("a detector has no output")
            return None
        try:
            return task.output.model_validate(stated or {})
        except ValidationError as error:
            raise ValueError(problems(error)) from None

    @field_validator("crops", mode="before")
    @classmethod
    def _fields_of_crops_are_known(cls, crops: Any) -> Any:
        for spec in crops if isinstance(crops, list | tuple) else ():
            check_fields(spec, [field.name for field in fields(CropSpec)])
        return crops

    @model_validator(mode="after")
    def _task_is_whole(self) -> "Card":
        detects = self.task == DETECTOR
        if detects != (not self.crops):
            raise ValueError("crops: a detector must have none, and every other network at least one")
        if any(spec.size <= 0 or not 0 < spec.scale < math.inf for spec in self.crops):
            raise ValueError("crops: size and scale must be above 0")
        if self.int8 and (self.int8 not in self.exports[1:] or len(self.crops) != 1):
            raise ValueError("int8: must name an export other than the first, and the network must have one crop")
        return self

    @model_validator(mode="after")
    def _files_fit(self) -> "Card":
        if self.fusion is None and not (self.files and self.exports):
            raise ValueError("files, exports: both are required unless the card is a fusion")
        names = [*(file.name for file in self.files), *self.exports, *KEPT]
        if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
            raise ValueError(f"exports: {twice[0]} is already the name of another file of the model")
        if self.fusion and (self.files or self.exports):
            raise ValueError("fusion: a fusion cannot have files or exports")
        if self.fusion and not (self.task in FACE_TASKS and FACE_TASKS[self.task].fuses):
            raise ValueError(f"fusion: networks for the task {self.task} cannot be fused")
        described = self.architecture == ONNX_FILE
        if described != (self.input is not None):
            raise ValueError(f"input: required for the architecture {ONNX_FILE}, and not allowed for others")
        if described and (len(self.files) != 1 or len({spec.size for spec in self.crops}) != 1):
            raise ValueError(f"files, crops: the architecture {ONNX_FILE} needs one file and crops of one size")
        if described and len(self.crops) > 1 and not self.face_task.several_crops:
            raise ValueError(f"crops: the architecture {ONNX_FILE} reads one crop for the task {self.task}")
        if described and len(self.exports) != (2 if self.int8 else 1):
            raise ValueError(f"exports: the architecture {ONNX_FILE} writes one file, and a second one for int8")
        if described and self.task in FACE_TASKS and (missing := self.face_task.missing(self.output)):
            raise ValueError(f"output: the architecture {ONNX_FILE} needs {missing}")
        return self

    @model_validator(mode="after")
    def _operating_point_is_stated(self) -> "Card":
        task = FACE_TASKS.get(self.task)
        metrics = [task.metric] if task and task.metric else []
        if metrics != [threshold.metric for threshold in self.thresholds]:
            needed = f'one, with metric = "{metrics[0]}"' if metrics else "none"
            raise ValueError(f"thresholds: a card for the task {self.task} must have {needed}")
        for threshold in self.thresholds:
            if task and (problem := task.threshold_problem(threshold.value)):
                raise ValueError(f"thresholds: {problem}")
        return self

    @property
    def face_task(self) -> FaceTask[Any]:
        """The task of a network that reads crops of faces.

        Raises:
            KeyError: the card describes a detector.
        """
        return FACE_TASKS[self.task]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the network's answer for one face; empty for a detector.

        An `onnx_file` network gives one answer per crop. If it reads several, the first dimension is their number.
        """
        if self.task not in FACE_TASKS:
            return ()
        several = (len(self.crops),) if self.architecture == ONNX_FILE and len(self.crops) > 1 else ()
        return (*several, *self.face_task.shape(self.output))

    @property
    def embedding_contract(self) -> str:
        """Sixteen hex digits that change whenever embeddings stop being comparable."""
        parts = [*(file.sha256 for file in self.files), repr(self.crops), self.preprocessing_version]
        parts += map(str, self.shape)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def threshold(self, metric: str) -> Threshold:
        """Return the card's operating point for `metric`.

        Raises:
            KeyError: the card has none, because its task has another metric.
        """
        for threshold in self.thresholds:
            if threshold.metric == metric:
                return threshold
        raise KeyError(f"the card of {self.name} has no threshold for {metric}")
