"""Reads numbers of any bit length from a coded header."""

from imaging.photo_errors import damaged


class BitReader:
    """Reads the bits of `data` from the byte offset `start` to `stop`, most significant first.

    Raises:
        RequestError: ``INVALID_IMAGE`` from any read past `stop`.
    """

    def __init__(self, data: bytes | bytearray, start: int = 0, stop: int | None = None) -> None:
        self._data = data
        self._next = 8 * start
        self._stop = 8 * (len(data) if stop is None else stop)

    @property
    def place(self) -> int:
        """Offset of the byte that contains the next bit."""
        return self._next // 8

    def read(self, count: int) -> int:
        """Read `count` bits as an unsigned number."""
        first, self._next = self.place, self._next + count
        if self._next > self._stop:
            raise damaged()
        return int.from_bytes(self._data[first : -(-self._next // 8)]) >> -self._next % 8 & (1 << count) - 1

    def flag(self) -> bool:
        """Read one bit."""
        return self.read(1) == 1

    def exp_golomb(self) -> int:
        """Read an unsigned number of variable length: ``ue(v)`` in ITU-T H.265, ``uvlc()`` in AV1."""
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > 32:
                raise damaged()
        return (1 << zeros) - 1 + self.read(zeros)
