"""Service times of stages from service_times.toml: measured, or assumed for cards without measurements."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from capacity.system import StageModel, Work

FILE = Path(__file__).with_name("service_times.toml")


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """The figures of a file such as service_times.toml.

    Attributes:
        variation: standard deviation of a call's time, relative to its mean.
        background_cores: cores that other programs of the service keep busy on each node.
    """

    variation: float
    background_cores: float
    service: Mapping[str, Mapping[str, float]]
    measured: Mapping[str, Mapping[str, Mapping[str, float]]]
    assumed: Mapping[str, Mapping[str, Mapping[str, float]]]

    def stage(self, card: str, task: str, *, gpu: bool, workers: int, largest: int) -> StageModel:
        """Return the model of a stage with this card, on a GPU or on a core. `largest` applies to batches on a GPU."""
        figures, model = {**self.assumed[task], **self.measured.get(card, {})}, self.deployment("stage")
        model = replace(model, workers=workers, decodes=task == "detector")
        if not gpu:
            return replace(model, core=_work(figures["core"]))
        return replace(model, core=_work(figures["gpu_core"]), gpu=_work(figures["gpu"]), largest=largest)

    def is_measured(self, card: str, *, gpu: bool) -> bool:
        """Return whether the times of a card were measured on this kind of device."""
        return ("gpu" if gpu else "core") in self.measured.get(card, {})

    def deployment(self, name: str) -> StageModel:
        """Return the model of the ingress, or of a deployment of the gallery."""
        times = self.service[name]
        return StageModel(times["hop"] / 1000, times["loop"] / 1000)


@cache
def service_times() -> ServiceTimes:
    """Return the figures that come with the product."""
    figures: dict[str, Any] = tomllib.loads(FILE.read_text("utf-8"))
    return ServiceTimes(**figures)


def _work(figures: Mapping[str, float]) -> Work:
    return Work(**{name: milliseconds / 1000 for name, milliseconds in figures.items()})
