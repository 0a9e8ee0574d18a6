"""Builds HEIC and AVIF files box by box around small coded pictures.

The pictures in ``heic`` have 128x64 pixels, red growing to the right and green to the bottom. They were made by libheif
with x265, which the tests do not need. The files ``grid_*`` contain four pictures as tiles, have their data in an
``idat`` box, and use twice as many bytes for numbers as usual.
"""

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from imaging.faces import Pixels
from imaging.heif_boxes import BoxReader, read_items
from tests.imaging.pictures import encoded

FOLDER = Path(__file__).with_name("heic")
WIDTH, HEIGHT = 128, 64
ESSENTIAL = (b"hvcC", b"av1C", b"irot", b"imir", b"clap")
FILES = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.heic"))}


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, *parts: bytes, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24), *parts)


def extent(width: int, height: int) -> bytes:
    return full_box(b"ispe", struct.pack(">II", width, height))


def turned(quarters: int) -> bytes:
    return box(b"irot", bytes([quarters]))


def mirrored(axis: int) -> bytes:
    return box(b"imir", bytes([axis]))


@dataclass
class Part:
    """An item to build: its type, data and properties, and the items that it refers to by kind of reference."""

    kind: bytes
    data: bytes
    properties: list[bytes]
    references: dict[bytes, list[int]] = field(default_factory=dict)

    def sized(self, width: int, height: int) -> "Part":
        """The same part with another size in its header."""
        others = [each for each in self.properties if each[4:8] != b"ispe"]
        return Part(self.kind, self.data, [*others, extent(width, height)], self.references)

    def having(self, *properties: bytes) -> "Part":
        """The same part with more properties."""
        return Part(self.kind, self.data, [*self.properties, *properties], self.references)

    def holding(self, data: bytes) -> "Part":
        """The same part with other data."""
        return Part(self.kind, data, self.properties, self.references)


def heif(*parts: Part, before: bytes = b"", behind: bytes = b"", extents: int = 1, primary: int = 1) -> bytes:
    """A file of the parts, numbered from 1, with other boxes before and after its ``meta`` box."""
    brand = b"avif" if any(part.kind == b"av01" for part in parts) else b"heic"

    def file(offset: int) -> bytes:
        entries, locations, associations, references, properties, data = b"", b"", b"", b"", list[bytes](), b""
        for number, part in enumerate(parts, 1):
            name = struct.pack(">H", number)
            entries += full_box(b"infe", name, bytes(2), part.kind, b"\0", version=2)
            place = struct.pack(">II", offset + len(data), len(part.data)) * extents
            locations += name + struct.pack(">HH", 0, extents) + place
            data += part.data
            associations += name + bytes([len(part.properties)])
            for each in part.properties:
                properties.append(each)
                associations += bytes([len(properties) | (each[4:8] in ESSENTIAL) << 7])
            for kind, targets in part.references.items():
                references += box(kind, name, struct.pack(f">{1 + len(targets)}H", len(targets), *targets))
        count = struct.pack(">H", len(parts))
        meta = full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(">H", primary)),
            full_box(b"iloc", b"\x44\0", count, locations),
            full_box(b"iinf", count, entries),
            full_box(b"iref", references),
            box(b"iprp", box(b"ipco", *properties), full_box(b"ipma", struct.pack(">I", len(parts)), associations)),
        )
        return box(b"ftyp", brand, bytes(4), b"mif1", brand) + before + meta + behind + box(b"mdat", data)

    return file(file(0).rindex(b"mdat") + 4)


def coded(name: str = "eight_bits", data: bytes | None = None) -> Part:
    """The coded picture of a file, of any codec."""
    data = FILES[name] if data is None else data
    boxes = BoxReader(data)
    (meta,) = (each for each in boxes.within(0, len(data)) if each.kind == b"meta")
    items, primary = read_items(boxes, meta)
    item = items[primary]
    properties = [
        data[each.start : each.stop] for kind, each in item.properties.items() if kind in (b"hvcC", b"av1C", b"ispe")
    ]
    return Part(item.kind, b"".join(data[start:stop] for start, stop in item.extents), properties)


def grid(columns: int, rows: int, width: int, height: int, tiles: list[int]) -> Part:
    data = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    return Part(b"grid", data, [extent(width, height)], {b"dimg": tiles})


Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
UPRIGHT: Pixels = np.dstack([X * 255 // WIDTH, Y * 255 // HEIGHT, (X + Y) % 256]).astype(np.uint8)
"""What the coded pictures show."""
HEIC, AVIF = coded(), coded(data=encoded(UPRIGHT, "AVIF", quality=90, speed=8))
codecs = pytest.mark.parametrize("part", [HEIC, AVIF], ids=["HEIC", "AVIF"])
