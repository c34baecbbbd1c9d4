"""How far the clients' data differ from each other: labels, features and sizes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.randomness import Stream, generator

if TYPE_CHECKING:
    import pandas as pd

    from fedbench.data.federated import FederatedDataset

Floats = NDArray[np.float64]

BINS = 20  # of a feature, each with as many of all rows as any other
ROWS = 4000  # of all clients, and of each, that features are compared by
FEATURES = 64  # that are compared, of those that there are

MEASURES = ("Jensen–Shannon", "Hellinger", "earth mover's")


@dataclass(frozen=True, eq=False)
class Heterogeneity:
    """Distance of each client's data from all data, by three measures each.

    `labels` and `features` are float64[clients, 3] in the order of MEASURES, from 0 (identical) to
    1 (disjoint); the earth mover's distance of features is in units of their standard deviation and
    unbounded. `features` is NaN where features are ids. `gini` of the sizes is 0 where all are
    equal and near 1 where one client holds nearly everything.
    """

    names: tuple[str, ...]
    sizes: NDArray[np.int64]
    labels: Floats
    features: Floats

    @property
    def gini(self) -> float:
        """Return the Gini coefficient of the sizes."""
        ordered, count = np.sort(self.sizes).astype(np.float64), len(self.sizes)
        places = 2 * np.arange(1, count + 1) - count - 1
        return float((places * ordered).sum() / (count * ordered.sum()))

    def frame(self) -> pd.DataFrame:
        """Return one row a client: samples and all distances."""
        import pandas as pd

        columns: dict[str, NDArray[np.generic]] = {"samples": self.sizes}
        for kind, table in (("labels", self.labels), ("features", self.features)):
            for measure, values in zip(MEASURES, table.T, strict=True):
                columns[f"{kind}, {measure}"] = values
        return pd.DataFrame(columns, index=pd.Index(self.names, name="client"))

    def overall(self) -> pd.Series:
        """Return the mean of each distance, clients by their size, and the Gini coefficient."""
        import pandas as pd

        frame = self.frame()
        share = self.sizes / self.sizes.sum()
        found = {name: float(share @ frame[name]) for name in frame.columns[1:]}
        return pd.Series(found | {"sizes, Gini": self.gini})

    def describe(self) -> str:
        """Return one sentence."""
        share = self.sizes / self.sizes.sum()
        text = f"{self.sizes.min()} to {self.sizes.max()} samples per client (Gini {self.gini:.2f})"
        text += f"; label distance {share @ self.labels[:, 0]:.2f}"
        if np.isfinite(self.features).all():
            text += f", feature distance {share @ self.features[:, 0]:.2f}"
        return f"{text} (Jensen–Shannon, 0 is even)."

    def __repr__(self) -> str:
        return f"<Heterogeneity of {len(self.names)} clients: {self.describe().removesuffix('.')}>"


def heterogeneity(data: FederatedDataset, seed: int = 0) -> Heterogeneity:
    """Return how far the training rows of each client differ from all of them.

    Features are compared by a sample of rows and of features, drawn by `seed`, where there are
    many. The earth mover's distance of classes counts every exchange of two classes as one; tenths
    of a regression target are as far from each other as they lie.
    """
    counts = data.counts()
    classes = data.card.task == "classification"
    labels = np.stack(
        [
            label_distance(counts),
            hellinger(counts),
            _moved_classes(counts) if classes else _moved_tenths(counts),
        ],
        axis=1,
    )
    features = np.full((data.clients, len(MEASURES)), np.nan)
    if not data.card.vocabulary:
        features = _features(data, generator(seed, Stream.FEATURES))
    names = tuple(data.name(client) for client in range(data.clients))
    return Heterogeneity(names, data.sizes, labels, features)


def label_distance(counts: NDArray[np.int64]) -> Floats:
    """Return each client's Jensen–Shannon distance from the federation's mix of labels.

    `counts` is [clients, strata] with at least one sample a client; the distance is the square root
    of the divergence to base 2, from 0 (the same mix) to 1 (nothing in common). Source: Endres and
    Schindelin 2003.
    """
    return _jensen_shannon(*_shares(counts))


def hellinger(counts: NDArray[np.int64]) -> Floats:
    """Return each client's Hellinger distance from the federation's mix, from 0 to 1."""
    return _hellinger(*_shares(counts))


def _shares(counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / counts.sum()


def _jensen_shannon(own: Floats, whole: Floats) -> Floats:
    middle = (own + whole) / 2
    divergence = (_relative_entropy(own, middle) + _relative_entropy(whole, middle)) / 2
    return np.sqrt(divergence.clip(min=0))


def _relative_entropy(p: Floats, q: Floats) -> Floats:
    p = np.broadcast_to(p, q.shape)
    ratio = np.divide(p, q, out=np.ones_like(q), where=p > 0)
    return (p * np.log2(ratio)).sum(axis=1)


def _hellinger(own: Floats, whole: Floats) -> Floats:
    return np.sqrt(((np.sqrt(own) - np.sqrt(whole)) ** 2).sum(axis=1) / 2)


def _moved_classes(counts: NDArray[np.int64]) -> Floats:
    own, whole = _shares(counts)
    return np.abs(own - whole).sum(axis=1) / 2


def _moved_tenths(counts: NDArray[np.int64]) -> Floats:
    own, whole = _shares(counts)
    return np.abs(np.cumsum(own - whole, axis=1)).sum(axis=1) / max(1, counts.shape[1] - 1)


def _features(data: FederatedDataset, rng: np.random.Generator) -> Floats:
    """Return the three distances, each the mean over features, float64[clients, 3]."""
    from scipy.stats import wasserstein_distance

    flat = data.x.reshape(len(data.x), -1)
    columns = np.sort(rng.permutation(flat.shape[1])[:FEATURES])
    held = [
        data.rows(client, rng.permutation(int(data.sizes[client]))[:ROWS])
        for client in range(data.clients)
    ]
    every = np.concatenate(held)
    owner = np.repeat(np.arange(data.clients), [len(rows) for rows in held])
    whole = flat[rng.permutation(every)[:ROWS]][:, columns].astype(np.float64)
    found = np.zeros((data.clients, len(MEASURES)))
    for place, column in enumerate(columns):
        values = flat[every, column].astype(np.float64)
        edges = np.unique(np.quantile(whole[:, place], np.linspace(0, 1, BINS + 1)[1:-1]))
        bins = np.searchsorted(edges, values, side="right")
        width = len(edges) + 1
        counts = np.bincount(owner * width + bins, minlength=data.clients * width)
        own = counts.reshape(data.clients, width)
        own = own / own.sum(axis=1, keepdims=True)
        all_bins = np.searchsorted(edges, whole[:, place], side="right")
        middle = np.bincount(all_bins, minlength=width) / len(whole)
        spread = whole[:, place].std() or 1.0
        found[:, 0] += _jensen_shannon(own, middle)
        found[:, 1] += _hellinger(own, middle)
        starts = np.searchsorted(owner, np.arange(data.clients + 1))
        for client, (first, last) in enumerate(pairwise(starts.tolist())):
            distance = wasserstein_distance(values[first:last], whole[:, place])
            found[client, 2] += distance / spread
    return found / len(columns)
