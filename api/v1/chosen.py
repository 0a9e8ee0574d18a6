"""The stages chosen by a request to /v1, and the faces in its response."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from api.service import Service
from api.v1.attributes import attribute_stages
from api.v1.crops import CroppedFace, with_crops
from api.v1.options import DetectOptions, EnrolOptions, SubjectVerifyOptions, VerifyOptions
from api.v1.schemas import FaceAnswer, Models, Timings
from graphs.faces import ExaminedPhoto, Readings
from graphs.liveness import LivenessRule
from graphs.stages import DetectorStage, FaceStage
from graphs.verify import ComparedFace
from imaging.faces import Photo
from models.tasks.embedder import EMBEDDER
from models.tasks.liveness import LIVENESS


@dataclass(frozen=True)
class ChosenStages:
    """The stages of one request.

    Attributes:
        liveness: the liveness stage; None if liveness is off.
        rule: judges faces by their live probability.
        attributes: attribute stages, by task.
    """

    detector: DetectorStage
    liveness: FaceStage | None
    rule: LivenessRule
    attributes: Mapping[str, FaceStage]

    @classmethod
    def of(
        cls, service: Service, options: DetectOptions | VerifyOptions | SubjectVerifyOptions | EnrolOptions
    ) -> "ChosenStages":
        """Choose the stages named in `options`, or the defaults.

        Raises:
            RequestError: ``UNKNOWN_DETECTOR``, ``UNKNOWN_LIVENESS`` or ``UNKNOWN_ATTRIBUTE``.
        """
        stages, off = service.stages, options.liveness == "off"
        return cls(
            stages.detector(options.detector),
            None if off else stages.network(LIVENESS.name, options.liveness_network),
            service.settings.liveness(options.liveness),
            attribute_stages(stages, options.attributes),
        )

    @property
    def networks(self) -> list[FaceStage]:
        """The liveness stage, if any, and the attribute stages."""
        return [*([self.liveness] if self.liveness else []), *self.attributes.values()]

    def models(self, embedder: FaceStage | None = None) -> Models:
        """Return the names of the models."""
        return Models(
            detector=self.detector.card.name,
            liveness=self.liveness and self.liveness.card.name,
            embedder=embedder and embedder.card.name,
            **{name: stage.card.name for name, stage in self.attributes.items()},
        )

    def photo_fields(
        self, examined: ExaminedPhoto, seconds: float, started: float, embedder: FaceStage | None = None
    ) -> dict[str, Any]:
        """Return the fields that all answers about one photo have, except its faces; for the times see `Timings.of`."""
        photo = examined.photo
        timings = Timings.of([photo], seconds, started)
        return {"photo": photo, "faces_found": photo.found, "models": self.models(embedder), "timings_ms": timings}

    def face(self, photo: Photo, index: int, readings: Readings, row: int) -> FaceAnswer:
        """Describe a face of `photo`, given its row of `readings`."""
        verdict = self.rule.judge(float(readings[self.liveness.role][row])) if self.liveness else None
        return FaceAnswer.of(
            photo, index, verdict, **{name: readings[stage.role][row] for name, stage in self.attributes.items()}
        )

    def refuses(self, *answers: FaceAnswer) -> bool:
        """Return whether liveness is required and one of the faces is a spoof, which rules out a match."""
        return self.rule.refuses(*(answer.liveness.live for answer in answers if answer.liveness))

    def faces(self, examined: ExaminedPhoto) -> list[FaceAnswer]:
        """Describe the faces that the models were run on."""
        return [self.face(examined.photo, face, examined.readings, row) for row, face in enumerate(examined.asked)]

    async def cropped(self, examined: ExaminedPhoto, wanted: bool) -> list[CroppedFace]:
        """Describe the faces that the models were run on, with the crops that were embedded if these are `wanted`."""
        return await with_crops(self.faces(examined), examined.crops if wanted else None)

    async def compared(self, faces: Sequence[ComparedFace], wanted: bool) -> list[CroppedFace]:
        """Describe compared faces, with the crops that were embedded if these are `wanted`."""
        answers = [self.face(each.photo, each.index, each.readings, 0) for each in faces]
        return await with_crops(answers, np.concatenate([each.crop for each in faces]) if wanted else None)


def embedder_of(service: Service, role: str | None) -> FaceStage:
    """Return the embedder with this role, or the default one; raises `RequestError` ``UNKNOWN_EMBEDDER``."""
    return service.stages.network(EMBEDDER.name, role)
