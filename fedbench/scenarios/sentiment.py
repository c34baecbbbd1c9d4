"""Praise and blame in eight shops."""

from fedbench.data import Natural, Reviews, SentimentSentences
from fedbench.experiment import Experiment
from fedbench.models import TextClassifier
from fedbench.scenarios.scenario import Scenario
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=Reviews(),
        partition=Natural(),
        model=TextClassifier(width=16),
        training=LocalTraining(steps=10, batch_size=32, lr=10.0),
        rounds=40,
    )


def _real() -> Experiment:
    return _made().replace(data=SentimentSentences())


sentiment = Scenario(
    name="sentiment",
    title="Praise and blame in eight shops",
    story=(
        "Eight shops want to know which of their 4,000 reviews are praise; the smallest has 316. "
        "Each has words of its own for what it sells. The 300 words for how one liked it are the "
        "same everywhere, and rare: 43 to 129 of them a shop has read once or never. The texts "
        "stay where they were written."
    ),
    questions=(
        "Set Slang to 0.3, words meaning the opposite in places: who is better off alone?",
        "Spread the 4,000 reviews over 32 shops: what becomes of each alone, and of all together?",
        "Let there be 20,000 reviews: how much of the lead over each alone is left?",
    ),
    made=_made,
    real=_real,
)
