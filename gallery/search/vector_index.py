"""The vector index of a large collection."""

from lancedb.index import IvfRq, IvfSq

PARTITION_ROWS = 8192
"""Number of faces per partition of a new index. Lance splits partitions that have become four times as large."""


def vector_index(faces: int, size: int) -> IvfRq | IvfSq:
    """Return the kind of index for `faces` embeddings of length `size`.

    RaBitQ (https://arxiv.org/abs/2405.12497) stores one bit per number. Lance supports it only for sizes that are
    multiples of eight; others get eight bits per number.
    """
    partitions = max(1, faces // PARTITION_ROWS)
    kind = IvfSq if size % 8 else IvfRq
    return kind(distance_type="cosine", num_partitions=partitions)
