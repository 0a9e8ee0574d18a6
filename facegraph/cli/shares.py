"""Formats proportions with confidence intervals, for tables and JSON."""

from collections.abc import Mapping

from evaluation.figures import rounded
from evaluation.intervals import Share

SHARE_COLUMNS = ("of", "share", "95 % interval")
"""Column headings for `share_cells`, without the first (the count)."""


def share_cells(share: Share) -> tuple[str, str, str, str]:
    """Return table cells: count, total, percentage and interval."""
    estimate = share.estimate
    interval = f"{rounded(estimate.low)} to {rounded(estimate.high)}"
    return str(share.count), str(share.of), rounded(estimate.value), interval


def share_json(share: Share) -> Mapping[str, float]:
    """Return the proportion as JSON, with its 95 % interval."""
    return {"count": share.count, "of": share.of, "low": share.estimate.low, "high": share.estimate.high}
