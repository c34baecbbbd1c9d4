"""Traffic speed on the roads of twelve operators, fifteen minutes ahead."""

from fedbench.data import LosLoop, Natural, Traffic
from fedbench.experiment import Experiment
from fedbench.models import MLP
from fedbench.participation.sampling import FixedCohort
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FedAvg
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Traffic(operators=12, sensors=2, days=7, incidents=4),
        partition=Natural(),
        model=MLP(hidden=(32,)),
        training=LocalTraining(steps=40, batch_size=64, lr=0.05),
        strategy=FedAvg(weighting="uniform"),
        rounds=40,
    )


def _real() -> Experiment:
    # 207 sensors, each a client: a tenth of them a round
    return _made().replace(data=LosLoop(), sampling=FixedCohort(size=20), **{"training.lr": 0.02})


traffic = Scenario(
    name="traffic",
    title="Traffic speed, 12 operators",
    story=(
        "Twelve operators predict the speed at their road sensors fifteen minutes ahead, from the "
        "last hour and the time of day, without sharing any measurements. Each has watched two "
        "sensors for a week: enough to learn its own peak hours, too little to have seen how "
        "speeds recover after every kind of incident."
    ),
    questions=(
        "Predict 12 steps ahead, an hour: does one model for all still beat training alone?",
        "Set Incidents to 0: what is left to learn from the other operators?",
        "Set Mix to 2 and choose Ditto: who does better with a personal model?",
    ),
    made=_made,
    real=_real,
)
