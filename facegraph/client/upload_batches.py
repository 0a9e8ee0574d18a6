"""Splits any number of photos into requests that stay within the service's limits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from facegraph.client.images import Upload

MAX_PHOTOS = 64
"""Maximum number of photos that the service enrols in one request."""
MAX_BYTES = 28_000_000
"""Maximum request body that a service with the default MAX_IMAGE_SIZE accepts."""
_FORM_OVERHEAD = 512
"""Upper bound in bytes for the multipart headers of a photo and its subject, without the file name and the id."""


@dataclass(frozen=True)
class PhotoEntry:
    """A photo to upload and its subject, which is empty if the photo is not enrolled."""

    subject: str
    upload: Upload

    @property
    def size(self) -> int:
        """Upper bound in bytes for its part of the form."""
        # A character that is escaped in a file name takes three bytes.
        name = 3 * len(self.upload.name.encode())
        return len(self.upload.data) + len(self.subject.encode()) + name + _FORM_OVERHEAD


def upload_batches(
    entries: Iterable[PhotoEntry], most: int = MAX_PHOTOS, common: int = 0
) -> Iterator[list[PhotoEntry]]:
    """Group `entries` in order into batches that fit one request. An entry over the limit gets a separate batch.

    Args:
        most: maximum number of entries in a request.
        common: size in bytes of what each request contains besides its batch.
    """
    batch, size = list[PhotoEntry](), common
    for entry in entries:
        if batch and (len(batch) == most or size + entry.size > MAX_BYTES):
            yield batch
            batch, size = [], common
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
