"""The stages chosen by a request to /v1, and the faces in its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

from api.service import Service
from api.v1.attributes import attribute_stages
from api.v1.crops import CroppedFace, encoded
from api.v1.options import DetectOptions, EnrolOptions, VerifyOptions
from api.v1.schemas import FaceAnswer, Models
from graphs.faces import ExaminedPhoto, Readings
from graphs.liveness import LivenessRule
from graphs.stages import DetectorStage, FaceStage
from imaging.faces import Photo
from models.tasks.embedder import EMBEDDER
from models.tasks.liveness import LIVENESS


@dataclass(frozen=True)
class ChosenStages:
    """The stages of one request.

    Attributes:
        liveness: the liveness network; None if liveness is off.
        rule: judges faces by their live probability.
        attributes: attribute networks, by task.
    """

    detector: DetectorStage
    liveness: FaceStage | None
    rule: LivenessRule
    attributes: Mapping[str, FaceStage]

    @classmethod
    def of(cls, service: Service, options: DetectOptions | VerifyOptions | EnrolOptions) -> "ChosenStages":
        """Choose the stages that `options` name, or the defaults.

        Raises:
            Refused: ``UNKNOWN_DETECTOR``, ``UNKNOWN_LIVENESS`` or ``UNKNOWN_ATTRIBUTE``.
        """
        stages, off = service.stages, options.liveness == "off"
        return cls(
            stages.detector(options.detector),
            None if off else stages.network(LIVENESS.name, options.liveness_network),
            service.policy.liveness(options.liveness),
            attribute_stages(stages, options.attributes),
        )

    @property
    def networks(self) -> list[FaceStage]:
        """The liveness network, if any, and the attribute networks."""
        return [*([self.liveness] if self.liveness else []), *self.attributes.values()]

    def models(self, embedder: FaceStage | None = None) -> Models:
        """Return the names of the networks."""
        return Models(
            detector=self.detector.card.name,
            liveness=self.liveness and self.liveness.card.name,
            embedder=embedder and embedder.card.name,
            **{name: stage.card.name for name, stage in self.attributes.items()},
        )

    def face(self, photo: Photo, index: int, readings: Readings, row: int) -> FaceAnswer:
        """Make the answer for a face of `photo` from its row of `readings`."""
        verdict = self.rule.judge(float(readings[self.liveness.role][row])) if self.liveness else None
        return FaceAnswer.of(
            photo, index, verdict, **{name: readings[stage.role][row] for name, stage in self.attributes.items()}
        )

    def refuses(self, *answers: FaceAnswer) -> bool:
        """Return whether one of these faces must not match because it is a spoof and liveness is required."""
        return self.rule.refuses(*(answer.liveness.live for answer in answers if answer.liveness))

    def faces(self, examined: ExaminedPhoto) -> list[FaceAnswer]:
        """Make the answers for the faces that the networks were asked about."""
        return [self.face(examined.photo, face, examined.readings, row) for row, face in enumerate(examined.asked)]

    async def cropped(self, examined: ExaminedPhoto, wanted: bool) -> list[CroppedFace]:
        """Make the same answers, with the crops that were embedded if they are `wanted`."""
        answers = self.faces(examined)
        crops = await encoded(examined.crops, wanted, len(answers))
        return [CroppedFace(**dict(face), crop=crop) for face, crop in zip(answers, crops, strict=True)]


def embedder_of(service: Service, role: str | None) -> FaceStage:
    """Return the embedder with this role, or the default one; raises `Refused` ``UNKNOWN_EMBEDDER``."""
    return service.stages.network(EMBEDDER.name, role)
