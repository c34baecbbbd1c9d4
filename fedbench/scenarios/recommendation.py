"""Film ratings from ten cinemas."""

from fedbench.data import GroupedNatural, MovieLens100K, Ratings
from fedbench.experiment import Experiment
from fedbench.models import MatrixFactorisation
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FedAdam
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Ratings(),
        partition=GroupedNatural(clients=10, noun="cinema"),
        model=MatrixFactorisation(factors=4),
        training=LocalTraining(batch_size=32, lr=0.3),
        strategy=FedAdam(server_lr=0.1, tau=1e-4),
        rounds=40,
    )


def _real() -> Experiment:
    return _made().replace(data=MovieLens100K(), rounds=30)


recommendation = Scenario(
    name="recommendation",
    title="Film ratings, 10 cinemas",
    story=(
        "Ten cinemas predict how many stars their regular customers give a film. Each cinema has "
        "twenty regulars, who rated forty of 120 films each, and shares no rating. One cinema has "
        "six or seven ratings of a film; all ten together have about 67, so there is more to "
        "learn about each film together than alone."
    ),
    questions=(
        "Choose FedAvg: how far does it fall behind when each number is updated by few clients?",
        "Set Taste to 0, so that all users agree: what do more rounds still improve?",
        "Set 50 cinemas with four regulars each: does it still work?",
    ),
    made=_made,
    real=_real,
)
