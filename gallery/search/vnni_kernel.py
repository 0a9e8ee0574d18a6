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
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from gallery.search.code_kernels import CODES, FOUND, LOWEST

MOST_PROBES = 15
"""Maximum number of probes. The sixteenth sum is that of the face's codes."""
SHIFT = 128
"""VPDPBUSD multiplies unsigned with signed numbers. This is added to the codes of probes, so that none is negative."""
_SUMS = MOST_PROBES + 1
_ROWS = 5
"""Rows compared at the same time, because each addition waits for the one before in the same sum."""
_AHEAD = 16384
"""How far ahead codes are fetched from memory, in bytes: into the second cache, because the first is full of probes."""
_BYTE, _INT, _LONG, _FLOAT = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_BYTES, _INTS, _FLOATS = ir.VectorType(_BYTE, 4 * _SUMS), ir.VectorType(_INT, _SUMS), ir.VectorType(_FLOAT, _SUMS)


@cache
def is_supported(size: int) -> bool:
    """Whether this processor can compare embeddings of this length with `near_to_several`."""
    settings: Any = numba.config
    # With other settings, Numba does not compile, or not for this processor.
    unusual = not settings.ENABLE_AVX or settings.DISABLE_JIT or settings.CPU_NAME or settings.CPU_FEATURES
    return size % 4 == 0 and not unusual and bool(binding.get_host_cpu_features().get("avx512vnni"))


def near_to_several(probes: NDArray[np.int8]) -> Callable[..., int]:
    """Return a function that does the same as `code_kernels.near_to_few`, without its argument `probes`.

    Args:
        probes: int8 (at most `MOST_PROBES`, size).
    """
    count, size = probes.shape
    shifted = np.ones((_SUMS, size), np.uint8)
    shifted[:count] = probes.astype(np.int16) + SHIFT
    packed = shifted.reshape(_SUMS, size // 4, 4).transpose(1, 0, 2).ravel()
    limits, block_scores = np.full(_SUMS, np.inf, np.float32), np.empty((_ROWS, _SUMS), np.float32)

    def near(codes: Any, scales: Any, lowest: NDArray[np.float32], *found: Any) -> int:
        limits[:count] = lowest
        return compiled()(packed, codes, scales, limits, block_scores, *found)

    return near


def _block(rows: int) -> Callable[..., int]:
    """Return a function that compares `rows` rows from index `row`.

    It writes the scores, float32 (rows, 16), and returns a nonzero number if any score reaches its probe's limit.

    The probes are unsigned codes: four numbers of each of 16 probes, then the next four. The last probe has only ones.
    """

    def build(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def array(argument: int) -> Any:
            return context.make_array(signature.args[argument])(context, builder, values[argument])

        def at(start: Any, offset: Any, kind: Any) -> Any:
            moved = builder.gep(start, [_LONG(offset) if isinstance(offset, int) else offset])
            return builder.bitcast(moved, kind.as_pointer())

        def load(start: Any, offset: Any, kind: Any) -> Any:
            return builder.load(at(start, offset, kind), align=1)

        def repeated(value: Any, kind: Any) -> Any:
            first = builder.insert_element(kind(ir.Undefined), value, _INT(0))
            return builder.shuffle_vector(first, kind(ir.Undefined), _INTS([0] * _SUMS))

        def function(name: str, result: Any, arguments: list[Any]) -> Any:
            known = builder.module.globals.get(name)
            return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)

        multiply_add = function("llvm.x86.avx512.vpdpbusd.512", _INTS, [_INTS, _BYTES, _BYTES])
        prefetch = function("llvm.prefetch.p0", ir.VoidType(), [_BYTE.as_pointer(), _INT, _INT, _INT])
        probes, codes, scales, limits, scores = (
            builder.bitcast(array(argument).data, _BYTE.as_pointer()) for argument in (0, 1, 2, 3, 5)
        )
        size = builder.extract_value(array(1).shape, 1)
        codes = at(codes, builder.mul(values[4], size), _BYTE)
        scales = at(scales, builder.mul(values[4], _LONG(4)), _BYTE)
        with cgutils.for_range_slice(builder, _LONG(0), builder.mul(size, _LONG(rows)), _LONG(64)) as (ahead, _):
            target = at(codes, builder.add(ahead, _LONG(_AHEAD)), _BYTE)
            builder.call(prefetch, [target, _INT(0), _INT(2), _INT(1)])
        with builder.goto_entry_block():
            sums = [builder.alloca(_INTS) for _ in range(rows)]
        for each in sums:
            builder.store(_INTS([0] * _SUMS), each)
        with cgutils.for_range_slice(builder, _LONG(0), size, _LONG(4)) as (column, _):
            numbers = load(probes, builder.mul(column, _LONG(_SUMS)), _BYTES)
            for row, each in enumerate(sums):
                offset = builder.add(builder.mul(size, _LONG(row)), column)
                code = repeated(load(codes, offset, _INT), _INTS)
                added = builder.call(multiply_add, [builder.load(each), numbers, builder.bitcast(code, _BYTES)])
                builder.store(added, each)
        least = load(limits, 0, _FLOATS)
        near = ir.VectorType(ir.IntType(1), _SUMS)([0] * _SUMS)
        for row, each in enumerate(sums):
            total = builder.load(each)
            shift = builder.mul(builder.extract_element(total, _INT(MOST_PROBES)), _INT(SHIFT))
            products = builder.sitofp(builder.sub(total, repeated(shift, _INTS)), _FLOATS)
            scored = builder.fmul(products, repeated(load(scales, 4 * row, _FLOAT), _FLOATS))
            builder.store(scored, at(scores, 4 * _SUMS * row, _FLOATS), align=1)
            near = builder.or_(near, builder.fcmp_ordered(">=", scored, least))
        return builder.zext(builder.bitcast(near, ir.IntType(_SUMS)), _LONG)

    def block(_context: Any, probes: Any, codes: Any, scales: Any, limits: Any, row: Any, scores: Any) -> Any:
        return types.int64(probes, codes, scales, limits, row, scores), build

    whole: Callable[..., int] = intrinsic(block)
    return whole


_compare_several, _compare_one = _block(_ROWS), _block(1)


@cache
def compiled() -> Callable[..., int]:
    """Return the compiled function of `near_to_several`. Compiling it takes a quarter of a second."""

    # The arrays for limits and scores are arguments because making arrays here would load 30 MB of Numba's code.
    def near(
        probes: Any, codes: Any, scales: Any, limits: Any, block_scores: Any, rows: Any, numbers: Any, scores: Any
    ) -> int:
        found = row = 0
        while row < len(codes):
            if row + _ROWS <= len(codes):
                count, some = _ROWS, _compare_several(probes, codes, scales, limits, row, block_scores)
            else:
                count, some = 1, _compare_one(probes, codes, scales, limits, row, block_scores)
            if some:
                for each in range(count):
                    for probe in range(MOST_PROBES):
                        if block_scores[each, probe] >= limits[probe]:
                            rows[found], numbers[found] = row + each, probe
                            scores[found] = block_scores[each, probe]
                            found += 1
            row += count
        return found

    signature = f"int64(uint8[::1], {CODES}, {LOWEST}, float32[:, ::1], {FOUND})"
    function: Callable[..., int] = njit(signature, nogil=True)(near)
    return function
