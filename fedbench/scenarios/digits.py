"""Handwritten digits on a hundred phones: the workbench's first experiment."""

from fedbench.channel.privacy import ClientLevelDP
from fedbench.data import Digits, Dirichlet
from fedbench.experiment import Experiment
from fedbench.models import Linear
from fedbench.sampling import Poisson
from fedbench.strategies import FedAvg
from fedbench.training import LocalTraining


def digits() -> Experiment:
    """Return the first experiment: a hundred phones learn to read digits within client-level ε = 8.

    Each phone holds about fourteen images with its owner's own mix of digits, and none leaves it:
    only clipped updates do, whose noisy sum hides whether any one phone took part.
    """
    return Experiment(
        data=Digits(),
        partition=Dirichlet(clients=100, alpha=1.0),
        model=Linear(),
        training=LocalTraining(steps=3, batch_size=None, lr=2.0),
        strategy=FedAvg(weighting="uniform"),
        sampling=Poisson(rate=0.5),
        privacy=ClientLevelDP(epsilon=8, delta=1e-3, clip=1.0),
        rounds=30,
    )
