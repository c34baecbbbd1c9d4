"""A mechanism of a user's own is treated by what it says, wherever privacy matters."""

from __future__ import annotations

from typing import ClassVar

import pytest
from pydantic import ValidationError

import fedbench as fb
from fedbench.config.problems import problems
from fedbench.privacy import Private
from fedbench.study import differences


class Household(Private):
    """Noise on the sum of the updates of households."""

    keeps_privacy: ClassVar[bool] = True
    unit: ClassVar[str] = "client"
    level: ClassVar[str] = "household-level"
    neighbours: ClassVar[str] = "one household's updates are what they are, or nothing"
    protects: ClassVar[str] = "household (all updates of it)"
    covered: ClassVar[str] = "one household"
    plain_sum: ClassVar[bool] = True

    def stages(self) -> tuple[fb.Stage, ...]:
        return known(self).stages()


def known(own: Private) -> fb.ClientLevelDP:
    """Return our mechanism that does the same."""
    fields = {name: getattr(own, name) for name in Private.model_fields}
    return fb.ClientLevelDP(**fields)


OWN = Household(noise_multiplier=2.0, noise_seed=1)
WINE = {
    "data": fb.Wine(),
    "partition": fb.IID(clients=4),
    "strategy": fb.FedAvg(weighting="uniform"),
    "rounds": 2,
}


def test_it_runs_as_ours_does_and_has_a_card_of_its_own() -> None:
    own = fb.Experiment(**WINE, privacy=OWN)
    ours = own.replace(privacy=known(OWN))
    assert own.sampling == fb.Poisson()
    mine, other = (fb.run(each, progress=False) for each in (own, ours))
    assert mine.frame()["epsilon"].notna().all()
    for name in ("accuracy", "loss", "epsilon", "update_norm"):
        assert mine.frame()[name].equals(other.frame()[name])
    assert mine.level == "household-level" and "household-level noise z = 2" in own.describe()
    card = mine.privacy_card()
    assert "differentially private for each household (all updates of it)" in card.statement
    words = dict(card.lines)
    assert words["Mechanism"].startswith("Gaussian noise added once by a trusted server")
    assert words["Clipping"] == "each update to Euclidean norm 1"
    assert "The number of clients, which the divisor of the sum reveals." in card.not_covered
    assert differences.names([own, ours], [1, 2])[0] == "household-level noise z = 2"


@pytest.mark.parametrize(
    ("setting", "path"),
    [
        ({"strategy": fb.FedAvg(weighting="samples")}, "strategy.weighting"),
        ({"strategy": fb.FedNova(weighting="uniform")}, "strategy.kind"),
        ({"aggregator": fb.CoordinateMedian()}, "aggregator.kind"),
        ({"channel": (fb.Clip(clipping=fb.AdaptiveClipping()),)}, "channel.0.clipping.kind"),
        ({"schedule": fb.Cyclic()}, "privacy.kind"),
        (
            {"sampling": fb.FixedCohort(size=2), "devices": fb.Devices(over_selection=2.0)},
            "devices.over_selection",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_go_with_a_servers_noise_cannot_go_with_it(
    setting: dict[str, object], path: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(**{**WINE, "privacy": OWN, **setting})
    assert [each.path for each in problems(caught.value)] == [path]


def test_what_means_little_is_said() -> None:
    said = fb.Experiment(**WINE, privacy=OWN.replace(delta=0.5)).cautions()
    assert any("privacy.delta = 0.5 is not below 1/clients" in each for each in said)
    assert any("privacy.noise_seed = 1: simulation only" in each for each in said)
    shared = {**WINE, "partition": fb.Population(clients=50, samples=20)}
    said = fb.Experiment(**shared, privacy=OWN).cautions()
    assert any("and ε covers one household; what k clients hold" in each for each in said)


def test_an_update_is_inverted_only_under_noise_that_is_known() -> None:
    with pytest.raises(ValueError, match="Household is not a mechanism that is known here"):
        fb.gradient_inversion(fb.Experiment(**WINE, privacy=OWN))


class Deaf(Household):
    """Checks nothing, and declares nothing anew."""

    keeps_privacy: ClassVar[bool] = False

    def check(self, setup: object) -> tuple[()]:  # pyright: ignore
        return ()


def test_what_epsilon_rests_on_is_asked_whatever_a_class_checks() -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(**{**WINE, "strategy": fb.FedAvg()}, privacy=Deaf(noise_multiplier=2.0))
    paths = [each.path for each in problems(caught.value)]
    assert paths == ["privacy.kind", "strategy.weighting"]


class Twice(fb.Synchronous):
    """Trains the same clients twice in a round that is paid for once."""

    def step(self, federation, progress):
        chosen = federation.select(progress)
        now, legs = progress, []
        for _ in range(2):
            sent = federation.dispatch(now)
            legs.append(federation.collect(sent, chosen.answers.ids, now.clients, chosen.timer))
            now = federation.aggregate(now, sent, legs[-1])
        return federation.finish(progress, now, chosen, legs)


def test_a_schedule_that_overrides_is_refused_under_privacy() -> None:
    with pytest.raises(ValidationError) as caught:
        fb.Experiment(**WINE, privacy=OWN, schedule=Twice())
    (found,) = problems(caught.value)
    assert found.path == "schedule.kind"
    assert found.message == (
        "step() of Twice may release more of a client than tests.privacy.test_own:Household "
        "counts; choose Synchronous, or set keeps_privacy = True in Twice if it keeps what "
        "Schedule.keeps_privacy says"
    )
    assert fb.Experiment(**WINE, schedule=Twice()).schedule == Twice()
