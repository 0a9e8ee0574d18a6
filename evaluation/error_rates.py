"""The error rates of a liveness card, computed from its counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.figures import rounded
from evaluation.intervals import Share
from models.card import Attack, BonaFide


@dataclass(frozen=True, slots=True)
class ErrorRate(Share):
    """A named error rate, such as BPCER: the share of photos that were classified wrongly."""

    name: str

    @property
    def figure(self) -> str:
        """The rate with counts and interval, such as ``4.88 % (10 of 205; 2.67 % to 8.75 %)``."""
        share = self.estimate
        between = f"{rounded(share.low)} to {rounded(share.high)}"
        return f"{rounded(share.value)} ({self.count} of {self.of}; {between})"

    def __str__(self) -> str:
        return f"{self.name} {self.figure}"


def error_rates(bona_fide: BonaFide, attacks: Sequence[Attack]) -> list[ErrorRate]:
    """BPCER, the APCER of each kind of attack, and the APCER of all attacks."""
    return [
        ErrorRate(bona_fide.rejected, bona_fide.photos, "BPCER"),
        *(ErrorRate(attack.passed, attack.photos, f"APCER {attack.kind}") for attack in attacks),
        ErrorRate(
            sum(attack.passed for attack in attacks), sum(attack.photos for attack in attacks), "APCER of all attacks"
        ),
    ]
