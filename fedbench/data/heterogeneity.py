"""How far the clients' data differ from each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def label_distance(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each client's Jensen–Shannon distance from the federation's mix of labels.

    `counts` is [clients, strata] with at least one sample a client; the distance is the square root
    of the divergence to base 2, from 0 (the same mix) to 1 (nothing in common). Source: Endres and
    Schindelin 2003.
    """
    own = counts / counts.sum(axis=1, keepdims=True)
    whole = counts.sum(axis=0) / counts.sum()
    middle = (own + whole) / 2
    divergence = (_relative_entropy(own, middle) + _relative_entropy(whole, middle)) / 2
    return np.sqrt(divergence.clip(min=0))


def _relative_entropy(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.broadcast_to(p, q.shape)
    ratio = np.divide(p, q, out=np.ones_like(q), where=p > 0)
    return (p * np.log2(ratio)).sum(axis=1)
