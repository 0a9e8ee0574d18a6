"""The vector index of a large collection."""

from dataclasses import dataclass

from lancedb.index import IvfRq, IvfSq

from gallery.search.mirror_files import face_bytes

PARTITION_ROWS = 8192
"""Number of faces per partition of a new index. Lance splits partitions that have become four times as large."""


@dataclass(frozen=True, slots=True)
class IndexRule:
    """Which collections get a vector index: large ones whose mirrors do not fit in memory.

    Attributes:
        rows: minimum number of faces.
        exact_mb: memory of a node for exact search, in MiB.
    """

    rows: int = 120_000
    exact_mb: int = 256

    def applies(self, faces: int, size: int) -> bool:
        """Whether a collection of `faces` embeddings of length `size` gets an index."""
        return faces >= self.rows and faces * face_bytes(size) > self.exact_mb * 2**20


DEFAULT_RULE = IndexRule()


def vector_index(faces: int, size: int) -> IvfRq | IvfSq:
    """Return the kind of index for `faces` embeddings of length `size`.

    RaBitQ (https://arxiv.org/abs/2405.12497) stores one bit per number. Lance supports it only for sizes that are
    multiples of eight. Embeddings of other sizes get eight bits per number.
    """
    partitions = max(1, faces // PARTITION_ROWS)
    kind = IvfSq if size % 8 else IvfRq
    return kind(distance_type="cosine", num_partitions=partitions)
