"""What a subclass overrides is not known to keep privacy, unless the subclass declares that."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
import pytest
from dp_accounting import DpEvent
from numpy.typing import NDArray
from pydantic import Field, ValidationError

import fedbench as fb
from fedbench.channel import Encoded, Sending
from fedbench.channel.stage import ACTING
from fedbench.config.kinds import is_user_class
from fedbench.config.problems import problems
from fedbench.config.spec import Part
from fedbench.data.skews import Holder, Skew
from fedbench.data.skews.skew import Rows
from fedbench.data.values import Features
from fedbench.participation.sampling import DRAWING, Sampling
from fedbench.privacy import Clipping, Privacy, Private, accounting
from fedbench.privacy.clipping import DECIDING
from fedbench.privacy.events import gaussian
from fedbench.privacy.privacy import MECHANISM
from fedbench.tree import Tree

UNIFORM = fb.Experiment(
    data=fb.Wine(),
    partition=fb.IID(clients=4),
    strategy=fb.FedAvg(weighting="uniform"),
    sampling=fb.Poisson(rate=0.5),
    rounds=2,
)
KNOWN = {"noise_multiplier": 2.0, "delta": 1e-3, "noise_seed": 1}


class Cheaper(fb.ClientLevelDP):
    """Counts less than it releases."""

    def event(self, rate: float) -> DpEvent:
        return gaussian(rate, 100.0)


class Unclipped(fb.ExampleLevelDP):
    """Takes gradients as they are."""

    def shares(self, norms: Any, losses: Any) -> Any:
        return norms * 0 + 1


class Silent(fb.LocalLaplace):
    """Adds nothing."""

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return np.zeros(shape)


class Crowded(fb.LocalGaussian):
    """Claims one account for all."""

    alone: ClassVar[bool] = False


class Quiet:
    """Adds nothing, for whatever it is mixed into."""

    def stages(self) -> tuple[fb.Stage, ...]:
        return ()


class Mixed(Quiet, fb.ClientLevelDP):
    """Overrides by another class."""


class Heir(Cheaper):
    """Overrides nothing itself."""


class Taken(fb.ClientLevelDP):
    """Takes the declaration back."""

    keeps_privacy: ClassVar[bool] = False


class Frugal(Private):
    """Solves a noise of its own."""

    def solved(self) -> float:
        return 1000.0


class Diamond(fb.ClientLevelDP, Frugal):
    """Declares nothing, and its first base did not know the second."""


class Sideways(fb.ClientLevelDP, Quiet):
    """Has the mixin last, whose methods count where a base calls on."""


class Retaken(Taken, fb.ClientLevelDP):
    """Does not give back what was taken."""


class Bare(Private):
    """Has no mechanism at all."""

    unit: ClassVar[str] = "client"
    level: ClassVar[str] = "client-level"
    neighbours: ClassVar[str] = "any"


@pytest.mark.parametrize(
    ("cls", "what", "choose"),
    [
        (Cheaper, "event() of Cheaper", "ClientLevelDP"),
        (Unclipped, "shares() of Unclipped", "ExampleLevelDP"),
        (Silent, "draw() of Silent", "LocalLaplace"),
        (Crowded, "alone of Crowded", "LocalGaussian"),
        (Mixed, "stages() of Quiet", "ClientLevelDP"),
        (Heir, "event() of Cheaper", "ClientLevelDP"),
        (Taken, "Taken", "ClientLevelDP"),
        (Diamond, "solved() of Frugal", "ClientLevelDP"),
        (Sideways, "stages() of Quiet", "ClientLevelDP"),
        (Retaken, "Retaken", "ClientLevelDP"),
        (Bare, "Bare", "ClientLevelDP, ExampleLevelDP, LocalGaussian or LocalLaplace"),
    ],
)
def test_a_mechanism_that_overrides_what_its_epsilon_rests_on_is_refused(
    cls: type[Private], what: str, choose: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        UNIFORM.replace(privacy=cls(**KNOWN))
    (found,) = problems(caught.value)
    at_fault = what.rpartition(" ")[2]
    assert str(found).startswith(
        f"privacy.kind: {what} may release what ε does not cover; choose {choose}, or set "
        f"keeps_privacy = True in {at_fault} if it keeps what Privacy.keeps_privacy says"
    )


class Renamed(fb.ClientLevelDP):
    """Adds a field, a default and words."""

    site: Annotated[str, Field(title="Site", description="where it is used")] = "here"
    delta: float = 1e-4

    def describe(self) -> str:
        return "ours"


class Doubled(Cheaper):
    """Overrides and declares."""

    keeps_privacy: ClassVar[bool] = True


class Under(Doubled):
    """Inherits what was declared."""


class Vouched(fb.ClientLevelDP, Frugal):
    """Knows both bases."""

    keeps_privacy: ClassVar[bool] = True


class Given(Retaken):
    """Declares what a base took back."""

    keeps_privacy: ClassVar[bool] = True


@pytest.mark.parametrize("cls", [Renamed, Doubled, Under, Vouched, Given])
def test_a_mechanism_that_overrides_nothing_or_declares_is_taken(cls: type[Private]) -> None:
    assert isinstance(UNIFORM.replace(privacy=cls(**KNOWN)).privacy, cls)


class Partial(fb.FlatClipping):
    """Leaves all leaves but the first unclipped."""

    def groups(self, payload: Tree) -> list[list[str]]:
        return [list(payload)[:1]]


class Sure(Partial):
    """Declares it."""

    keeps_privacy: ClassVar[bool] = True


class Plain(fb.AdaptiveClipping):
    """Another default."""

    quantile: float = 0.9


def test_clipping_that_overrides_is_refused_where_noise_goes_by_it() -> None:
    with pytest.raises(ValidationError) as caught:
        UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN, clipping=Partial()))
    (found,) = problems(caught.value)
    assert str(found).startswith("privacy.clipping.kind: groups() of Partial may leave updates")
    assert "set keeps_privacy = True in Partial" in str(found)
    private = UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN))
    with pytest.raises(ValidationError, match=r"channel\.0\.clipping\.kind\n.*groups\(\) of Part"):
        private.replace(channel=(fb.Clip(clipping=Partial()),))
    for clipping in (Sure(), Plain()):
        assert UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN, clipping=clipping))
    # what follows the clients' own noise may be anything
    examples = fb.ExampleLevelDP(**KNOWN)
    assert UNIFORM.replace(privacy=examples, channel=(fb.Clip(clipping=Partial()),))


class Loud(fb.Clip):
    """Makes updates longer."""

    def encode(self, payloads: Tree, sending: Sending) -> Encoded:
        return Encoded(payloads)


def test_a_stage_that_overrides_is_refused_under_a_servers_noise() -> None:
    private = UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN))
    with pytest.raises(ValidationError, match=r"encode\(\) of Loud .* leave it out, or set keeps_"):
        private.replace(channel=(Loud(),))
    assert UNIFORM.replace(channel=(Loud(),)).channel == (Loud(),)


class Same(fb.Poisson):
    """The first clients in every round."""

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        return np.arange(round(self.rate * clients))


class Rarely(fb.Poisson):
    """Draws as often as ever and says that it does not."""

    def expected(self, clients: int) -> float:
        return 1e-3


class Coins(Sampling):
    """A coin for each client, as Poisson sampling is in textbooks."""

    keeps_privacy: ClassVar[bool] = True
    rate: float = 0.5

    def draw(self, clients: int, rng: np.random.Generator, turn: int = 0) -> NDArray[np.int64]:
        return np.flatnonzero(rng.random(clients) < self.rate)

    def expected(self, clients: int) -> float:
        return self.rate * clients


class Named(fb.Poisson):
    """Poisson sampling under another name."""


class All(Sampling):
    """Asks whoever can be reached."""

    def among(
        self, there: NDArray[np.int64], clients: int, rng: Any, over: float, turn: int = 0
    ) -> NDArray[np.int64]:
        return there


class Reached(fb.Poisson, All):
    """Poisson's draw, and a choice that it knows nothing of."""


