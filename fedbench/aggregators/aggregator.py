"""How the payloads of a cohort become one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from fedbench.config.declared import Claim
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


class Aggregator(Part, family=True):
    """A rule that combines payloads.

    `is_sum` declares that the result is linear in the payloads, as noise on the sum and secure
    aggregation require. `keeps_privacy` declares that it is Σ wᵢ·payloadᵢ / Σ wᵢ exactly, for which
    noise is calibrated; a class that overrides `combine` has to declare it anew, else client-level
    privacy is refused.
    """

    is_sum: ClassVar[bool] = False
    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        ("is_sum", "combine"),  # on which the sensitivity of a sum rests
        "weigh a client by more than noise is calibrated for",
        "choose Mean",
    )

    @property
    def least(self) -> int:
        """Return how many clients this rule needs; a round with fewer changes nothing."""
        return 0

    def too_few(self, cohort: int) -> str:
        """Return what is wrong with a cohort of fewer clients than `least`."""
        return (
            f"{self.kind()} needs at least {self.least} clients in a round, and gets {cohort}; use "
            "a larger cohort"
        )

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse cohorts of fewer clients than this rule needs."""
        cohort = int(setup.sampling.expected(setup.clients))
        if cohort < self.least:
            yield Problem("aggregator", self.too_few(cohort), cohort)

    def warn(self, setup: Setup) -> Iterator[str]:
        """Warn of attackers beyond those tolerated, and of rounds that may have too few clients."""
        cohort = round(setup.sampling.expected(setup.clients))
        corrupt, most = setup.attack.share() * cohort, self.tolerates(cohort)
        if most is not None and corrupt > most:
            yield (
                f"attack = {setup.attack.kind()}: about {corrupt:.3g} of {cohort} clients in a "
                f"round attack, and {self.kind()} tolerates at most {most}"
            )
        chance = setup.sampling.below(self.least, setup.clients)
        if chance >= 1e-4:
            yield (
                f"aggregator = {self.kind()}: it needs {self.least} clients, and a round has "
                f"fewer with probability {chance:.2g}; such a round changes nothing"
            )

    def tolerates(self, cohort: int) -> int | None:
        """Return how many of so many clients may be corrupt; None if any single one can mislead."""
        return None

    @abstractmethod
    def combine(self, payloads: Tree, weights: Tensor, total: float | None = None) -> Tree:
        """Return one payload from payloads[C, ...] and weights[C].

        `total` replaces the sum of the weights as the divisor (the expected cohort, under privacy).
        """
