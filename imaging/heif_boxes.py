"""Reads the items of a HEIF file (ISO/IEC 23008-12, in boxes of ISO/IEC 14496-12)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imaging.bit_reader import BitReader
from imaging.photo_errors import damaged, too_complex

MAX_ITEMS = 1024
"""Maximum number of pictures, tiles and metadata items per file. A 12-megapixel phone photo has about 55."""
MAX_ENTRIES = 1 << 14
"""Maximum number of boxes and list entries read per file. A phone photo has about 430."""
MAX_EXTENTS = 32
"""Maximum number of extents of an item's data."""

TRANSFORMS = (b"irot", b"imir", b"clap", b"iscl")


@dataclass(frozen=True, slots=True)
class HeifBox:
    """A box: its four-letter type, and the offsets of its start, body and end in the file."""

    kind: bytes
    start: int
    body: int
    stop: int


@dataclass(slots=True)
class HeifItem:
    """An item of the ``meta`` box.

    Attributes:
        kind: the type, such as ``hvc1``, ``av01`` or ``grid``.
        kind_place: offset of the type in the file.
        properties: the boxes of the item's properties, by type.
        extents: start and end offset of each piece of the item's data.
        sources: identifiers of the items that this one is composed of, in order.
        auxiliary: identifiers of the items that accompany this one, such as its transparency, in order.
    """

    kind: bytes
    kind_place: int
    properties: dict[bytes, HeifBox] = field(default_factory=dict)
    extents: list[tuple[int, int]] = field(default_factory=list)
    sources: tuple[int, ...] = ()
    auxiliary: dict[int, None] = field(default_factory=dict)


class BoxReader:
    """Iterates over boxes and list entries, and limits their number.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for more than `MAX_ENTRIES`; ``INVALID_IMAGE`` for a box that extends past
            its container.
    """

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        self._count = 0

    def within(self, place: int, stop: int, lenient: bool = False) -> Iterator[HeifBox]:
        """Iterate over the boxes from `place` to `stop`. If `lenient`, stop at a box that is too long."""
        while place + 8 <= stop:
            self._add()
            size, body = int.from_bytes(self.data[place : place + 4]), place + 8
            if size == 1:
                size, body = int.from_bytes(self.data[place + 8 : place + 16]), place + 16
            end = place + size if size else stop
            if not body <= end <= stop:
                if lenient:
                    return
                raise damaged()
            yield HeifBox(bytes(self.data[place + 4 : place + 8]), place, body, end)
            place = end

    def opened(self, box: HeifBox) -> tuple[BitReader, int, int]:
        """Return a reader of a full box after its version and flags, and the version and the flags."""
        reader = BitReader(self.data, box.body, box.stop)
        return reader, reader.read(8), reader.read(24)

    def entries(self, count: int) -> Iterator[None]:
        """Iterate `count` times. List entries may be empty, so the size of the file does not limit their number."""
        for _ in range(count):
            self._add()
            yield

    def _add(self) -> None:
        self._count += 1
        if self._count > MAX_ENTRIES:
            raise too_complex()

    def only(self, place: int, stop: int, *kinds: bytes) -> dict[bytes, HeifBox]:
        """Find the boxes of `kinds` from `place` to `stop`. Reject a second box of any type."""
        found: dict[bytes, HeifBox] = {}
        for box in self.within(place, stop):
            if box.kind in found:
                raise damaged()
            if box.kind in kinds:
                found[box.kind] = box
        return found


def read_items(boxes: BoxReader, meta: HeifBox) -> tuple[dict[int, HeifItem], int]:
    """Read the items of the ``meta`` box by identifier, and the identifier of the primary item.

    Raises:
        RequestError: ``IMAGE_TOO_COMPLEX`` for too many items; ``INVALID_IMAGE`` for a damaged file.
    """
    parts = boxes.only(meta.body + 4, meta.stop, b"pitm", b"iinf", b"iloc", b"iprp", b"iref", b"idat")
    try:
        primary, information, locations, properties = (parts[kind] for kind in (b"pitm", b"iinf", b"iloc", b"iprp"))
    except KeyError:
        raise damaged() from None
    items = _items(boxes, information)
    _read_locations(boxes, locations, parts.get(b"idat"), items)
    _read_properties(boxes, properties, items)
    if b"iref" in parts:
        _read_references(boxes, parts[b"iref"], items)
    reader, version, _ = boxes.opened(primary)
    return items, reader.read(16 if version == 0 else 32)