@pytest.mark.parametrize(
    ("sampling", "rate"),
    [(Same(), 1.0), (Rarely(), 1.0), (Reached(), 1.0), (Coins(), 0.5), (Named(), 0.5)],
    ids=["draw", "expected", "mixed", "declared", "named"],
)
def test_a_sampler_amplifies_if_it_overrides_nothing_or_declares(
    sampling: Sampling, rate: float
) -> None:
    privacy = fb.ClientLevelDP(**KNOWN)
    experiment = UNIFORM.replace(privacy=privacy, sampling=sampling)
    history = fb.run(experiment, progress=False)
    rounds = 2
    if rate == 1.0:  # each client pays for its own rounds
        cohorts = np.concatenate([row.cohort for row in history.rows])
        rounds = int(np.bincount(cohorts).max())
    assert history.rows[-1].epsilon == accounting.epsilon(rate, 2.0, rounds, 1e-3)
    said = [each for each in experiment.cautions() if "does not amplify" in each]
    at_fault = All if isinstance(sampling, All) else type(sampling)
    words = f"set keeps_privacy = True in {at_fault.__name__} if it keeps what Sampling"
    assert [words in each for each in said] == [True] * (rate == 1.0)
    card = str(dict(history.privacy_card().lines)["Sampling"])
    assert ("no amplification is claimed" in card) == (rate == 1.0)
    assert ("at rate 0.5" in card) == (rate == 0.5)


