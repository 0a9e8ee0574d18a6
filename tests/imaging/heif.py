"""Builds HEIC and AVIF files box by box around small coded pictures.

The pictures in ``heic`` have 128x64 pixels, red growing to the right and green to the bottom. They were made by libheif
with x265, which the tests do not need.
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


def box(kind: bytes, *parts: bytes, long: bool = False) -> bytes:
    """A box; a `long` one has its size in 64 bits."""
    body = b"".join(parts)
    if long:
        return struct.pack(">I4sQ", 1, kind, 16 + len(body)) + body
    return struct.pack(">I4s", 8 + len(body), kind) + body


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


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


def heif(
    *parts: Part,
    brand: bytes = b"heic",
    before: bytes = b"",
    behind: bytes = b"",
    extents: int = 1,
    primary: int = 1,
    wide: bool = False,
    inside: bool = False,
) -> bytes:
    """A file of the parts, numbered from 1, with other boxes before and after its ``meta`` box.

    If `wide`, numbers have twice the usual bytes; if `inside`, the data is in an ``idat`` box.
    """
    identifier, location_version = ">I" if wide else ">H", 2 if wide else int(inside)

    def file(offset: int) -> bytes:
        entries, locations, associations, references, properties, data = b"", b"", b"", b"", b"", b""
        count = 0
        for number, part in enumerate(parts, 1):
            name = struct.pack(identifier, number)
            entries += full_box(b"infe", name, bytes(2), part.kind, b"\0", version=2 + wide)
            place = struct.pack(">II", offset * (not inside) + len(data), len(part.data)) * extents
            method = struct.pack(">H", inside) if location_version else b""
            locations += name + method + struct.pack(">HH", 0, extents) + place
            data += part.data
            associations += name + bytes([len(part.properties)])
            for each in part.properties:
                count += 1
                essential = each[4:8] in ESSENTIAL
                associations += struct.pack(">H", count | essential << 15) if wide else bytes([count | essential << 7])
            properties += b"".join(part.properties)
            for kind, targets in part.references.items():
                to = b"".join(struct.pack(identifier, target) for target in targets)
                references += box(kind, name, struct.pack(">H", len(targets)), to)
        associated = full_box(b"ipma", struct.pack(">I", len(parts)), associations, version=wide, flags=wide)
        meta = full_box(
            b"meta",
            full_box(b"hdlr", bytes(4), b"pict", bytes(13)),
            full_box(b"pitm", struct.pack(identifier, primary), version=wide),
            full_box(b"iloc", b"\x44\0", struct.pack(identifier, len(parts)), locations, version=location_version),
            full_box(b"iinf", struct.pack(identifier, len(parts)), entries, version=wide),
            *([full_box(b"iref", references, version=wide)] if references else []),
            box(b"iprp", box(b"ipco", properties), associated),
            *([box(b"idat", data)] if inside else []),
        )
        return (
            box(b"ftyp", brand, bytes(4), b"mif1", brand) + before + meta + behind + box(b"mdat", data * (not inside))
        )

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


def sized(part: Part, width: int, height: int) -> Part:
    """The same part with another size in its header."""
    others = [each for each in part.properties if each[4:8] != b"ispe"]
    return Part(part.kind, part.data, [*others, extent(width, height)], part.references)


def grid(columns: int, rows: int, width: int, height: int, tiles: list[int], large: bool = False) -> Part:
    """A grid of tiles; a `large` one has its size in 32 bits."""
    data = struct.pack(">BBBBII" if large else ">BBBBHH", 0, large, rows - 1, columns - 1, width, height)
    return Part(b"grid", data, [extent(width, height)], {b"dimg": tiles})


Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
UPRIGHT: Pixels = np.dstack([X * 255 // WIDTH, Y * 255 // HEIGHT, (X + Y) % 256]).astype(np.uint8)
"""What the coded pictures show."""
HEIC, AVIF = coded(), coded(data=encoded(UPRIGHT, "AVIF", quality=90, speed=8))
CODECS = {"HEIC": (HEIC, b"heic"), "AVIF": (AVIF, b"avif")}
codecs = pytest.mark.parametrize(("part", "brand"), CODECS.values(), ids=CODECS)
