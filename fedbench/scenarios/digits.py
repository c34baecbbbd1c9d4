"""Handwritten digits on a hundred phones: the workbench's first experiment."""

from fedbench.data import MNIST, Digits, Dirichlet
from fedbench.experiment import Experiment
from fedbench.models import Linear
from fedbench.participation.sampling import Poisson
from fedbench.privacy import ClientLevelDP
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FedAvg
from fedbench.training import LocalTraining


def _made() -> Experiment:
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


def _real() -> Experiment:
    return _made().replace(data=MNIST(), **{"training.lr": 0.5})


digits = Scenario(
    name="digits",
    title="Handwritten digits, 100 phones",
    story=(
        "A hundred phones learn to recognise handwritten digits at client-level ε = 8. Each phone "
        "holds about fourteen images, with its own mix of digits. No image leaves its phone. Only "
        "clipped updates are sent; noise on their sum hides whether any one phone took part."
    ),
    questions=(
        "How much accuracy does ε = 1 cost, and does it cost less with 400 phones?",
        "Lower α to 0.1: which drops more, the average phone or the worst tenth?",
        "Train for 60 rounds at the same ε: does it help?",
    ),
    made=_made,
    real=_real,
)