def test_sweeps_and_amended_runs_refuse_it_too() -> None:
    session = fb.Session(UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN)))
    with pytest.raises(ValidationError, match=r"event\(\) of Cheaper"):
        session.reset(session.experiment.replace(privacy=Cheaper(**KNOWN)))
    over = {"privacy": [fb.ClientLevelDP(**KNOWN), Cheaper(**KNOWN)]}
    with pytest.raises(ValueError, match=r"event\(\) of Cheaper"):
        fb.sweep(UNIFORM, over, workers=1)


class Doubled(fb.Mean):
    """Counts each payload twice."""

    def combine(self, payloads: Tree, weights: Any, total: float | None = None) -> Tree:
        return super().combine(payloads, weights * 2, total)


class Sworn(Doubled):
    """The same, whose author takes it upon herself."""

    keeps_privacy: ClassVar[bool] = True


class Telling(fb.Ditto):
    """Sends what its companion learnt."""

    def finish(self, delta: Any, anchor: Any, client: Any, server: Any, steps: Any, info: Any):
        return {name: leaf + client[name] - anchor[name] for name, leaf in delta.items()}, client


class Renamed(fb.Ditto):
    """Overrides nothing."""


class Peeking(fb.Strategy):
    """Pulls a local step towards what the client keeps."""

    def adjust(self, grads: Any, params: Any, anchor: Any, server: Any, client: Any) -> Tree:
        return {name: leaf + client.get(name, 0) for name, leaf in grads.items()}


class Blended(fb.Ditto, Peeking):
    """Ditto, by whose companion another class sends."""


class Straight(fb.FedAvg):
    """Overrides much, and has no companion."""

    def adjust(self, grads: Any, params: Any, anchor: Any, server: Any, client: Any) -> Tree:
        return grads


def test_noise_is_calibrated_for_a_mean_that_is_one() -> None:
    central = UNIFORM.replace(privacy=fb.ClientLevelDP(**KNOWN))
    with pytest.raises(ValidationError) as caught:
        central.replace(aggregator=Doubled())
    (found,) = problems(caught.value)
    assert found.path == "aggregator.kind"
    assert found.message.startswith(
        "combine() of Doubled may weigh a client by more than noise is calibrated for; choose "
    )
    central.replace(aggregator=Sworn())
    UNIFORM.replace(aggregator=Doubled(), privacy=fb.ExampleLevelDP(**KNOWN))


