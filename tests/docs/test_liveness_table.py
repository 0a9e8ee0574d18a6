"""docs/models.md has the error rates that the liveness cards state."""

from evaluation.error_rates import error_rates
from models.card import Card
from models.catalogue import cards
from tests.conftest import PROJECT

KINDS = ("print-nuaa", "celebaspoof", "other", "replay")


def row(entry: Card) -> str:
    """The line of a card in the table."""
    stated = entry.threshold("live")
    assert stated.bona_fide
    rates = {rate.name: rate.figure for rate in error_rates(stated.bona_fide, stated.attacks)}
    names = ("BPCER", *(f"APCER {kind}" for kind in KINDS), "APCER of all attacks")
    return f"| `{entry.name}` | {' | '.join(rates[name] for name in names)} |"


def test_the_table_is_made_of_the_cards() -> None:
    text = (PROJECT / "docs" / "models.md").read_text("utf-8")
    assert [entry.name for entry in cards().values() if entry.task == "liveness" and row(entry) not in text] == []
