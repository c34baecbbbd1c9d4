"""Card fraud whose patterns each bank has only partly seen."""

from fedbench.data import Natural, Payments
from fedbench.experiment import Experiment
from fedbench.models import MLP
from fedbench.scenarios.scenario import Scenario
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Payments(payments=60_000, prevalence=0.015, unseen=3),
        partition=Natural(),
        model=MLP(hidden=(16,)),
        training=LocalTraining(batch_size=64, lr=0.3),
        rounds=25,
    )


fraud = Scenario(
    name="fraud",
    title="Card fraud, 8 banks",
    story=(
        "Eight banks look for fraud among 60,000 card payments. 1.8 % of the payments are fraud, "
        "in four patterns. For most of the year each bank sees only one pattern; in the last "
        "fifth, on which models are tested, every bank sees all four. A pattern that is new to "
        "one bank is known to another, and no payment leaves its bank."
    ),
    questions=(
        "Set Unseen to 0, so that every bank has seen every pattern: how much of the lead is left?",
        "Choose Ditto: does a personal model help against fraud patterns that are new to the bank?",
        "Set example-level ε to 4: can the model still separate fraud from honest payments?",
    ),
    made=_made,
)
