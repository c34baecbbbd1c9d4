"""A plan's batches as tensors, for tests that train by another road."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fedbench.data import FederatedDataset


@dataclass(frozen=True)
class Batches:
    """x[C, S, B, ...], y[C, S, B], mask[C, S, B]; `mask` is 1 for a sample and 0 for padding."""

    ids: NDArray[np.int64]
    x: Tensor
    y: Tensor
    mask: Tensor
    sizes: NDArray[np.int64]


def stacked_batches(data: FederatedDataset, ids: NDArray[np.int64], **settings) -> Batches:
    """Return the batches of the clients `ids` for one round; see `FederatedDataset.plan`."""
    rows = data.plan(ids, **settings).rows
    taken = rows.clip(min=0)
    return Batches(
        ids=ids,
        x=torch.from_numpy(data.x[taken]),
        y=torch.from_numpy(data.y[taken]),
        mask=torch.from_numpy((rows >= 0).astype(np.float32)),
        sizes=data.sizes_of(ids),
    )
