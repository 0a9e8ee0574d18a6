"""Enrols any number of existing embeddings from Arrow or Parquet data."""

from dataclasses import dataclass
from functools import partial

from facegraph.client.api_call import ApiCall, api_path
from facegraph.client.decoding import decode
from facegraph.client.schemas import given

_ARROW, _PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"
_PARQUET_BEGINNING = b"PAR1"


@dataclass(frozen=True, kw_only=True)
class ImportedEmbeddings:
    """The number of new faces, and the number of faces that were already enrolled."""

    enrolled: int
    already: int


def import_embeddings(collection: str, data: bytes, *, contract: str | None = None) -> ApiCall[ImportedEmbeddings]:
    """Enrol the rows of an Arrow IPC stream or a Parquet file.

    Faces that are already enrolled stay unchanged, so a failed call can be repeated; `details` of its exception
    counts the faces that it enrolled. Send about 16,000 faces per call.

    Args:
        data: with the columns ``subject`` and ``vector``; docs/v1.md lists the optional ones.
        contract: contract of the embeddings; None for the one in an exported file.
    """
    return ApiCall(
        method="POST",
        path=api_path("collections", collection, "import"),
        params=given(locals(), import_embeddings.__kwdefaults__),
        content=data,
        headers={"Content-Type": _PARQUET if data.startswith(_PARQUET_BEGINNING) else _ARROW},
        decode=partial(decode, ImportedEmbeddings),
    )
