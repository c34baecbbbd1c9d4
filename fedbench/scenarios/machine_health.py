"""Predictive maintenance of machines in eight plants."""

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
    title="Machine failures, 8 plants",
    story=(
        "Eight plants with ten machines each predict which machine fails within its next twelve "
        "readings, from vibration, oil temperature, pressure and current. Loads and climates "
        "differ from plant to plant, and every plant's sensors are slightly off. Failures are "
        "rare, so judge models by the AUC. Test machines are never used for training."
    ),
    questions=(
        "Set Sensor shift to 2: how much does one model lose when plants are badly calibrated?",
        "Use 50 steps a round and 8 rounds: what does communicating a fifth as often cost?",
        "Choose Linear as the model: does it predict failures any worse?",
    ),
    made=_made,
    real=_real,
)
