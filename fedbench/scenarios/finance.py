"""Ten banks that foretell defaults together and keep their customers to themselves."""

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
    title="Credit risk at ten banks",
    story=(
        "Ten banks of different regions foretell which credits default, without showing one "
        "another a customer. Defaults are rare, some 9 % of the credits that are tested, so that "
        "who grants every credit is right nine times in ten: the AUC tells what is learnt, not the "
        "accuracy. The credits that are tested are the latest, and the signs of trouble drift."
    ),
    questions=(
        "Let three of the ten banks lie (Attack: LabelFlip by 0.3): does CoordinateMedian help?",
        "Set Regional spread to 2: is one model still good enough for every bank?",
        "At that spread, does FineTuning win back what each bank has alone?",
    ),
    made=_made,
    real=_real,
)
