"""The inner loop of a search with several probes, for processors with AVX-512 VNNI.

The instruction VPDPBUSD multiplies 64 pairs of codes and adds the products in groups of four. Four numbers of a face
are multiplied with the same four numbers of 16 probes, so each of the 16 sums belongs to one probe. Numba has no such
function, so `_block` builds the loop in LLVM's language.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from gallery.search.code_kernels import CODES, FOUND, LOWEST

MOST_PROBES = 15
"""Maximum number of probes. The sixteenth sum is that of the face's codes."""
SHIFT = 128
"""VPDPBUSD multiplies unsigned with signed numbers. This is added to the codes of probes, so that none is negative."""
_SUMS = MOST_PROBES + 1
_ROWS = 5
"""Rows that are compared at the same time, because each addition waits for the one before in the same sum."""
_AHEAD = 16384
"""How far ahead codes are fetched from memory, in bytes: into the second cache, because the first is full of probes."""
_BYTE, _INT, _LONG, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_BYTES, _INTS, _FLOATS = ir.VectorType(_BYTE, 4 * _SUMS), ir.VectorType(_INT, _SUMS), ir.VectorType(_FLOAT, _SUMS)


@cache
def is_supported(size: int) -> bool:
    """Whether this processor can compare embeddings of this length with `near_to_several`."""
    features = binding.get_host_cpu_features()
    # With these settings, Numba would compile for another processor.
    chosen = numba.config.CPU_NAME or numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    return size % 4 == 0 and not chosen and bool(features.get("avx512vnni"))


def packed(probes: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the codes of probes in the order in which `near_to_several` reads them.

    Args:
        probes: int8 (at most `MOST_PROBES`, size).

    Returns:
        uint8 (size * 16): four numbers of each probe, then the next four. The last probe has only ones.
    """
    count, size = probes.shape
    shifted = np.ones((_SUMS, size), np.uint8)
    shifted[:count] = probes.astype(np.int16) + SHIFT
    return shifted.reshape(_SUMS, size // 4, 4).transpose(1, 0, 2).ravel()


@cache
def near_to_several(size: int) -> Callable[..., int]:
    """Return a function for embeddings of this length, which does the same as that of `code_kernels.near_to_few`.

    Only the first argument differs: the probes are those from `packed`.
    """
    several, one = _block(size, _ROWS), _block(size, 1)

    def near(probes: Any, codes: Any, scales: Any, lowest: Any, rows: Any, numbers: Any, scores: Any) -> int:
        found = row = 0
        lowest_of_all = np.full(_SUMS, np.inf, np.float32)
        lowest_of_all[: len(lowest)] = lowest
        block_scores = np.empty((_ROWS, _SUMS), np.float32)
        while row < len(codes):
            if row + _ROWS <= len(codes):
                count, some = _ROWS, several(probes, codes, scales, lowest_of_all, row, block_scores)
            else:
                count, some = 1, one(probes, codes, scales, lowest_of_all, row, block_scores)
            if some:
                for each in range(count):
                    for probe in range(len(lowest)):
                        if block_scores[each, probe] >= lowest[probe]:
                            rows[found], numbers[found] = row + each, probe
                            scores[found] = block_scores[each, probe]
                            found += 1
            row += count
        return found

    compiled: Callable[..., int] = njit(f"int64(uint8[::1], {CODES}, {LOWEST}, {FOUND})", nogil=True)(near)
    return compiled


def _block(size: int, rows: int) -> Callable[..., int]:
    """Return a function that compares `rows` rows from index `row`.

    It writes the scores, float32 (rows, 16), and returns another number than 0 if one is at least the probe's `lowest`.
    """

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def address(argument: int) -> Any:
            array = context.make_array(signature.args[argument])(context, builder, values[argument])
            return builder.bitcast(array.data, _BYTE.as_pointer())

        def at(start: Any, offset: Any, kind: Any) -> Any:
            moved = builder.gep(start, [_LONG(offset) if isinstance(offset, int) else offset])
            return builder.bitcast(moved, kind.as_pointer())

        def load(start: Any, offset: int, kind: Any) -> Any:
            return builder.load(at(start, offset, kind), align=1)

        def repeated(value: Any, kind: Any) -> Any:
            first = builder.insert_element(kind(ir.Undefined), value, _INT(0))
            return builder.shuffle_vector(first, kind(ir.Undefined), _INTS([0] * _SUMS))

        def function(name: str, result: Any, arguments: list[Any]) -> Any:
            known = builder.module.globals.get(name)
            return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)

        multiply_add = function("llvm.x86.avx512.vpdpbusd.512", _INTS, [_INTS, _BYTES, _BYTES])
        prefetch = function("llvm.prefetch.p0", ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        probes, lowest, scores = address(0), load(address(3), 0, _FLOATS), address(5)
        codes = at(address(1), builder.mul(values[4], _LONG(size)), _BYTE)
        scales = at(address(2), builder.mul(values[4], _LONG(4)), _BYTE)
        for offset in range(0, rows * size, 64):
            builder.call(prefetch, [at(codes, _AHEAD + offset, _BYTE), _INT(0), _INT(2), _INT(1)])
        sums = [_INTS([0] * _SUMS) for _ in range(rows)]
        for column in range(0, size, 4):
            numbers = load(probes, column * _SUMS, _BYTES)
            for row in range(rows):
                code = repeated(load(codes, row * size + column, _INT), _INTS)
                sums[row] = builder.call(multiply_add, [sums[row], numbers, builder.bitcast(code, _BYTES)])
        near = ir.VectorType(ir.IntType(1), _SUMS)([0] * _SUMS)
        for row, each in enumerate(sums):
            shift = builder.mul(builder.extract_element(each, _INT(MOST_PROBES)), _INT(SHIFT))
            products = builder.sitofp(builder.sub(each, repeated(shift, _INTS)), _FLOATS)
            scored = builder.fmul(products, repeated(load(scales, 4 * row, _FLOAT), _FLOATS))
            builder.store(scored, at(scores, 4 * _SUMS * row, _FLOATS), align=1)
            near = builder.or_(near, builder.fcmp_ordered(">=", scored, lowest))
        return builder.zext(builder.bitcast(near, ir.IntType(_SUMS)), _LONG)

    def block(_context: Any, probes: Any, codes: Any, scales: Any, lowest: Any, row: Any, scores: Any) -> Any:
        return types.int64(probes, codes, scales, lowest, row, scores), build

    compiled: Callable[..., int] = intrinsic(block)
    return compiled
