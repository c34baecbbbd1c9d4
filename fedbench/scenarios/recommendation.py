"""Films for ten cinemas' regulars."""

from fedbench.data import GroupedNatural, MovieLens100K, Ratings
from fedbench.experiment import Experiment
from fedbench.models import MatrixFactorisation
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FedAdam
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Ratings(),
        partition=GroupedNatural(clients=10),
        model=MatrixFactorisation(factors=4),
        training=LocalTraining(batch_size=32, lr=0.3),
        strategy=FedAdam(server_lr=0.1, tau=1e-4),
        rounds=40,
    )


def _real() -> Experiment:
    return _made().replace(data=MovieLens100K(), rounds=30)


recommendation = Scenario(
    name="recommendation",
    title="Films for ten cinemas' regulars",
    story=(
        "Ten cinemas want to foretell how many stars their regulars give a film. Each knows twenty "
        "people, who rated forty of 120 films each, and keeps the ratings to itself. A cinema sees "
        "a film rated six or seven times, all of them together some 67 times: what people "
        "make of a film is learnt together."
    ),
    questions=(
        "Choose FedAvg: how far behind does it fall, where few clients move each number?",
        "Set Taste to 0, so that all agree on what is good: what do more rounds learn then?",
        "Let there be 50 cinemas of four regulars each: does it still work?",
    ),
    made=_made,
    real=_real,
)
