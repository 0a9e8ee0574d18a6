"""The headers of AV1 pictures (AV1 Bitstream & Decoding Process Specification)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imaging.av1 import av1_work
from imaging.refused import Refused
from tests.imaging.coded_headers import BitWriter, av1_unit

SEQUENCE, TEMPORAL_DELIMITER, FRAME_HEADER, FRAME = 1, 2, 3, 6
KEY, SWITCH = 0, 3
CHOSEN_PER_FRAME = 2


class Headers:
    """Draws a sequence header (5.5) and the headers of its frames (5.9)."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data
        self.width, self.height = self.number(65536, 1), self.number(65536, 1)
        self.reduced = self.flag()
        self._time_bits = self._id_bits = 0
        self._screen_content = self._integer_motion = CHOSEN_PER_FRAME

    def flag(self) -> bool:
        return self._data.draw(st.booleans())

    def number(self, most: int, least: int = 0) -> int:
        return self._data.draw(st.integers(least, most))

    def sequence(self) -> bytes:
        bits = BitWriter().put((0, 3), (1, 1), (self.reduced, 1))
        if self.reduced:
            bits.put((8, 5))
        else:
            self._put_timing(bits)
        last = [self.width - 1, self.height - 1]
        sizes = [self.number(16, max(each.bit_length(), 1)) for each in last]
        bits.put(*((size - 1, 4) for size in sizes), *zip(last, sizes, strict=True))
        if not self.reduced:
            has_ids, delta, more = self.flag(), self.number(12), self.number(7)
            bits.put((has_ids, 1), (delta, 4 * has_ids), (more, 3 * has_ids))
            self._id_bits = (delta + 2 + more + 1) * has_ids
        bits.put((self.number(7), 3))
        if not self.reduced:
            self._put_tools(bits)
        return av1_unit(SEQUENCE, bits.put((0, 20)).data(), extended=self.flag())

    def _put_timing(self, bits: BitWriter) -> None:
        has_timing, equal, has_model, delay_bits = self.flag(), False, False, 0
        bits.put((has_timing, 1))
        if has_timing:
            equal, has_model = self.flag(), self.flag()
            bits.put((1, 32), (30, 32), (equal, 1)).put_golomb(*[self.number(9)] * equal).put((has_model, 1))
        if has_model:
            delay_bits, time_bits = self.number(32, 1), self.number(32, 1)
            bits.put((delay_bits - 1, 5), (1, 32), (9, 5), (time_bits - 1, 5))
            self._time_bits = 0 if equal else time_bits
        has_delay, points = self.flag(), self.number(4, 1)
        bits.put((has_delay, 1), (points - 1, 5))
        for _ in range(points):
            level, own_model, own_delay = self.number(31), has_model and self.flag(), has_delay and self.flag()
            bits.put((0, 12), (level, 5), (0, level > 7))
            bits.put((own_model, has_model), (1, (2 * delay_bits + 1) * own_model))
            bits.put((own_delay, has_delay), (5, 4 * own_delay))

    def _put_tools(self, bits: BitWriter) -> None:
        order, chosen = self.flag(), self.flag()
        bits.put((0, 4), (order, 1), (0, 2 * order), (chosen, 1))
        if not chosen:
            self._screen_content = self.number(1)
            bits.put((self._screen_content, 1))
        if self._screen_content:
            chosen = self.flag()
            self._integer_motion = CHOSEN_PER_FRAME if chosen else self.number(1)
            bits.put((chosen, 1), (self._integer_motion, not chosen))

    def frame(self, own_size: bool = False) -> bytes:
        """The header of a frame that does or does not override the size of the sequence."""
        kind = self.number(SWITCH if own_size else SWITCH - 1)
        shown, screen_content = self.flag(), self.flag()
        bits = BitWriter().put((0, 1), (kind, 2), (shown, 1), (0, self._time_bits if shown else 1))
        bits.put((0, kind != SWITCH and not (kind == KEY and shown)), (0, 1))
        if self._screen_content == CHOSEN_PER_FRAME:
            bits.put((screen_content, 1))
        else:
            screen_content = self._screen_content == 1
        bits.put((0, screen_content and self._integer_motion == CHOSEN_PER_FRAME), (0, self._id_bits))
        bits.put((own_size, kind != SWITCH), (0, 40))
        return av1_unit(self._data.draw(st.sampled_from([FRAME_HEADER, FRAME])), bits.data())


def refusal(coded: bytes) -> str:
    with pytest.raises(Refused) as caught:
        av1_work(coded)
    return caught.value.code


@given(st.data(), st.integers(0, 3), st.sampled_from([0, 127, 128, 300]))
def test_work_is_the_largest_picture_and_the_number_of_frames(data: st.DataObject, frames: int, spare: int) -> None:
    one, other = Headers(data), Headers(data)
    coded = other.sequence() + av1_unit(TEMPORAL_DELIMITER, bytes(spare)) + one.sequence()
    pixels = max(one.width * one.height, other.width * other.height)
    assert av1_work(coded + b"".join(one.frame() for _ in range(frames))) == (pixels, frames)


@given(st.data())
def test_a_frame_with_its_own_size_is_too_complex(data: st.DataObject) -> None:
    headers = Headers(data)
    coded = headers.sequence() + headers.frame(own_size=True)
    if headers.reduced:
        assert av1_work(coded) == (headers.width * headers.height, 1)
    else:
        assert refusal(coded) == "IMAGE_TOO_COMPLEX"


def test_broken_headers_are_damage() -> None:
    for broken in (av1_unit(FRAME, b"\0"), av1_unit(SEQUENCE, b"\0"), b"\x0a\5abc", b"\x0a" + b"\x80" * 9, b"\x0a"):
        assert refusal(broken) == "INVALID_IMAGE"


def test_too_many_units_are_too_complex() -> None:
    assert av1_work(b"\x12\0" * 1025) == (0, 0)
    assert refusal(b"\x12\0" * 1026) == "IMAGE_TOO_COMPLEX"
