"""The model card: everything the service knows about a network without loading it."""

import hashlib
import math
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from imaging.crops import CropSpec
from models.fusion import Fusion
from models.input import Input
from models.sources import FileName, Strict, WeightFile, problems
from models.tasks import DETECTOR, FACE_TASKS
from models.tasks.task import FaceTask, TaskOutput

Framework = Literal["torch", "tensorflow", "onnx", "mediapipe"]

ONNX_FILE = "onnx_file"
"""The architecture of a network that comes as an ONNX file and is described by its card alone."""


class BonaFide(Strict):
    """Photos of live faces, and how many of them were rejected as spoofs."""

    photos: int = Field(gt=0)
    rejected: int = Field(ge=0)


class Attack(Strict):
    """Photos of one kind of attack, and how many of them passed as live."""

    kind: str
    photos: int = Field(gt=0)
    passed: int = Field(ge=0)


class Threshold(Strict):
    """An operating point and the errors measured there.

    Attributes:
        value: scores at or above it mean "same person" (cosine similarity) or "live" (live probability).
        fmr, fnmr: false match and false non-match rate of an embedder. None: not measured here.
        bona_fide, attacks: the counts behind a liveness network's BPCER and its APCER for each kind of attack.
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
        name: unique; the card's file name without its ending.
        architecture: the module of `models.architectures` that exports and runs the network.
        framework: the original runtime, which can also be selected as the engine.
        caveats: what a user must know before relying on the model, one sentence each.
        superseded_by: the card to use instead of this one.
        exports: the files that the exporter writes. An ONNX file takes uint8 NHWC RGB crops and returns its task's
            answer.
        int8: the export, not the first, that is the first one in 8-bit integers, for CPUs: `models.int8`. Its
            answers are so close that embeddings of both are compared with one another.
        crops: the crops of a face that the network takes; several if it looks at several scales.
        input: what the network of an `onnx_file` card takes.
        output: what the network returns: the `output` of its task. None for a detector.
        preprocessing: version of everything between photo and network; change it when crops or normalisation
            change, so that old embeddings are not compared with new ones.
        non_commercial: the licence of the weights forbids commercial use.
        fusion: how its members are combined. The catalogue takes a fusion's crops, licence and caveats from the
            members' cards; it has no files or exports of its own.
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
    preprocessing: str
    fusion: Fusion | None = None
    thresholds: tuple[Threshold, ...] = ()

    @field_validator("task")
    @classmethod
    def _task_is_known(cls, task: str) -> str:
        if task not in (known := (DETECTOR, *FACE_TASKS)):
            raise ValueError(f"there is no task called {task}; there are {', '.join(known)}")
        return task

    @field_validator("output", mode="before")
    @classmethod
    def _output_is_the_tasks(cls, stated: Any, info: ValidationInfo) -> Any:
        task = FACE_TASKS.get(info.data.get("task", ""))
        if isinstance(stated, TaskOutput):
            return stated
        if task is None:
            if stated is not None:
                raise ValueError("a detector has none")
            return None
        try:
            return task.output.model_validate(stated or {})
        except ValidationError as error:
            raise ValueError(problems(error)) from None

    @model_validator(mode="after")
    def _task_is_whole(self) -> "Card":
        detects = self.task == DETECTOR
        if detects != (not self.crops):
            raise ValueError("crops: a detector has none, every other network has at least one")
        if any(spec.size <= 0 or not 0 < spec.scale < math.inf for spec in self.crops):
            raise ValueError("crops: size and scale are above 0")
        if self.int8 and (self.int8 not in self.exports[1:] or len(self.crops) != 1):
            raise ValueError("int8: the file is an export after the first, of a network with one crop")
        return self

    @model_validator(mode="after")
    def _files_fit(self) -> "Card":
        if self.fusion is None and not (self.files and self.exports):
            raise ValueError("files, exports: a card has both, unless it is a fusion")
        if self.fusion and (self.files or self.exports):
            raise ValueError("fusion: it has no files or exports of its own")
        if self.fusion and not (self.task in FACE_TASKS and FACE_TASKS[self.task].fuses):
            raise ValueError(f"fusion: networks for the task {self.task} cannot be fused")
        described = self.architecture == ONNX_FILE
        if described != (self.input is not None):
            raise ValueError(f"input: a card of the architecture {ONNX_FILE} has one, and no other card")
        if described and (len(self.files) != 1 or len({spec.size for spec in self.crops}) != 1):
            raise ValueError(f"files, crops: a card of the architecture {ONNX_FILE} has one file and crops of one size")
        if described and self.task in FACE_TASKS and (missing := self.face_task.missing(self.output)):
            raise ValueError(f"output: a card of the architecture {ONNX_FILE} states {missing}")
        return self

    @model_validator(mode="after")
    def _operating_point_is_stated(self) -> "Card":
        task = FACE_TASKS.get(self.task)
        metrics = [task.metric] if task and task.metric else []
        if metrics != [threshold.metric for threshold in self.thresholds]:
            stated = f'has one, with metric = "{metrics[0]}"' if metrics else "has none"
            raise ValueError(f"thresholds: a card for the task {self.task} {stated}")
        for threshold in self.thresholds:
            if task and (problem := task.threshold_problem(threshold.value)):
                raise ValueError(f"thresholds: {problem}")
        return self

    @property
    def face_task(self) -> FaceTask[Any]:
        """The task of a network that reads crops of faces.

        Raises:
            KeyError: the card is a detector's.
        """
        return FACE_TASKS[self.task]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the network's answer for one face; empty for a detector.

        A network of the architecture `onnx_file` reads one crop at a time; of several, its answers stand side by side.
        """
        if self.task not in FACE_TASKS:
            return ()
        several = (len(self.crops),) if self.architecture == ONNX_FILE and len(self.crops) > 1 else ()
        return (*several, *self.face_task.shape(self.output))

    @property
    def embedding_contract(self) -> str:
        """Sixteen hex digits that change whenever embeddings stop being comparable."""
        parts = [*(file.sha256 for file in self.files), repr(self.crops), self.preprocessing, *map(str, self.shape)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def threshold(self, metric: str) -> Threshold:
        """The card's operating point for `metric`, which every card of the metric's task has.

        Raises:
            KeyError: the card is for another task.
        """
        for threshold in self.thresholds:
            if threshold.metric == metric:
                return threshold
        raise KeyError(f"the card of {self.name} states no threshold for {metric}")
