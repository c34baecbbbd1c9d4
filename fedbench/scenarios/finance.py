"""Ten banks that predict loan defaults together without sharing their customers' records."""

from fedbench.data import Banks, CreditDefault, Dirichlet, Natural
from fedbench.experiment import Experiment
from fedbench.models import MLP, Linear
from fedbench.scenarios.scenario import Scenario
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Banks(),
        partition=Natural(),
        model=Linear(),
        training=LocalTraining(steps=10, batch_size=64, lr=0.1),
        rounds=40,
    )


def _real() -> Experiment:
    # the real set names no bank: ten are made, whose shares of defaults differ
    return _made().replace(
        data=CreditDefault(),
        partition=Dirichlet(clients=10, alpha=3.0),
        model=MLP(hidden=(32,)),
        **{"training.lr": 0.2},
    )


finance = Scenario(
    name="finance",
    title="Credit risk, 10 banks",
    story=(
        "Ten banks in different regions predict which loans default, without showing each other "
        "their customers. Defaults are rare: about 9 % of the test loans, so approving every loan "
        "is right nine times in ten. Judge models by the AUC, not by accuracy. The test loans are "
        "the latest ones, and the signs of default drift over time."
    ),
    questions=(
        "Let three of the ten banks lie (Attack: LabelFlip by 0.3): does CoordinateMedian help?",
        "Set Regional spread to 2: is one model still good enough for every bank?",
        "At that spread, does FineTuning recover what each bank reaches alone?",
    ),
    made=_made,
    real=_real,
)
