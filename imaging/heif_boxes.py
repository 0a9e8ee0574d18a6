"""The items of a HEIF file (ISO/IEC 23008-12 over the boxes of ISO/IEC 14496-12)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from imaging.refused import damaged, too_complex

MOST_ITEMS = 1024
"""Pictures, tiles and metadata per file. A phone's photo of 12 megapixels has about 55."""
MOST_ENTRIES = 1 << 14
"""Boxes and list entries that are read per file. A phone's photo has about 430."""
MOST_EXTENTS = 32
"""Pieces of an item's data."""

TRANSFORMS = (b"irot", b"imir", b"clap", b"iscl")


@dataclass(frozen=True, slots=True)
class Box:
    """A box: its four letters, and where it and its body stand in the file."""

    kind: bytes
    start: int
    body: int
    stop: int


@dataclass(slots=True)
class Item:
    """An item of the ``meta`` box.

    Attributes:
        kind: its type, such as ``hvc1``, ``av01`` or ``grid``.
        kind_place: where the type stands in the file.
        properties: the boxes of its properties, by kind.
        extents: first byte and end in the file of each piece of its data.
        sources: identifiers of the items that it is made of, in order.
        auxiliary: identifiers of the items that belong to it, such as its transparency, in order.
    """

    kind: bytes
    kind_place: int
    properties: dict[bytes, Box] = field(default_factory=dict)
    extents: list[tuple[int, int]] = field(default_factory=list)
    sources: tuple[int, ...] = ()
    auxiliary: dict[int, None] = field(default_factory=dict)


class Numbers:
    """Big-endian numbers from `place` to `stop` of the file.

    Raises:
        Refused: ``INVALID_IMAGE``, from any read beyond the end.
    """

    def __init__(self, data: bytes | bytearray, place: int, stop: int) -> None:
        self._data = data
        self.place = place
        self.stop = stop

    def next(self, size: int) -> int:
        """The next `size` bytes as an unsigned number."""
        place, self.place = self.place, self.place + size
        if self.place > self.stop:
            raise damaged()
        return int.from_bytes(self._data[place : self.place])

    def version(self) -> tuple[int, int]:
        """Version and flags of a full box."""
        return self.next(1), self.next(3)


class Boxes:
    """Walks over boxes and their lists, and counts.

    Raises:
        Refused: ``IMAGE_TOO_COMPLEX``: there are more than `MOST_ENTRIES`; ``INVALID_IMAGE``: a box is longer than
            what it is in.
    """

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        self._count = 0

    def within(self, place: int, stop: int, lenient: bool = False) -> Iterator[Box]:
        """The boxes from `place` to `stop`; if `lenient`, ends at a box that is too long."""
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
            yield Box(bytes(self.data[place + 4 : place + 8]), place, body, end)
            place = end

    def entries(self, count: int) -> Iterator[None]:
        """One step per entry of a list. An entry may take no bytes, so the file's size does not bound them."""
        for _ in range(count):
            self._add()
            yield

    def _add(self) -> None:
        self._count += 1
        if self._count > MOST_ENTRIES:
            raise too_complex()

    def only(self, place: int, stop: int, *kinds: bytes) -> dict[bytes, Box]:
        """The boxes of `kinds` from `place` to `stop`. A second box of the same kind is damage."""
        found: dict[bytes, Box] = {}
        for box in self.within(place, stop):
            if box.kind in found:
                raise damaged()
            if box.kind in kinds:
                found[box.kind] = box
        return found


