"""The privacy loss of one release: as a quadrature, and on a grid that dominates it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fedbench.privacy.events import Mechanism

Floats = NDArray[np.float64]

ORDER = 16  # Gauss–Legendre nodes of a panel
LITTLE = 0.05  # noise below which losses are mostly that of log(1 − rate), or near ½ noise⁻²
MOST_CELLS = 650  # times `cells`: of the grid over the range of one release's loss


class Nodes(NamedTuple):
    """A loss as a quadrature: values of L, and the logarithms of their weights under P."""

    losses: Floats
    weights: Floats


def _loss(known: Mechanism, place: Floats) -> Floats:
    """L at an outcome, in standard deviations (Gaussian) or scales (Laplace) of the noise."""
    rate, noise, kind = known
    gaussian = place / noise - 0.5 / noise**2
    plain = gaussian if kind == "gaussian" else 2 * place - 1 / noise
    if rate == 1:
        return plain
    change = rate * np.expm1(np.minimum(plain, 700.0))
    small = np.abs(change) < 0.5
    large = np.logaddexp(math.log1p(-rate), math.log(rate) + plain)
    return np.where(small, np.log1p(np.where(small, change, 0.0)), large)


@lru_cache(maxsize=256)
def nodes_of(known: Mechanism, tail: float, refinement: int, remove: bool) -> Nodes:
    """The loss of one release; what is left out of either distribution has chance exp(tail)."""
    low, high = _ends(known, tail)
    if known.kind == "gaussian" and known.noise < LITTLE:
        return _quadrature(known, _graded(known, low, high, refinement), ORDER, remove)
    # log(1 − q + q e^l) has poles π·noise off the axis
    width = min(1.5, 3 * known.noise) if known.kind == "gaussian" else 4.0
    panels = max(1, math.ceil((high - low) / width)) * refinement
    return _quadrature(known, np.linspace(low, high, panels + 1), ORDER, remove)


def _graded(known: Mechanism, low: float, high: float, refinement: int) -> Floats:
    """Edges of panels as wide as the poles of the loss are far; equal ones would be noise⁻²."""
    rate, noise, _ = known
    edges = np.linspace(low, high, math.ceil((high - low) / 1.5) * refinement + 1)
    if rate == 1:
        return edges
    # the poles lie above and below the outcome that is as likely without the unit as with it
    turn = 0.5 / noise + noise * math.log((1 - rate) / rate)
    most = math.ceil(math.asinh((high - low) / noise))
    near = turn + noise * np.sinh(np.linspace(-most, most, 2 * most * refinement + 1))
    return np.unique(np.concatenate([edges, near[(low < near) & (near < high)]]))


def _quadrature(known: Mechanism, edges: Floats, order: int, remove: bool) -> Nodes:
    """Gauss–Legendre nodes between the edges; of a Laplace distribution its two ends as well."""
    points, shares = _legendre(order)
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    place = (middle + half * points[:, None]).ravel()
    log_q = np.log(half * shares[:, None]).ravel()
    if known.kind == "laplace":
        place = np.concatenate([[0.0], place, [1 / known.noise]])
        log_q = np.concatenate([[0.0], log_q, [0.0]]) - math.log(2) - place
    else:
        log_q -= 0.5 * place**2 + 0.5 * math.log(2 * math.pi)
    losses = _loss(known, place)
    return Nodes(losses, log_q + losses) if remove else Nodes(-losses, log_q)


@lru_cache
def _legendre(order: int) -> tuple[Floats, Floats]:
    """Gauss–Legendre points in −1 to 1 and their weights."""
    return np.polynomial.legendre.leggauss(order)


def _ends(known: Mechanism, tail: float) -> tuple[float, float]:
    """Outcomes between which the loss varies, but for exp(tail) of P and of Q."""
    if known.kind == "laplace":
        return 0.0, 1 / known.noise
    reach = math.sqrt(-2 * tail)
    shifted = math.sqrt(max(-2 * (tail - math.log(known.rate)), 0.0)) + 1 / known.noise
    return -reach, max(reach, shifted)


def chances_of(nodes: Nodes, tilt: float) -> Floats:
    """Chances of the nodes under P tilted by exp(tilt · L)."""
    found = nodes.weights + tilt * nodes.losses
    found = np.exp(found - found.max())
    return found / found.sum()


def density_of(known: Mechanism, tail: float, tilt: float, remove: bool) -> tuple[Floats, Floats]:
    """Of a sampled Gaussian under P tilted by exp(tilt · L): chances and the density of L.

    The density is taken at ascending outcomes, which are close together beside the noise and the
    width over which the loss leaves log(1 − rate); the chances are those between them.
    """
    low, high = _ends(known, tail)
    place: Floats = np.linspace(
        low, high, math.ceil((high - low) / (0.01 * min(1.0, known.noise))) + 1
    )
    loss = _loss(known, place)
    # dL/dplace: the share of the shifted Gaussian at this outcome, over the noise
    slope = math.log(known.rate / known.noise) + place / known.noise - 0.5 / known.noise**2 - loss
    logs = -0.5 * place**2 + ((1 + tilt) * loss if remove else -tilt * loss)
    logs -= logs.max()
    weights = np.exp(logs)
    chance = 0.5 * (weights[1:] + weights[:-1]) * (place[1] - place[0])
    total = float(chance.sum())
    # a peak that is nearly an atom is cut to 1e300, which still is as good as infinite
    return chance / total, np.exp(np.minimum(logs - slope, 690.0)) / total


def cell_of(known: Mechanism, tail: float, cells: int) -> tuple[float, bool]:
    """Width of a grid cell, and whether rare large losses made it wider than the spread asks."""
    rate, noise, kind = known
    if kind == "laplace":
        most = 1 / noise  # of the loss without sampling, which has most of its chance at both ends
        square = 2 / 3 * math.exp(min(most, 600.0)) + 1 / 3 * math.exp(-2 * most) - 1
        spread = min(rate * math.sqrt(max(square, 0.0)), most)
    else:
        # The chi-square distance of the two distributions; where it explodes, without sampling.
        spread = min(rate * math.sqrt(math.expm1(min(noise**-2, 600.0))), max(1.0, 0.5 / noise))
    largest = float(_loss(known, np.array(_ends(known, tail)))[1])
    by_spread, by_range = spread / cells, largest / (MOST_CELLS * cells)
    return max(by_spread, by_range), by_range > 2 * by_spread


@lru_cache(maxsize=32)
def grid(known: Mechanism, tail: float, cell: float, remove: bool) -> tuple[int, Floats]:
    """The loss of one release on multiples of `cell`: the first of them, and log chances under P.

    A loss between two multiples is split over both so that P and Q keep their totals.
    """
    fine = _fine_nodes(known, tail, cell, remove)
    order = np.floor(fine.losses / cell)
    first = int(order.min())
    share = np.expm1(order * cell - fine.losses) / math.expm1(-cell)  # of the upper multiple
    shift, place = fine.weights.max(), (order - first).astype(np.int64)
    chances = np.exp(fine.weights - shift)
    found = np.zeros(int(place.max()) + 2)
    found += np.bincount(place, chances * (1 - share), minlength=len(found))
    found[1:] += np.bincount(place, chances * share, minlength=len(found) - 1)
    with np.errstate(divide="ignore"):
        return first, np.log(found) + shift


def _fine_nodes(known: Mechanism, tail: float, cell: float, remove: bool) -> Nodes:
    """Nodes that resolve the cells of a grid."""
    rate, noise, kind = known
    low, high = _ends(known, tail)
    least, most = _loss(known, np.array([low, high]))
    edges = cell * np.arange(math.ceil(least / cell), math.floor(most / cell) + 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # at log(1 − q)
        small = np.log((np.expm1(np.minimum(edges, 30.0)) + rate) / rate)
    plain = edges if rate == 1 else np.where(edges < 30, small, edges - math.log(rate))
    marks = noise * plain + 0.5 / noise if kind == "gaussian" else (plain + 1 / noise) / 2
    marks = marks[np.isfinite(marks)].clip(low, high)
    coarse = np.linspace(low, high, math.ceil((high - low) / 0.02) + 1)
    return _quadrature(known, np.unique(np.concatenate([marks, coarse])), 2, remove)
