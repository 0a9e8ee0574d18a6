"""Parts of requests that several operations share."""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_pascal

from api.images import from_base64
from api.service import Service
from gallery.records import COLLECTION_NAME
from project.request_error import RequestError
from project.validation import plain_message

FaceId = Annotated[str, Field(pattern="^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
UserId = Annotated[str, Field(min_length=1, max_length=512)]
"""Id of a user. Any id of a subject is valid, because another API may have enrolled the user."""
Percent = Annotated[float, Field(ge=0, le=100)]
QualityFilter = Literal["NONE", "AUTO", "LOW", "MEDIUM", "HIGH"]
"""Every value except NONE applies the quality gate of enrolment."""


class AwsModel(BaseModel):
    """A part of a request. Fields have AWS's names. Unknown fields are ignored, because newer clients may send more."""

    model_config = ConfigDict(alias_generator=to_pascal, frozen=True, strict=True)


class AwsCollectionRequest(AwsModel):
    """A request about one collection."""

    collection_id: str = Field(pattern=COLLECTION_NAME)


class Image(AwsModel):
    """A photo."""

    encoded: str | None = Field(None, alias="Bytes")
    s3_object: dict[str, Any] | None = Field(None, alias="S3Object")

    def photo(self, service: Service, member: str = "Image") -> bytes:
        """Return the encoded photo.

        Args:
            member: name of the request's member, for errors.

        Raises:
            RequestError: ``S3_OBJECT``, or as raised by `from_base64`.
        """
        if self.s3_object is not None:
            raise RequestError("S3_OBJECT", f"Photos in S3 are not supported; send the photo as {member}.Bytes")
        if not self.encoded:
            raise RequestError("INVALID_REQUEST", f"{member}.Bytes: the photo is missing")
        return from_base64(self.encoded, service.limits.max_image_size)


def first_problem(error: ValidationError) -> RequestError:
    """Return the error for a body that does not fit its operation's request model."""
    problem = error.errors(include_url=False, include_input=False)[0]
    if problem["type"] == "json_invalid":
        return RequestError("INVALID_JSON", "The body is not valid JSON")
    place = ".".join(map(str, problem["loc"]))
    # AWS parses the body before it checks values, so it reports a value of the wrong type as an error in the body.
    code = "INVALID_JSON" if problem["type"].endswith("_type") else "INVALID_REQUEST"
    return RequestError(code, re.sub("^: ", "", f"{place}: {plain_message(problem)}"))
