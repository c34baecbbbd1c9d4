"""What the true model scores, where a simulator knows what is true."""

from __future__ import annotations

import numpy as np

from fedbench.config.problems import expect
from fedbench.data import Source
from fedbench.models import Linear, scores

SURE = 1e-12  # a probability is at least this far from 0 and 1, so that its logit is finite


def oracle(source: Source) -> dict[str, float] | None:
    """Return the scores on the test set of who knows the truth; None where no truth is known.

    Metrics are those of a run: accuracy and loss by the true probability of the second class, or
    RMSE, MAE, R² and loss by the true mean. It is a score on these rows and no bound: on few of
    them chance can beat it. It is known of simulated worlds (`fedbench.data.simulated`), and holds
    for rows without skews.
    """
    import torch

    expect(source, Source, "source")
    data = source.load()
    truth = data.test_truth
    if truth is None:
        return None
    if data.card.task == "classification":
        sure = np.clip(truth, SURE, 1 - SURE)
        best = np.log(sure) - np.log1p(-sure)
    else:
        best = (truth - data.card.target_mean) / data.card.target_std
    outputs, targets = torch.from_numpy(best)[:, None], torch.from_numpy(data.y_test)
    losses = Linear().loss(outputs, targets)
    metrics, _ = scores(data.card, outputs, targets, losses, np.array([0, len(best)]))
    return metrics
