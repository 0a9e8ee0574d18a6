"""The model card: everything the service knows about a network without loading it."""

import hashlib
import math
from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from imaging.crops import CropSpec
from models.sources import FileName, Strict, WeightFile

Task = Literal["detector", "liveness", "embedder"]
Framework = Literal["torch", "tensorflow", "onnx", "mediapipe"]
Metric = Literal["cosine", "live"]

METRICS: Mapping[Task, tuple[Metric, ...]] = {"detector": (), "liveness": ("live",), "embedder": ("cosine",)}
"""Metrics of the thresholds on a card, by task."""

ONNX_FILE = "onnx_file"
"""The architecture whose cards describe their input and output instead of having a module of their own."""


class Input(Strict):
    """What an ONNX file expects of its crops: (pixel - mean) / std.

    Attributes:
        layout: order of the dimensions.
        colours: order of the channels.
    """

    mean: float
    std: float = Field(gt=0)
    layout: Literal["nchw", "nhwc"]
    colours: Literal["rgb", "bgr"]


class Output(Strict):
    """What a liveness network's ONNX file returns: a logit for each class, one of which is live."""

    live_class: int = Field(ge=0)


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

    metric: Metric
    value: float
    fmr: float | None = None
    fnmr: float | None = None
    bona_fide: BonaFide | None = None
    attacks: tuple[Attack, ...] = ()
    measured_on: str


class Fusion(Strict):
    """Liveness networks combined by logistic regression on their logits: `models.fusion`.

    Attributes:
        members: names of their cards.
        weights: of their logits, in the same order.
        fitted_on: the photos that weights and bias were fitted on.
    """

    members: tuple[str, ...] = Field(min_length=2)
    weights: tuple[float, ...]
    bias: float
    fitted_on: str

    @model_validator(mode="after")
    def _weights_match_the_members(self) -> "Fusion":
        if len(self.weights) != len(self.members):
            raise ValueError("a fusion has one weight for each member")
        if len(set(self.members)) != len(self.members):
            raise ValueError("a fusion has each member once")
        return self


class Card(Strict):
    """One model of the catalogue.

    Attributes:
        name: unique; the card's file name without its ending.
        architecture: the module of `models.architectures` that exports and runs the network.
        framework: the original runtime, which can also be selected as the engine.
        caveats: what a user must know before relying on the model, one sentence each.
        superseded_by: the card to use instead of this one.
        exports: the files that the exporter writes. An ONNX file takes uint8 NHWC RGB crops; an embedder returns
            embeddings of length 1, a liveness network live logits.
        int8: the export, not the first, that is the first one in 8-bit integers, for CPUs: `models.int8`. Its
            answers are so close that embeddings of both are compared with one another.
        crops: the crops of a face that the network takes; several if it looks at several scales.
        input, output: what the file of an `onnx_file` card takes and returns.
        output_size: length of the embedding; None for other tasks.
        preprocessing: version of everything between photo and network; change it when crops or normalisation
            change, so that old embeddings are not compared with new ones.
        non_commercial: the licence of the weights forbids commercial use.
        shift: added to a liveness network's live logit, so that a live probability of 0.5 is its operating point.
        fusion: how its members are combined. The catalogue takes a fusion's crops, licence and caveats from the
            members' cards; it has no files or exports of its own.
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
    caveats: tuple[str, ...] = ()
    superseded_by: str | None = None
    files: tuple[WeightFile, ...] = ()
    exports: tuple[FileName, ...] = ()
    int8: FileName | None = None
    crops: tuple[CropSpec, ...] = ()
    input: Input | None = None
    output: Output | None = None
    output_size: int | None = Field(None, gt=0)
    preprocessing: str
    shift: float = 0.0
    fusion: Fusion | None = None
    thresholds: tuple[Threshold, ...] = ()

    @model_validator(mode="after")
    def _task_is_whole(self) -> "Card":
        if (self.task == "detector") != (not self.crops):
            raise ValueError("crops: a detector has none, every other network has at least one")
        if (self.task == "embedder") != (self.output_size is not None):
            raise ValueError("output_size: an embedder has one, and no other network")
        if any(spec.size <= 0 or not 0 < spec.scale < math.inf for spec in self.crops):
            raise ValueError("crops: size and scale are above 0")
        if self.int8 and (self.int8 not in self.exports[1:] or len(self.crops) != 1):
            raise ValueError("int8: the file is an export after the first, of a network with one crop")
        return self

    @model_validator(mode="after")
    def _files_fit(self) -> "Card":
        if self.fusion is None and not (self.files and self.exports):
            raise ValueError("files, exports: a card has both, unless it is a fusion")
        if self.fusion and (self.task != "liveness" or self.files or self.exports):
            raise ValueError("fusion: it is for liveness, and has no files or exports of its own")
        described = self.architecture == ONNX_FILE
        if described != (self.input is not None):
            raise ValueError(f"input: a card of the architecture {ONNX_FILE} has one, and no other card")
        if (described and self.task == "liveness") != (self.output is not None):
            raise ValueError(f"output: a liveness card of the architecture {ONNX_FILE} has one, and no other card")
        if described and (len(self.files), len(self.crops)) != (1, 1):
            raise ValueError(f"files, crops: a card of the architecture {ONNX_FILE} has one of each")
        return self

    @model_validator(mode="after")
    def _operating_point_is_stated(self) -> "Card":
        if (wanted := METRICS[self.task]) != tuple(threshold.metric for threshold in self.thresholds):
            stated = f'has one, with metric = "{wanted[0]}"' if wanted else "has none"
            raise ValueError(f"thresholds: a card for the task {self.task} {stated}")
        if any(not -1 <= threshold.value <= 1 for threshold in self.thresholds):
            raise ValueError("thresholds: each value is between -1 and 1")
        if self.task != "liveness" and self.shift:
            raise ValueError("shift: only a liveness network has one")
        if any(threshold.metric == "live" and threshold.value != 0.5 for threshold in self.thresholds):
            raise ValueError(
                "thresholds: the live threshold of a card is 0.5; choose the operating point with its shift"
            )
        return self

    @property
    def embedding_contract(self) -> str:
        """Sixteen hex digits that change whenever embeddings stop being comparable."""
        parts = [*(file.sha256 for file in self.files), repr(self.crops), self.preprocessing, str(self.output_size)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def threshold(self, metric: Metric) -> Threshold:
        """The card's operating point for `metric`, which every card of the metric's task has.

        Raises:
            KeyError: the card is for another task.
        """
        for threshold in self.thresholds:
            if threshold.metric == metric:
                return threshold
        raise KeyError(f"the card of {self.name} states no threshold for {metric}")
