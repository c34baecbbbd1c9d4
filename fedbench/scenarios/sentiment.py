"""Sentiment of reviews in eight shops."""

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
    title="Review sentiment, 8 shops",
    story=(
        "Eight shops classify their 4,000 reviews as positive or negative; the smallest shop has "
        "316. Each shop has its own words for its products. The 300 words that carry the "
        "sentiment are the same everywhere but rare: of these, a shop has seen 43 to 129 at most "
        "once. No review leaves its shop."
    ),
    questions=(
        "Set Slang to 0.3: some words change meaning between shops. Who does better alone?",
        "Spread the 4,000 reviews over 32 shops: how do the shops do alone, and together?",
        "Use 20,000 reviews: how much of the lead over training alone is left?",
    ),
    made=_made,
    real=_real,
)
