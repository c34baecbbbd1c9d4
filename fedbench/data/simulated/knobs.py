"""What simulators have in common: knobs, and numbers that are drawn one column at a time."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

MADE = "simulated by fedbench: no row describes a real person, firm or machine"
LICENCE = "none needed"

FEWEST = 30  # rows a client, on average

SimulationSeed = Annotated[
    int,
    Field(
        ge=0,
        title="World seed",
        description="number that decides which world is simulated; the split has its own",
    ),
]


def knob(title: str, description: str, most: float = 2) -> Any:
    """Return a field of how strongly something is simulated, from 0 (not at all)."""
    return Field(
        ge=0,
        le=most,
        title=title,
        description=description,
        json_schema_extra={"slider": [0, most, most / 20]},
    )


def too_few(count: int, total: int) -> str:
    """Return why so few rows cannot be shared out."""
    return f"{total:,} rows are too few for {count} clients; choose at least {FEWEST * count:,}"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def intercept(score: NDArray[np.float64], rate: float) -> float:
    """Return what is to be added to `score` so that the mean of sigmoid is `rate`."""
    from scipy.optimize import root_scalar

    far = 60.0 + float(np.abs(score).max())
    found = root_scalar(lambda b: float(sigmoid(score + b).mean()) - rate, bracket=(-far, far))
    return float(found.root)


def shares(count: int, total: int, spread: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` whole sizes that sum to `total`, log-normal with deviation `spread`.

    Each is at least about a tenth of the mean, so that every client has something to learn. Raises
    ValueError where there are fewer than FEWEST for each.
    """
    if total < FEWEST * count:
        raise ValueError(too_few(count, total))
    weight = np.exp(spread * rng.standard_normal(count))
    weight /= weight.mean()
    weight = np.maximum(weight, 0.1)
    edges = np.round(np.cumsum(weight) / weight.sum() * total).astype(np.int64)
    return np.diff(np.concatenate([[0], edges]))
