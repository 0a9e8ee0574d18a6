"""A longer fuzz of the decode gate: `python -m tests.imaging.fuzz --seconds 300` keeps what it finds in `FINDINGS`."""

import argparse
import hashlib
import itertools
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from imaging.decode import Limits, decode
from imaging.refused import Refused
from tests.imaging.mutants import mutants, seeds
from tests.photos import FOLDER

FINDINGS = Path(__file__).with_name("findings")
CODES = ("INVALID_IMAGE", "IMAGE_TOO_LARGE", "IMAGE_TOO_COMPLEX")
LIMITS = Limits(max_bytes=64 * 1024, max_pixels=1_000_000, max_dimension=40)
"""Small, so that many cases are tried, and photos are scaled down, and too large ones occur."""


def outcome(data: bytes) -> str:
    """What the gate makes of `data`: a refusal's code, or ``decoded``.

    Raises:
        Exception: the gate let something else than `Refused` out, or pixels that are none.
    """
    try:
        photo = decode(data, LIMITS)
    except Refused as refused:
        if refused.code not in CODES:
            raise
        return refused.code
    height, width, channels = photo.pixels.shape
    assert photo.pixels.dtype == np.uint8
    assert channels == 3
    assert 1 <= min(height, width) <= max(height, width) <= LIMITS.max_dimension
    assert photo.width * photo.height <= LIMITS.max_pixels
    assert 0 < photo.scale <= 1
    return "decoded"


def fails(data: bytes) -> bool:
    """Whether `data` is a finding."""
    try:
        outcome(data)
    except Exception:
        return True
    return False


def smallest(data: bytes, is_finding: Callable[[bytes], bool] = fails) -> bytes:
    """`data` with every piece left out that it can do without, from halves down to single bytes."""
    size = len(data) // 2
    while size:
        place = 0
        while place < len(data):
            less = data[:place] + data[place + size :]
            if is_finding(less):
                data = less
            else:
                place += size
        size //= 2
    return data


def fuzz(seconds: float, seed: int) -> Counter[str]:
    """Try mutants for some time, write each finding's smallest form, and count the outcomes."""
    seen: Counter[str] = Counter()
    end = time.monotonic() + seconds
    for data in itertools.takewhile(lambda _: time.monotonic() < end, mutants(seeds(FOLDER), seed)):
        try:
            seen[outcome(data)] += 1
        except Exception as error:
            seen[f"{type(error).__name__}: {error}"] += 1
            small = smallest(data)
            FINDINGS.mkdir(exist_ok=True)
            (FINDINGS / f"{hashlib.sha256(small).hexdigest()[:12]}.bin").write_bytes(small)
    return seen


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for text, times in fuzz(arguments.seconds, arguments.seed).most_common():
        print(f"{times:8} {text}")
