"""Heart disease in four hospitals of unequal size, private for each patient."""

from fedbench.data import HeartDisease, Hospitals, Natural
from fedbench.experiment import Experiment
from fedbench.models import Linear
from fedbench.privacy import ExampleLevelDP
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FedAvg
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        # trained on as many patients as the real four have, and judged by five times as many
        data=Hospitals(patients=3700, test_fraction=0.84, world_seed=1),
        partition=Natural(),
        model=Linear(),
        training=LocalTraining(steps=1, batch_size=None, lr=0.1),
        strategy=FedAvg(weighting="uniform"),
        privacy=ExampleLevelDP(epsilon=4, delta=1e-4, clip=1.0),
        rounds=40,
    )


def _real() -> Experiment:
    return _made().replace(data=HeartDisease())


medical = Scenario(
    name="medical",
    title="Heart disease, 4 hospitals",
    story=(
        "Four hospitals predict heart disease from age, sex and six findings. They differ as the "
        "four in UCI Heart Disease do: the largest trains on about 240 patients, half of them "
        "ill; the smallest on about 40, nearly all of them ill: there, calling every patient ill "
        "is almost always right. No record leaves its hospital, and what is sent is private for "
        "each patient, at ε ≤ 4."
    ),
    questions=(
        "What happens to the smallest hospital at ε = 1, and at 0.1?",
        "Choose Ditto as the strategy: which hospital does better with a personal model?",
        "Set Case mix to 0, so that patients are alike everywhere: who gains most by sharing?",
    ),
    made=_made,
    real=_real,
)