def test_what_a_companion_learns_without_noise_is_not_sent() -> None:
    private = UNIFORM.replace(privacy=fb.ExampleLevelDP(**KNOWN))
    with pytest.raises(ValidationError) as caught:
        private.replace(strategy=Telling())
    (found,) = problems(caught.value)
    assert found.path == "strategy.kind"
    assert found.message.startswith(
        "finish() of Telling may send what its companion learns without noise; choose Ditto, or"
    )
    with pytest.raises(ValidationError, match=r"strategy\.kind\n.*adjust\(\) of Peeking may send"):
        private.replace(strategy=Blended())
    for strategy in (fb.Ditto(), Renamed(), Straight()):
        private.replace(strategy=strategy)
    UNIFORM.replace(strategy=Telling())


class Centred(Skew):
    """Subtracts the mean of the client's rows."""

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        return (x - x.mean(0)).astype(x.dtype), y


class Turned(fb.Shift):
    """Overrides what the class above declares."""

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        return x[::-1].copy(), y


class Halved(Skew):
    """Changes each row independently of the others, and declares it."""

    keeps_privacy: ClassVar[bool] = True

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        return x / 2, y


class Moved(fb.Shift):
    """A shift under another name."""


@pytest.mark.parametrize("skew", [Centred(), Turned()])
def test_rows_that_change_each_other_are_refused_where_each_is_protected(skew: Skew) -> None:
    name = type(skew).__name__
    with pytest.raises(ValidationError) as caught:
        UNIFORM.replace(privacy=fb.ExampleLevelDP(**KNOWN), skews=(fb.Shift(), skew))
    (found,) = problems(caught.value)
    assert found.path == "skews.1.kind"
    assert found.message == (
        f"apply() of {name} may change a row by other rows of its client, and ε holds where each "
        f"changes only itself; leave it out, or set keeps_privacy = True in {name} if it keeps "
        "what Skew.keeps_privacy says"
    )
    for privacy in (fb.ClientLevelDP(**KNOWN), fb.NoPrivacy()):
        UNIFORM.replace(privacy=privacy, skews=(skew,))


def test_rows_that_change_by_themselves_are_allowed_where_each_is_protected() -> None:
    known = (fb.Shift(), fb.FeatureNoise(), fb.LabelNoise(), fb.Scaling(), fb.MissingFeatures())
    for skew in (*known, fb.LabelPermutation(), Halved(), Moved()):
        taken = UNIFORM.replace(privacy=fb.ExampleLevelDP(**KNOWN), skews=(skew,))
        assert taken.skews == (skew,)


DESCRIBING = {"display", "family", "defined", "keeps_privacy", "privacy_claim", "check", "warn"}
WORDS = {  # on cards, in cautions and in audits
    *("unit", "level", "neighbours", "protects", "covered", "added", "clips", "norm_name"),
    *("drawn", "uncovered", "describe", "describe_clipping", "beyond"),
    *("warn_of_delta", "warn_of_sampling", "on_update"),
}


@pytest.mark.parametrize(
    ("base", "listed", "beside"),
    [
        (Privacy, MECHANISM, DESCRIBING | WORDS),
        (Clipping, DECIDING, DESCRIBING),
        (Sampling, DRAWING, DESCRIBING | {"everyone", "below"}),
        (fb.Stage, (*ACTING, "sensitivity"), DESCRIBING | {"bytes_on_wire", "sees", "describe"}),
    ],
)
def test_no_member_of_a_family_is_forgotten(
    base: type[Part], listed: tuple[str, ...], beside: set[str]
) -> None:
    members = {base, *(cls for cls in base.__subclasses__())}
    while more := {sub for cls in members for sub in cls.__subclasses__()} - members:
        members |= more
    own: set[str] = set()
    for cls in (cls for cls in members if not is_user_class(cls)):
        own |= {name for name in vars(cls) if name[0] != "_" and not name.startswith("model_")}
    assert own - beside == set(listed)
