"""Machines of eight plants that are to be repaired before they fail."""

from fedbench.data import CMAPSS, Fleet, Natural
from fedbench.experiment import Experiment
from fedbench.models import MLP
from fedbench.scenarios.scenario import Scenario
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Fleet(plants=8),
        partition=Natural(),
        model=MLP(hidden=(32,)),
        training=LocalTraining(steps=10, batch_size=64, lr=0.2),
        rounds=40,
    )


def _real() -> Experiment:
    return _made().replace(data=CMAPSS(), **{"training.steps": 50, "training.lr": 0.05})


machine_health = Scenario(
    name="machine_health",
    title="Machines that fail in eight plants",
    story=(
        "Eight plants with ten machines each foretell which machine fails within its next twelve "
        "readings, from vibration, oil temperature, pressure and current. They run their machines "
        "under other loads and in other climates, and their sensors are off by a little. Failures "
        "are rare, so the AUC is what counts. The machines that are tested were never trained on."
    ),
    questions=(
        "Set Sensor shift to 2: what does one model for badly calibrated plants lose?",
        "Take 50 steps a round and 8 rounds: what is lost by meeting a fifth as often?",
        "Take Linear as the model: do straight lines foretell any less?",
    ),
    made=_made,
    real=_real,
)