def _items(boxes: BoxReader, information: HeifBox) -> dict[int, HeifItem]:
    reader, version, _ = boxes.opened(information)
    reader.read(16 if version == 0 else 32)
    items: dict[int, HeifItem] = {}
    for box in boxes.within(reader.place, information.stop):
        entry, version, _ = boxes.opened(box)
        # Older versions of an entry have no type.
        if box.kind != b"infe" or version not in (2, 3):
            raise damaged()
        identifier, protection = entry.read(16 if version == 2 else 32), entry.read(16)
        if identifier in items or protection:
            raise damaged()
        place = entry.place
        items[identifier] = HeifItem(entry.read(32).to_bytes(4), place)
        if len(items) > MAX_ITEMS:
            raise too_complex()
    return items


def _read_locations(boxes: BoxReader, locations: HeifBox, inside: HeifBox | None, items: dict[int, HeifItem]) -> None:
    reader, version, _ = boxes.opened(locations)
    offset_bits, length_bits, base_bits, index_bits = (8 * reader.read(4) for _ in range(4))
    large = 16 if version < 2 else 32
    for _ in boxes.entries(reader.read(large)):
        item = items.get(reader.read(large))
        method = reader.read(16) & 15 if version else 0
        outside, base = reader.read(16), reader.read(base_bits)
        count = reader.read(16)
        if count > MAX_EXTENTS or (item and item.extents):
            raise too_complex()
        first, stop = (inside.body, inside.stop) if method == 1 and inside else (0, len(boxes.data))
        for _ in boxes.entries(count):
            reader.read(index_bits if version else 0)
            start = first + base + reader.read(offset_bits)
            length = reader.read(length_bits)
            end = start + length if length else stop
            # An item whose data is in another file gets no extents, which matters only if it is decoded.
            if item and method in (0, 1) and not outside and start <= end <= stop:
                item.extents.append((start, end))


def _read_properties(boxes: BoxReader, properties: HeifBox, items: dict[int, HeifItem]) -> None:
    parts = list(boxes.within(properties.body, properties.stop))
    containers = [box for box in parts if box.kind == b"ipco"]
    if len(containers) != 1:
        raise damaged()
    known = list(boxes.within(containers[0].body, containers[0].stop))
    for box in parts:
        if box.kind != b"ipma":
            continue
        reader, version, flags = boxes.opened(box)
        for _ in boxes.entries(reader.read(32)):
            item = items.get(reader.read(16 if version == 0 else 32))
            for _ in boxes.entries(reader.read(8)):
                # Before the index, a bit says whether the property is essential.
                _, index = reader.flag(), reader.read(15 if flags & 1 else 7)
                if item and 0 < index <= len(known):
                    _add_property(item, known[index - 1])


def _add_property(item: HeifItem, box: HeifBox) -> None:
    if box.kind in item.properties and box.kind in (b"ispe", b"hvcC", b"av1C", *TRANSFORMS):
        # Decoders disagree on which one applies, and each transform copies all pixels.
        raise damaged()
    item.properties[box.kind] = box


def _read_references(boxes: BoxReader, references: HeifBox, items: dict[int, HeifItem]) -> None:
    reader, version, _ = boxes.opened(references)
    size = 16 if version == 0 else 32
    for box in boxes.within(reader.place, references.stop):
        entry = BitReader(boxes.data, box.body, box.stop)
        origin = entry.read(size)
        targets = tuple(entry.read(size) for _ in boxes.entries(entry.read(16)))
        if box.kind == b"dimg" and origin in items:
            if items[origin].sources:
                raise damaged()
            items[origin].sources = targets
        elif box.kind == b"auxl" and origin in items:
            for target in targets:
                if target in items:
                    items[target].auxiliary[origin] = None
