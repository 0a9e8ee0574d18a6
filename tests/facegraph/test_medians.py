"""Medians of figures that are known by name."""

from facegraph.medians import medians_by_name


def test_a_median_is_over_the_mappings_that_have_the_figure() -> None:
    assert medians_by_name([{"a": 1.0, "b": 5.0}, {"a": 9.0}, {"a": 2.0}]) == {"a": 2.0, "b": 5.0}
