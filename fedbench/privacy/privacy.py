"""What is promised to whom: no privacy, or differential privacy for whole clients or examples."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from fedbench.channel.stage import Stage
from fedbench.config.declared import undeclared
from fedbench.config.kinds import is_user_class
from fedbench.config.problems import unsound
from fedbench.config.spec import Part
from fedbench.privacy import accounting
from fedbench.privacy.clipping import NORMS
from fedbench.privacy.events import EVENTS, Kind

if TYPE_CHECKING:
    import numpy as np
    from dp_accounting import DpEvent


Release = tuple[float, int]  # the rate at which a unit is sampled, and how often

# What decides whether the noise is what ε says: methods and class variables of mechanisms.
MECHANISM = (
    *("bind", "solved", "event", "spent", "noises", "stages", "measured", "source", "bits"),
    *("batches", "perturbation", "shares", "clipped", "norms", "draw"),
    *("kind_of_noise", "alone", "plain_sum", "noise_on_server"),
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
    decoded, so that what they do to an update counts.

    `keeps_privacy` declares that what a round releases about a unit, by `stages`, `measured` and,
    for examples, by `batches`, `shares` and `perturbation`, is a mechanism that loses no more than
    `event` says. A class that overrides a method on which ε depends has to declare it anew, else
    the experiment is refused.
    """

    keeps_privacy: ClassVar[bool] = False
    plain_sum: ClassVar[bool] = False
    noise_on_server: ClassVar[bool] = False

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

    `unit` is what ε protects, `level` what that ε is called, `neighbours` what it means. Where
    `alone`, each client has an account of its own and the largest ε is reported.
    """

    unit: ClassVar[str]
    level: ClassVar[str]
    neighbours: ClassVar[str]
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


def unfounded(privacy: Private) -> str | None:
    """Return why the ε of a mechanism may be wrong, or None."""
    known = next((each for each in type(privacy).__mro__ if not is_user_class(each)), Private)
    ours = "ClientLevelDP, ExampleLevelDP, LocalGaussian or LocalLaplace"
    remedy = f"choose {ours if known.family else known.__name__}"
    return undeclared(privacy, Privacy, MECHANISM, "release what ε does not cover", remedy)


def source(noise_seed: int | None, *key: int) -> np.random.Generator:
    """Return a fresh random generator for noise: of (noise_seed, *key), or of the system."""
    import numpy as np

    return np.random.default_rng(_seed(noise_seed, *key))


def _seed(noise_seed: int | None, *key: int) -> list[int] | None:
    """Return (noise_seed, *key) as a seed, or None: 128 bits of the operating system's."""
    return None if noise_seed is None else [noise_seed, *key]
