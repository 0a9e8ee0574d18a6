"""The headers of AV1 pictures (AV1 Bitstream & Decoding Process Specification)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.av1 import av1_work
from tests.imaging.coded_headers import av1_sequence, av1_unit, bits
from tests.imaging.pictures import refusal

SEQUENCE, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME = 1, 2, 3, 6
KEY, SWITCH = 0, 3
WIDTH, HEIGHT = 40_001, 701
SIZE = f"1111 1001 {WIDTH - 1:016b} {HEIGHT - 1:010b}"
TICKS, POINT = "01" * 32, "010101010101"
TIMINGS = {
    f"0 0 00000 {POINT} 00111": 0,
    f"0 1 00001 {POINT} 00111 1 0101 {POINT} 01000 1 0": 0,
    f"1 {TICKS} 1 0001100 0 0 00000 {POINT} 00111": 0,
    f"1 {TICKS} 0 1 00110 {'01' * 16} 01010 00010 0 00001 {POINT} 00111 1 010101010101010 {POINT} 01000 1 0": 3,
    f"1 {TICKS} 1 0001100 1 00110 {'01' * 16} 01010 00010 0 00000 {POINT} 00111 0": 0,
}
"""Timing and operating points, with the number of bits of a frame's time."""
IDS = {"0": 0, "1 0011 010": 8}
"""Whether frames are numbered, with the number of bits of a frame's number."""
TOOLS = {"010 0101 0 1 1": "cc", "010 0101 1 01 1 0 1": "c1", "010 0101 1 01 0 1 1": "1c", "010 0101 0 0 0": "0c"}
"""Coding tools: whether frames have screen content and whole motion vectors; ``c`` where each frame says so."""


def frame(time: int, number: int, tools: str, kind: int, shown: str, screen: str, own_size: str, other: str) -> bytes:
    """The header of a frame (5.9): the bits of its time and its number, and its fields; `other` fills all others."""
    text = f"0 {kind:02b} {shown}" + other * (time if shown == "1" else 1)
    text += other * (kind != SWITCH and not (kind == KEY and shown == "1")) + other
    text += screen * (tools[0] == "c")
    screen = screen if tools[0] == "c" else tools[0]
    return bits(text + other * (screen == "1" and tools[1] == "c") + other * number + own_size * (kind != SWITCH))


digits = st.sampled_from("01")


@given(*map(st.sampled_from, (sorted(TIMINGS), sorted(IDS), sorted(TOOLS))), st.integers(0, 3), *[digits] * 4)
def test_work_counts_pixels_and_frames_and_a_frame_with_its_own_size_is_too_complex(
    timing: str, ids: str, tools: str, kind: int, shown: str, screen: str, own_size: str, other: str
) -> None:
    sequence = av1_unit(SEQUENCE, bits("000 1 0", timing, SIZE, ids, tools, "0" * 20), extended=other == "1")
    assert av1_work(sequence) == (WIDTH * HEIGHT, 0)
    header = frame(TIMINGS[timing], IDS[ids], TOOLS[tools], kind, shown, screen, own_size, other)
    if kind == SWITCH or own_size == "1":
        assert refusal(av1_work, sequence + av1_unit(FRAME, header)).code == "IMAGE_TOO_COMPLEX"
    else:
        assert av1_work(sequence + av1_unit(FRAME_HEADER, header) * 2) == (WIDTH * HEIGHT, 2)


@pytest.mark.parametrize("spare", [0, 127, 128, 300])
def test_the_largest_picture_counts_and_reduced_headers_have_no_own_size(spare: int) -> None:
    large, small, other = av1_sequence(70, 65_536), av1_sequence(30, 20), av1_unit(TEMPORAL_DELIMITER, bytes(spare))
    for coded in (large + other + small, small + other + large):
        assert av1_work(coded + av1_unit(FRAME, b"\x7f" * 9)) == (70 * 65_536, 1)


def test_broken_headers_are_damage() -> None:
    for broken in (av1_unit(FRAME, b"\0"), av1_unit(SEQUENCE, b"\0"), b"\x0a\5abc", b"\x0a" + b"\x80" * 9, b"\x0a"):
        assert refusal(av1_work, broken).code == "INVALID_IMAGE"


def test_too_many_units_are_too_complex() -> None:
    assert av1_work(b"\x12\0" * 1025) == (0, 0)
    assert refusal(av1_work, b"\x12\0" * 1026).code == "IMAGE_TOO_COMPLEX"
