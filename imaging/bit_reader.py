"""Reads numbers of any bit length from a coded header."""

from imaging.refused import damaged


class BitReader:
    """Reads the bits of `data`, most significant first.

    Raises:
        Refused: ``INVALID_IMAGE`` from any read past the end.
    """

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)

    def read(self, count: int) -> int:
        """Read `count` bits as an unsigned number."""
        self._left -= count
        if self._left < 0:
            raise damaged()
        return self._value >> self._left & (1 << count) - 1

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
