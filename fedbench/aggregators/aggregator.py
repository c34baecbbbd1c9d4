"""How the payloads of a cohort become one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from fedbench.config.declared import undeclared
from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


COMBINING = ("is_sum", "combine")  # on which the sensitivity of a sum rests


class Aggregator(Part, family=True):
    """A rule that combines payloads.

    `is_sum` declares that the result is linear in the payloads, as noise on the sum and secure
    aggregation require. `keeps_privacy` declares that it is Σ wᵢ·payloadᵢ / Σ wᵢ exactly, for which
    noise is calibrated; a class that overrides `combine` has to declare it anew, else client-level
    privacy is refused.
    """

    is_sum: ClassVar[bool] = False
    keeps_privacy: ClassVar[bool] = False

    def refuses(self, cohort: int) -> str | None:
        """Return why this rule cannot combine so many clients, or None."""
        return None

    def tolerates(self, cohort: int) -> int | None:
        """Return how many of so many clients may be corrupt; None if any single one can mislead."""
        return None

    @abstractmethod
    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return one payload from payloads[C, ...] and weights[C].

        `total` replaces the sum of the weights as the divisor (the expected cohort, under privacy).
        """


def unweighed(aggregator: Aggregator) -> str | None:
    """Return why an aggregator is not known to be the mean that noise is scaled for, or None."""
    risk = "weigh a client by more than noise is calibrated for"
    return undeclared(aggregator, Aggregator, COMBINING, risk, "choose Mean")
