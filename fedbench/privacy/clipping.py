"""How a client's update is bounded before anything of it is released."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from fedbench.config.declared import Claim
from fedbench.config.spec import Part

if TYPE_CHECKING:
    from torch import Tensor

    from fedbench.tree import Tree

Norms = tuple[float, ...]  # of each group of leaves
# Norms that noise multipliers up to 10,000 turn into noise that single precision holds, and whose
# updates it still tells apart: beyond them a run computes infinities, or learns nothing.
NORMS = (1e-6, 1e6)
LEAST = 1e-30  # factor below which the numbers of a vector leave the range of single precision


DECIDING = ("groups", "start", "spends", "move")  # what decides the norms, and what they cost


class Clipping(Part, family=True):
    """Clips each group of an update's leaves to its own norm; by default all are one group."""

    # Whether each leaf is in one group, and norms follow updates by noisy shares that `spends` says
    # the price of, and by nothing else.
    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        DECIDING,
        "leave updates longer than their clipping norm, or choose norms that reveal data",
        "choose FlatClipping",
    )

    def groups(self, payload: Tree) -> list[list[str]]:
        """Return the names of the leaves that share a norm."""
        return [list(payload)]

    def start(self, clip: float, groups: int) -> Norms:
        """Return the first norms, whose whole is `clip`."""
        return (clip / math.sqrt(groups),) * groups

    def spends(self) -> float:
        """Return the share of a round's privacy that goes into learning the norms."""
        return 0.0

    def move(self, norms: Norms, within: Sequence[float]) -> Norms:
        """Return the next norms; `within` is the noisy share of clients that each one contained."""
        return norms


class FlatClipping(Clipping):
    """One fixed norm for the whole update (McMahan et al. 2018, arXiv:1710.06963)."""


class PerLayerClipping(Clipping):
    """A fixed norm for each layer, C / √layers, so that the whole stays within C.

    Source: McMahan et al. 2018 (arXiv:1710.06963). Large layers cannot crowd out small ones.
    """

    keeps_privacy: ClassVar[bool] = True

    display: ClassVar[str] = "Per-layer clipping"

    def groups(self, payload: Tree) -> list[list[str]]:
        """Return the leaves of each layer."""
        return layers(payload)


class AdaptiveClipping(Clipping):
    """A norm that follows a quantile of the clients' norms (Andrew et al. 2021, arXiv:1905.03871).

    Each client also sends whether its update was within the norm, as ½ or -½. The noisy mean moves
    the norm: C ← C exp(-η (share within - quantile)). Learning it takes a part of the same privacy:
    with noise σ on the sum of these bits, updates get noise (z⁻² - (2σ)⁻²)^-½ in place of z. Here
    `share` = z² / (2σ)² says how large that part is.
    """

    keeps_privacy: ClassVar[bool] = True

    quantile: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            title="Quantile",
            description=(
                "share γ of updates within the norm: smaller clips more and needs less noise"
            ),
            json_schema_extra={
                "slider": [0.05, 0.95, 0.05],
                "formula": "C ← C·exp(−η(b − γ)), b the noisy share within C",
            },
        ),
    ] = 0.5
    rate: Annotated[
        float,
        Field(
            gt=0,
            le=5,
            title="Rate η",
            description="how fast the norm adapts: larger is faster and less stable",
            json_schema_extra={
                "slider": [0.01, 1, 0.01],
                "scale": "log",
                "formula": "C ← C·exp(−η(b − γ)), b the noisy share within C",
            },
        ),
    ] = 0.2
    share: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            title="Share",
            description=(
                "part s of each round's privacy that is spent on learning the norm: more gives "
                "a better estimate and adds noise to updates"
            ),
            json_schema_extra={
                "slider": [0.001, 0.5, 0.001],
                "scale": "log",
                "formula": "z_Δ = z/√(1 − s), σ_b = z/(2√s)",
            },
        ),
    ] = 0.05
    per_layer: Annotated[
        bool, Field(title="Per layer", description="one norm per layer instead of one for all")
    ] = False

    def groups(self, payload: Tree) -> list[list[str]]:
        """Return the leaves of each layer, or all of them."""
        return layers(payload) if self.per_layer else super().groups(payload)

    def spends(self) -> float:
        """Return `share`."""
        return self.share

    def move(self, norms: Norms, within: Sequence[float]) -> Norms:
        """Return each norm a step nearer to its quantile; no step is longer than one can undo.

        A norm that is not within `NORMS` goes no further away from them.
        """
        steps = (
            math.exp(-self.rate * (min(max(inside, 0.0), 1.0) - self.quantile)) for inside in within
        )
        return tuple(
            min(max(norm * step, min(norm, NORMS[0])), max(norm, NORMS[1]))
            for norm, step in zip(norms, steps, strict=True)
        )


def factors(norms: Tensor, bound: float) -> Tensor:
    """Return what vectors with these norms are multiplied by to be within `bound`, like `norms`.

    It is 0 where the norm is not finite, or so large that single precision cannot hold the product
    to the bound: such a vector counts as nothing.
    """
    import torch

    found = (bound / norms.clamp(min=1e-12)).clamp(max=1.0)
    counts = (norms <= torch.finfo(torch.float32).max) & (found >= LEAST)
    return torch.where(counts, found, torch.zeros_like(found))


def held(payloads: Tree, norms: Tensor, bound: float) -> dict[str, Tensor]:
    """Return payloads [C, ...] scaled down to `bound` where their norms [C] are larger.

    A payload that is not finite becomes nothing: whatever a client sends, it is within the bound.
    """
    import torch

    from fedbench import tree

    shares = factors(norms, bound)
    scaled = tree.scale(payloads, shares)
    counts = shares > 0
    if bool(counts.all()):
        return scaled
    return {
        name: torch.where(counts.view(-1, *[1] * (leaf.dim() - 1)), leaf, torch.zeros_like(leaf))
        for name, leaf in scaled.items()
    }


def layers(payload: Tree) -> list[list[str]]:
    """Return the names of the leaves by layer: `0.weight` and `0.bias` belong together."""
    found: dict[str, list[str]] = {}
    for name in payload:
        found.setdefault(name.rpartition(".")[0], []).append(name)
    return list(found.values())
