"""Frauds that have not reached every bank yet."""

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
    title="Frauds new to some of eight banks",
    story=(
        "Eight banks look for fraud among 60,000 card payments, of which 1.8 % are frauds, of four "
        "patterns. For most of the year each bank has met only one of them; in the last fifth, on "
        "which models are tested, all four have reached everybody. What a bank has not seen, "
        "another has, and no payment leaves its bank."
    ),
    questions=(
        "Set Unseen to 0, every bank having met every pattern: what is left of the lead?",
        "Choose Ditto: does a bank's own model help against frauds that it has not met?",
        "Ask for example-level ε = 4: is any fraud still told from honest payments?",
    ),
    made=_made,
)
