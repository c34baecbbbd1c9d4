"""What is promised to whom: no privacy, or differential privacy for whole clients or examples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from fedbench.channel.stage import Stage
from fedbench.config.declared import Claim
from fedbench.config.problems import unsound
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.privacy import accounting, exposure
from fedbench.privacy.clipping import NORMS
from fedbench.privacy.events import EVENTS, Kind

if TYPE_CHECKING:
    import numpy as np
    from dp_accounting import DpEvent

    from fedbench.privacy.client_level import ClientLevelDP
    from fedbench.privacy.example_level import ExampleLevelDP
    from fedbench.privacy.local import LocalDP


Release = tuple[float, int]  # the rate at which a unit is sampled, and how often

# What decides whether the noise is what ε says: methods and class variables of mechanisms.
MECHANISM = (
    *("bind", "solved", "event", "spent", "noises", "stages", "measured", "source", "bits"),
    *("batches", "perturbation", "shares", "clipped", "norms", "draw"),
    *("kind_of_noise", "alone", "plain_sum", "noise_on_server"),
    *("guarantee", "of_examples", "measures"),
)
PROMISE = "P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ"


def noise_field(description: str, formula: str) -> Any:
    """Return the field of the noise multiplier, which mechanisms count in norms of their own."""
    return Field(
        ge=0.01,
        le=1e4,
        title="Noise z",
        description=description,
        json_schema_extra={
            "slider": [0.1, 20, 0.01],
            "scale": "log",
            "none": "from ε",
            "formula": formula,
        },
    )


class Privacy(Part, family=True):
    """The privacy guarantee of a run.

    It decides the first stages of the channel that updates go through, and what a round costs.
    Where `plain_sum`, the guarantee is proved for an unweighted sum of updates. Where
    `noise_on_server`, the noise is added after the stages that an experiment has beside these have
    decoded, so that what they do to an update counts. `unit` is what ε protects and `level` what
    it is called; both are empty where nothing is guaranteed.

    `keeps_privacy` declares that what a round releases about a unit, by `stages`, `measured` and,
    for examples, by `batches`, `shares` and `perturbation`, is a mechanism that loses no more than
    `event` says. A class that overrides a method on which ε depends has to declare it anew, else
    the experiment is refused.
    """

    keeps_privacy: ClassVar[bool] = False
    plain_sum: ClassVar[bool] = False
    noise_on_server: ClassVar[bool] = False
    unit: ClassVar[str] = ""
    level: ClassVar[str] = ""
    privacy_claim: ClassVar[Claim] = Claim(
        MECHANISM, "release what ε does not cover", "choose {known}"
    )

    @property
    def guarantee(self) -> Private | None:
        """Return itself, with its budget and noise, or None where nothing is guaranteed."""
        return None

    @property
    def of_examples(self) -> ExampleLevelDP | None:
        """Return itself where local steps have to clip and add noise, else None."""
        return None

    @property
    def measures(self) -> bool:
        """Return whether `measured` gives the accuracy of a round, which ε then covers."""
        return False

    def measured(self, shares: np.ndarray, round: int) -> float:
        """Return the accuracy that may be known of a round, NaN where none is measured.

        `shares` has one number in [0, 1] for each client of the cohort with test rows.
        """
        return math.nan

    def describe(self) -> str:
        """Return a few words for a line that sums an experiment up; empty without privacy."""
        return ""

    def bind(self, releases: Iterable[Release]) -> Self:
        """Return the guarantee with everything solved that the plan of the run decides.

        `releases` has an entry for each kind of unit that the run will release something about.
        """
        return self

    def stages(self) -> tuple[Stage, ...]:
        """Return what the channel does for it, in order; the noise must be known."""
        return ()


class NoPrivacy(Privacy):
    """Updates are sent unchanged; no privacy is guaranteed."""


class Private(Privacy, family=True):
    """What all kinds of differential privacy share: a mechanism with noise, and its budget.

    `neighbours` is what ε means. Where `alone`, each client has an account of its own and the
    largest ε is reported.

    Other class variables are words of the privacy card and of cautions: whom ε protects
    (`protects`), which part of the data it covers (`covered`), who adds the noise (`added`), what
    is clipped (`clips`) by which norm (`norm_name`), how units are `drawn` if not as clients, and
    what is not covered (`uncovered`). Here they are those of a server that adds noise to a sum.
    """

    neighbours: ClassVar[str]
    protects: ClassVar[str] = "client (all updates of it)"
    covered: ClassVar[str] = "one client"
    added: ClassVar[str] = (
        "added once by a trusted server to the sum of clipped updates (DP-FedAvg)"
    )
    clips: ClassVar[str] = "update"
    norm_name: ClassVar[str] = "Euclidean norm"
    drawn: ClassVar[str] = ""
    uncovered: ClassVar[tuple[str, ...]] = (
        "The number of clients, which the divisor of the sum reveals.",
        "A server that adds no noise, or looks before adding it.",
    )
    kind_of_noise: ClassVar[Kind] = "gaussian"
    alone: ClassVar[bool] = False
    noise_on_server: ClassVar[bool] = True  # unless a class says that it is not so

    epsilon: Annotated[
        float | None,
        Field(
            gt=0,
            title="Budget ε",
            description=(
                "largest privacy loss ε of a run, smaller is more private: it sets the noise "
                "where z is not given, and the run stops before the round that would exceed it"
            ),
            json_schema_extra={
                "slider": [0.1, 20, 0.1],
                "scale": "log",
                "none": "no budget",
                "formula": PROMISE,
            },
        ),
    ] = None
    noise_multiplier: Annotated[
        float | None,
        noise_field(
            "noise on the sum, relative to the clipping norm: more is more private and less "
            "accurate; none computes it from ε and the rounds",
            "Σ x_i + N(0, z²C²), ‖x_i‖ ≤ C",
        ),
    ] = None
    delta: Annotated[
        float,
        Field(
            # a sampler's cut-off tail must not count: see docs/adr/0017-noise-sampler.md
            ge=1e-20,
            lt=1,
            title="δ",
            description=(
                "probability that the guarantee fails: keep it well below 1 / number of "
                "clients, or of examples"
            ),
            json_schema_extra={
                "slider": [1e-9, 0.1, 1e-9],
                "scale": "log",
                "formula": PROMISE,
            },
        ),
    ] = 1e-3
    clip: Annotated[
        float,
        Field(
            ge=NORMS[0],
            le=NORMS[1],
            title="Clipping norm C",
            description=(
                "clipping norm of one client's update, or of one example's gradient: smaller "
                "clips more of it, larger needs more noise"
            ),
            json_schema_extra={
                "slider": [0.01, 100, 0.01],
                "scale": "log",
                "formula": "Δ·min(1, C/‖Δ‖)",
            },
        ),
    ] = 1.0
    noise_seed: Annotated[
        int | None,
        Field(
            ge=0,
            title="Noise seed",
            description=(
                "number that makes the noise predictable: for tests and notebooks only, never "
                "to protect data"
            ),
            json_schema_extra={"none": "from the system"},
        ),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _some_budget(cls, data: Any) -> Any:
        if isinstance(data, dict) and not {"epsilon", "noise_multiplier"} & set(data):
            return data | {"epsilon": 4.0}
        return data

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if self.epsilon is None and self.noise_multiplier is None:
            raise unsound(
                "epsilon and noise_multiplier are both none; set a budget, such as epsilon = "
                "4, or the noise, such as noise_multiplier = 1"
            )
        return self

    @property
    def guarantee(self) -> Private:
        """Return itself."""
        return self

    def describe(self) -> str:
        """Return the budget, or the noise where there is none."""
        if self.epsilon is not None:
            return f"{self.level} ε ≤ {self.epsilon:g}"
        return f"{self.level} noise z = {self.noise_multiplier:g}"

    def describe_clipping(self) -> str:
        """Return what is clipped, for the privacy card."""
        return f"each {self.clips} to {self.norm_name} {self.clip:g}"

    def warn(self, setup: Setup) -> Iterator[str]:
        """Say what ε means little with, and what it does not cover."""
        yield from self.warn_of_delta(setup)
        yield from self.warn_of_sampling(setup)
        strategy, target = setup.strategy, setup.target
        if strategy.keeps_models():
            yield (
                f"{strategy.kind()}: models that clients keep for themselves have no noise; "
                "they are private only as long as they stay with their clients"
            )
        if target is not None and not self.measures:
            yield (
                f"target = {target.metric}: exact scores of held-out rows decide when "
                "the run ends, which ε does not cover; those rows must be public"
            )
        yield from self.beyond(setup)
        yield from exposure.uncovered_fit(setup.data)
        if self.noise_seed is not None:
            yield (
                f"privacy.noise_seed = {self.noise_seed}: simulation only, the noise "
                "is predictable and protects nobody"
            )

    def warn_of_delta(self, setup: Setup) -> Iterator[str]:
        """Say where δ is so large that one unit could be published."""
        what = "all data of one client"
        yield from exposure.large_delta(self.delta, 1 / setup.clients, "clients", what)

    def warn_of_sampling(self, setup: Setup) -> Iterator[str]:
        """Say what noise the sampling of clients costs, if any, or what it reveals."""
        if not self.alone:
            yield from exposure.sampled(setup)

    def beyond(self, setup: Setup) -> Iterator[str]:
        """Say why one row counts several times, of which ε covers one; fetches no data."""
        yield from exposure.shared_rows(setup, self.covered)

    def on_update(self, rate: float) -> ClientLevelDP | LocalDP:
        """Return the mechanism that does to one update what this does to one step of `rate`.

        Raises ValueError where none is known.
        """
        raise ValueError(
            f"privacy: {self.kind()} is not a mechanism that is known here; choose "
            "ClientLevelDP, ExampleLevelDP, LocalGaussian or LocalLaplace"
        )

    def noises(self) -> dict[str, float]:
        """Return the noise multiplier of each sum that a round releases about the same units."""
        return {"updates": self.solved()}

    def bind(self, releases: Iterable[Release]) -> Self:
        """Return a copy whose noise is known: as given, or the least that keeps every unit's ε."""
        if self.noise_multiplier is not None or self.epsilon is None:
            return self
        noise = accounting.shared_noise_multiplier(
            releases, self.epsilon, self.delta, self.kind_of_noise
        )
        return self.replace(noise_multiplier=noise)

    def event(self, rate: float) -> DpEvent:
        """Return one release about a unit that takes part with probability `rate`."""
        return EVENTS[self.kind_of_noise](rate, self.solved())

    def spent(self, releases: Iterable[Release]) -> float:
        """Return the largest ε among units with these releases; the noise must be known."""
        return accounting.shared_epsilon(releases, self.solved(), self.delta, self.kind_of_noise)

    def solved(self) -> float:
        """Return the noise multiplier. Raises ValueError before `bind`."""
        if self.noise_multiplier is None:
            raise ValueError("noise_multiplier is not solved yet: bind it to its releases first")
        return self.noise_multiplier

    def source(self, *key: int) -> np.random.Generator:
        """Return a fresh random generator; see `source`."""
        return source(self.noise_seed, *key)

    def bits(self, *key: int) -> np.random.BitGenerator:
        """Return a fresh source of random bits for much noise, the quickest of numpy's."""
        import numpy as np

        return np.random.SFC64(_seed(self.noise_seed, *key))


def source(noise_seed: int | None, *key: int) -> np.random.Generator:
    """Return a fresh random generator for noise: of (noise_seed, *key), or of the system."""
    import numpy as np

    return np.random.default_rng(_seed(noise_seed, *key))


def _seed(noise_seed: int | None, *key: int) -> list[int] | None:
    """Return (noise_seed, *key) as a seed, or None: 128 bits of the operating system's."""
    return None if noise_seed is None else [noise_seed, *key]
