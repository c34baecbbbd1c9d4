"""Tomorrow's electric load in the districts of a city with new meters."""

from fedbench.data import CityLoad, Natural, PJMLoad
from fedbench.experiment import Experiment
from fedbench.models import MLP
from fedbench.scenarios.scenario import Scenario
from fedbench.strategies import FineTuning
from fedbench.training import LocalTraining


def _made() -> Experiment:
    return Experiment(
        data=CityLoad(districts=24, days=60, mix=0.5),
        partition=Natural(),
        model=MLP(hidden=(32,)),
        training=LocalTraining(steps=30, batch_size=32, lr=0.1, lr_decay=0.95),
        strategy=FineTuning(),
        rounds=30,
    )


def _real() -> Experiment:
    return _made().replace(data=PJMLoad())


smart_city = Scenario(
    name="smart_city",
    title="Electric load, 24 districts",
    story=(
        "Twenty-four districts predict their hourly electric load from calendar, weather and "
        "events. Their meters are two months old, so each district has little data. Whether a "
        "district is made of homes, offices or industry is not among the features, so a single "
        "model fits none of them well: each district fine-tunes the shared model, and the chart "
        "shows both the shared and the personal models."
    ),
    questions=(
        "Set Mix to 2, one kind of building per district: is the shared model still useful?",
        "Set Days to 366: with a year of data, do districts still need each other?",
        "Sample six districts a round (FixedCohort of 6): what does it save, and at what cost?",
    ),
    made=_made,
    real=_real,
)
