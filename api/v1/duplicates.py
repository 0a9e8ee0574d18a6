"""The subject that a face to enrol resembles, as responses describe it."""

from pydantic import BaseModel, Field

from access.keys import Key
from api.v1.examples import example
from gallery.records import Hit


class DuplicateAnswer(BaseModel):
    """The most similar face of another subject."""

    model_config = example(subject="john.doe", face_id="4d186321c1a7f0f354b297e8914ab240", similarity=0.83)

    subject: str | None = Field(description="null if the key lacks the scope `read`.")
    face_id: str | None = Field(description="null if the key lacks the scope `read`.")
    similarity: float = Field(description="Cosine similarity.")

    @classmethod
    def of(cls, hit: Hit, named: bool) -> "DuplicateAnswer":
        """Describe a hit; `named` as from `may_name`."""
        return cls(
            subject=hit.subject if named else None, face_id=hit.face_id if named else None, similarity=hit.cosine
        )


def may_name(key: Key | None) -> bool:
    """Whether a caller may learn the subject that a face resembles. A key that may only enrol must not."""
    return key is None or "read" in key.scopes
