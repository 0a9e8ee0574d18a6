"""Finds the primary picture of a HEIC or AVIF file, and estimates the work of decoding it."""

from collections.abc import Sequence
from dataclasses import dataclass

from imaging.av1 import av1_work
from imaging.bit_reader import BitReader
from imaging.heif_boxes import BoxReader, HeifBox, HeifItem, read_items
from imaging.hevc import hevc_work, sample_format
from imaging.photo_errors import damaged, too_complex

MAX_DECODED = 512
"""Maximum number of coded pictures per photo, counting tiles and their transparency. Each needs its own decoder."""
MAX_DEPTH = 3
"""Maximum nesting depth of pictures composed of other pictures, such as a rotated grid of tiles."""

_SHARED = 4 << 20
"""Bytes that may be read repeatedly, in addition to the size of the file."""
_PADDING = bytes(64)
"""A picture that ends like this was truncated and padded. No intact AV1 picture does, not even a flat one."""
_BRANDS = {b"hvc1": b"heic", b"av01": b"avif"}
_VIDEO_BRANDS = (b"avis", b"msf1", b"hevc", b"hevx", b"hevm", b"hevs")
_ALPHA = (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0", b"urn:mpeg:hevc:2015:auxid:1\0")


@dataclass(slots=True)
class Still:
    """The primary picture of a file.

    Attributes:
        codec: ``hvc1`` (HEIC) or ``av01`` (AVIF).
        width, height: in pixels, before rotation.
        coded: total pixels of the coded pictures that the picture is composed of.
        work: coded pixels times decoder passes.
        data: the file with the types of other pictures, videos and metadata erased, so that decoders skip them.
    """

    codec: bytes
    width: int
    height: int
    coded: int
    work: int
    data: bytes


def read_still(data: bytes) -> Still:
    """Find the primary picture of a file.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for too many pieces; ``INVALID_IMAGE`` for a damaged file.
    """
    copy = bytearray(data)
    boxes = BoxReader(copy)
    # As in other formats, anything may follow the last box.
    top = list(boxes.within(0, len(copy), lenient=True))
    metas = [box for box in top if box.kind == b"meta"]
    if len(metas) != 1 or top[0].kind != b"ftyp":
        raise damaged()
    items, primary = read_items(boxes, metas[0])
    tree = _Tree(items, data)
    width, height = tree.visit(primary)
    if len(tree.codecs) != 1 or len(tree.chromas) > 1 or len(tree.depths) > 1:
        raise damaged()
    codec = tree.codecs.pop()
    del copy[top[-1].stop :]
    _leave_only(copy, top, [item for key, item in items.items() if key not in tree.used], _BRANDS[codec])
    return Still(codec, width, height, tree.coded, tree.work, bytes(copy))


def _leave_only(copy: bytearray, top: list[HeifBox], others: list[HeifItem], brand: bytes) -> None:
    brands = slice(top[0].body, top[0].stop)
    for video in _VIDEO_BRANDS:
        copy[brands] = copy[brands].replace(video, b"mif1")
    copy[brands.start : brands.start + 4] = brand
    for box in top:
        if box.kind in (b"moov", b"moof"):
            copy[box.start + 4 : box.start + 8] = b"free"
    for item in others:
        copy[item.kind_place : item.kind_place + 4] = b"none"


class _Tree:
    """The items that a picture is composed of."""

    def __init__(self, items: dict[int, HeifItem], data: bytes) -> None:
        self._items = items
        self._data = data
        self._bytes = 0
        self._decoded = 0
        self.used: set[int] = set()
        self.codecs: set[bytes] = set()
        self.chromas: set[int] = set()
        self.depths: set[int] = set()
        self.coded = 0
        self.work = 0

    def visit(self, identifier: int, depth: int = 0, alpha: bool = False) -> tuple[int, int]:
        """Add the work of an item, its parts and their transparency to the totals, and return its width and height."""
        item = self._items.get(identifier)
        if item is None or depth > MAX_DEPTH or b"iscl" in item.properties:
            raise damaged()
        self.used.add(identifier)
        width, height = self._size(item)
        if item.kind in _BRANDS:
            self._decode(item, alpha)
        elif item.kind in (b"grid", b"iden") and item.sources:
            if item.kind == b"grid" and self._grid(item) != (width, height, len(item.sources)):
                raise damaged()
            for source in item.sources:
                self.visit(source, depth + 1, alpha)
        else:
            raise damaged()
        for other in item.auxiliary:
            if self._is_alpha(other):
                self.visit(other, depth + 1, alpha=True)
        return width, height

    def _is_alpha(self, identifier: int) -> bool:
        box = self._items[identifier].properties.get(b"auxC")
        return box is not None and self._data.startswith(_ALPHA, box.body + 4, box.stop)

    def _size(self, item: HeifItem) -> tuple[int, int]:
        """Width and height from an item's ``ispe`` box."""
        extent = self._property(item, b"ispe")
        width, height = int.from_bytes(extent[4:8]), int.from_bytes(extent[8:12])
        if not width or not height:
            raise damaged()
        return width, height

    def _property(self, item: HeifItem, kind: bytes) -> bytes:
        box = item.properties.get(kind)
        return b"" if box is None else self._read([(box.body, box.stop)])

    def _read(self, pieces: Sequence[tuple[int, int]]) -> bytes:
        """Join pieces of the file. Identical tiles share their data, so a piece may be read more than once."""
        self._bytes += sum(stop - start for start, stop in pieces)
        if self._bytes > len(self._data) + _SHARED:
            raise too_complex()
        return b"".join(self._data[start:stop] for start, stop in pieces)

    def _decode(self, item: HeifItem, alpha: bool) -> None:
        self._decoded += 1
        if self._decoded > MAX_DECODED:
            raise too_complex()
        self.codecs.add(item.kind)
        payload = self._read(item.extents)
        if item.kind == b"hvc1":
            configuration = self._property(item, b"hvcC")
            pixels, rounds = hevc_work(configuration, payload)
            samples = sample_format(configuration)
            self.depths.add(samples.depth)
            if not alpha:
                self.chromas.add(samples.chroma)
        else:
            if payload.endswith(_PADDING):
                raise damaged()
            pixels, rounds = av1_work(payload)
        self.coded += pixels
        self.work += pixels * max(rounds, 1)

    def _grid(self, item: HeifItem) -> tuple[int, int, int]:
        """Width, height and number of tiles from a grid's data (ISO/IEC 23008-12, 6.6.2.3)."""
        reader = BitReader(self._read(item.extents))
        reader.read(8 + 7)
        size = 32 if reader.flag() else 16
        tiles = (reader.read(8) + 1) * (reader.read(8) + 1)
        return reader.read(size), reader.read(size), tiles
