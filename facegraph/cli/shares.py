"""Shares of faces or photos in tables and as JSON."""

from collections.abc import Mapping

from evaluation.intervals import Share

SHARE_COLUMNS = ("of", "share", "95 % interval")
"""Headings of `share_cells` after that of the count."""


def share_cells(share: Share) -> tuple[str, str, str, str]:
    """The cells of a share: its count, the number that it is of, percent, and interval."""
    estimate = share.estimate
    interval = f"{_percent(estimate.low)} to {_percent(estimate.high)}"
    return str(share.count), str(share.of), _percent(estimate.value), interval


def share_json(share: Share) -> Mapping[str, float]:
    """A share with its interval."""
    return {"count": share.count, "of": share.of, "low": share.estimate.low, "high": share.estimate.high}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
