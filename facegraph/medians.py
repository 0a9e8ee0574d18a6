"""Medians of figures that are known by name."""

from collections.abc import Iterable, Mapping
from statistics import median


def medians_by_name(figures: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the median of each figure over the mappings that have it."""
    values: dict[str, list[float]] = {}
    for each in figures:
        for name, value in each.items():
            values.setdefault(name, []).append(value)
    return {name: median(entries) for name, entries in values.items()}
