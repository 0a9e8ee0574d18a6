"""What this machine's CPU can do with 8-bit integers."""

import functools
import platform
from pathlib import Path

INFORMATION = Path("/proc/cpuinfo")

VNNI = {"avx512_vnni", "avx_vnni"}


@functools.cache
def adds_exactly() -> bool:
    """Whether ONNX Runtime adds products of unsigned and signed bytes without an overflow here.

    x86 CPUs do with VNNI alone, as far as Linux tells of it; others, such as ARM's, always do. See "When and why do I
    need to try U8U8?" in ONNX Runtime's documentation of quantisation.
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    try:
        lines = INFORMATION.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not VNNI.isdisjoint(flags)
