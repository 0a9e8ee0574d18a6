"""Splits any number of photos into enrolment requests that stay within the service's limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facegraph.client.images import Upload

MAX_PHOTOS = 64
MAX_BYTES = 28_000_000
"""Maximum request body that a service with the default MAX_IMAGE_SIZE accepts."""
_FORM_OVERHEAD = 512
"""Upper bound in bytes for the multipart headers of a photo and its subject, without the file name and the id."""


@dataclass(frozen=True)
class PhotoEntry:
    """A photo to enrol and its subject."""

    subject: str
    upload: Upload

    @property
    def size(self) -> int:
        """Upper bound in bytes for its part of the form."""
        # A character that is escaped in a file name takes three bytes.
        name = 3 * len(self.upload.name.encode())
        return len(self.upload.data) + len(self.subject.encode()) + name + _FORM_OVERHEAD


def upload_batches(entries: Iterable[PhotoEntry]) -> Iterator[list[PhotoEntry]]:
    """Group `entries` in order into batches that fit one request. An entry over the limit gets a separate batch."""
    batch, size = list[PhotoEntry](), 0
    for entry in entries:
        if batch and (len(batch) == MAX_PHOTOS or size + entry.size > MAX_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
