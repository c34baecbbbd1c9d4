"""Tomorrow's load in the districts of a city, whose meters are new."""

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
    title="The load of a city's districts",
    story=(
        "Twenty-four districts foretell their electric load by the hour, from calendar, weather "
        "and events. Their meters are two months old, so that each knows little by itself. What a "
        "district is built of, homes, offices or industry, is not among the features, so one model "
        "for all falls short: each district fine-tunes the shared one for itself, and its own is "
        "drawn beside it."
    ),
    questions=(
        "Set Mix to 2, one kind of building each: is the shared model still worth having?",
        "Set Days to 366: with a year of hours, do districts still need one another?",
        "Ask only six districts a round (FixedCohort of 6): what does it save, and what is lost?",
    ),
    made=_made,
    real=_real,
)