def read_items(boxes: Boxes, meta: Box) -> tuple[dict[int, Item], int]:
    """The items of the ``meta`` box by their identifiers, and the identifier of the primary one.

    Raises:
        Refused: ``IMAGE_TOO_COMPLEX`` for more items than any photo has; ``INVALID_IMAGE`` for a damaged file.
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
    numbers = Numbers(boxes.data, primary.body, primary.stop)
    version, _ = numbers.version()
    return items, numbers.next(2 if version == 0 else 4)


def _items(boxes: Boxes, information: Box) -> dict[int, Item]:
    numbers = Numbers(boxes.data, information.body, information.stop)
    version, _ = numbers.version()
    numbers.next(2 if version == 0 else 4)
    items: dict[int, Item] = {}
    for box in boxes.within(numbers.place, information.stop):
        entry = Numbers(boxes.data, box.body, box.stop)
        version, _ = entry.version()
        # Older versions name no type.
        if box.kind != b"infe" or version not in (2, 3):
            raise damaged()
        identifier, protection = entry.next(2 if version == 2 else 4), entry.next(2)
        place = entry.place
        kind = entry.next(4).to_bytes(4)
        if identifier in items or protection:
            raise damaged()
        items[identifier] = Item(kind, place)
        if len(items) > MOST_ITEMS:
            raise too_complex()
    return items


def _read_locations(boxes: Boxes, locations: Box, inside: Box | None, items: dict[int, Item]) -> None:
    numbers = Numbers(boxes.data, locations.body, locations.stop)
    version, _ = numbers.version()
    sizes = numbers.next(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    large = 2 if version < 2 else 4
    for _ in boxes.entries(numbers.next(large)):
        item = items.get(numbers.next(large))
        method = numbers.next(2) & 15 if version else 0
        outside, base = numbers.next(2), numbers.next(base_size)
        count = numbers.next(2)
        if count > MOST_EXTENTS or (item and item.extents):
            raise too_complex()
        first, stop = (inside.body, inside.stop) if method == 1 and inside else (0, len(boxes.data))
        for _ in boxes.entries(count):
            numbers.next(index_size if version else 0)
            start = first + base + numbers.next(offset_size)
            length = numbers.next(length_size)
            end = start + length if length else stop
            # An item whose data is in another file gets no extents; that matters only if it is decoded.
            if item and method in (0, 1) and not outside and start <= end <= stop:
                item.extents.append((start, end))


def _read_properties(boxes: Boxes, properties: Box, items: dict[int, Item]) -> None:
    parts = list(boxes.within(properties.body, properties.stop))
    containers = [box for box in parts if box.kind == b"ipco"]
    if len(containers) != 1:
        raise damaged()
    known = list(boxes.within(containers[0].body, containers[0].stop))
    for box in parts:
        if box.kind != b"ipma":
            continue
        numbers = Numbers(boxes.data, box.body, box.stop)
        version, flags = numbers.version()
        size = 2 if flags & 1 else 1
        for _ in boxes.entries(numbers.next(4)):
            item = items.get(numbers.next(2 if version == 0 else 4))
            for _ in boxes.entries(numbers.next(1)):
                index = numbers.next(size) & (1 << 8 * size - 1) - 1
                if item and 0 < index <= len(known):
                    _add_property(item, known[index - 1])


def _add_property(item: Item, box: Box) -> None:
    if box.kind in item.properties and box.kind in (b"ispe", b"hvcC", b"av1C", *TRANSFORMS):
        # Decoders may differ in which one they take, and each transform copies all pixels.
        raise damaged()
    item.properties[box.kind] = box


def _read_references(boxes: Boxes, references: Box, items: dict[int, Item]) -> None:
    numbers = Numbers(boxes.data, references.body, references.stop)
    version, _ = numbers.version()
    size = 2 if version == 0 else 4
    for box in boxes.within(numbers.place, references.stop):
        entry = Numbers(boxes.data, box.body, box.stop)
        origin = entry.next(size)
        targets = tuple(entry.next(size) for _ in boxes.entries(entry.next(2)))
        if box.kind == b"dimg" and origin in items:
            if items[origin].sources:
                raise damaged()
            items[origin].sources = targets
        elif box.kind == b"auxl" and origin in items:
            for target in targets:
                if target in items:
                    items[target].auxiliary[origin] = None
