"""The error rates of a liveness card, computed from its counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.figures import rounded
from evaluation.intervals import Estimate, wilson
from models.card import Attack, BonaFide


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """A named error rate, such as BPCER: the number of photos that were classified wrongly."""

    name: str
    errors: int
    photos: int

    @property
    def estimate(self) -> Estimate:
        """The rate with its 95 % Wilson interval."""
        return wilson(self.errors, self.photos)

    @property
    def figure(self) -> str:
        """The rate with counts and interval, such as ``4.88 % (10 of 205; 2.67 % to 8.75 %)``."""
        share = self.estimate
        between = f"{rounded(share.low)} to {rounded(share.high)}"
        return f"{rounded(share.value)} ({self.errors} of {self.photos}; {between})"

    def __str__(self) -> str:
        return f"{self.name} {self.figure}"


def error_rates(bona_fide: BonaFide, attacks: Sequence[Attack]) -> list[ErrorRate]:
    """BPCER, the APCER of each kind of attack, and the APCER of all attacks."""
    return [
        ErrorRate("BPCER", bona_fide.rejected, bona_fide.photos),
        *(ErrorRate(f"APCER {attack.kind}", attack.passed, attack.photos) for attack in attacks),
        ErrorRate(
            "APCER of all attacks", sum(attack.passed for attack in attacks), sum(attack.photos for attack in attacks)
        ),
    ]
