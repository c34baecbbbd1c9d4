"""Heart disease in four hospitals of unequal size, private for each patient."""

from fedbench.channel.privacy import ExampleLevelDP
from fedbench.data import HeartDisease, Hospitals, Natural
from fedbench.experiment import Experiment
from fedbench.models import Linear
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
    title="Heart disease in four hospitals",
    story=(
        "Four hospitals foretell heart disease from age, sex and six findings. They differ as the "
        "four of UCI Heart Disease do: the largest learns from some 240 patients, of whom about "
        "half are ill, the smallest from some 40, nearly or wholly all of them ill: there, who "
        "calls everybody ill is right. No record leaves a hospital, and what does is private for "
        "each single patient, at ε ≤ 4."
    ),
    questions=(
        "What happens to the smallest hospital at ε = 1, and what at 0.1?",
        "Take Ditto as the strategy: which hospital is better off with a model of its own?",
        "Set Case mix to 0, so that patients are alike everywhere: who gains most by sharing?",
    ),
    made=_made,
    real=_real,
)
