"""The duplicate check of enrolments: whether a face resembles another subject, and the result in responses."""

from pydantic import Field

from access.keys import Key
from api.service import Service
from api.v1.chosen import embedder_of
from api.v1.examples import Answer, example
from gallery.records import Collection, Hit
from graphs.duplicates import DuplicatePolicy, DuplicateRule
from graphs.thresholds import threshold_of


class DuplicateAnswer(Answer):
    """The most similar face of another subject."""

    model_config = example(subject="john.doe", face_id="4d186321c1a7f0f354b297e8914ab240", similarity=0.83)

    subject: str | None = Field(description="null if the key lacks the scope `read`.")
    face_id: str | None = Field(description="null if the key lacks the scope `read`.")
    similarity: float = Field(description="Cosine similarity.")

    @classmethod
    def of(cls, hit: Hit, named: bool) -> "DuplicateAnswer":
        """Describe a hit. If `named` is false, its subject and face id are left out; see `may_name`."""
        return cls(
            subject=hit.subject if named else None, face_id=hit.face_id if named else None, similarity=hit.cosine
        )


def may_name(key: Key | None) -> bool:
    """Whether a caller may learn which subject a face resembles. A key without the scope ``read`` may not."""
    return key is None or "read" in key.scopes


def duplicate_rule(service: Service, policy: DuplicatePolicy, collection: Collection) -> DuplicateRule:
    """Return the rule for faces to enrol in `collection`, with the collection's threshold."""
    embedder = embedder_of(service, collection.kind.embedder)
    return DuplicateRule(policy, threshold_of(service.settings, embedder, collection=collection.threshold).value)
