"""The one configuration: everything that decides a run."""

from __future__ import annotations

import math
from itertools import count
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from fedbench.aggregators import Aggregator, Mean
from fedbench.attacks import Attack, NoAttack
from fedbench.channel.privacy import ClientLevelDP, ExampleLevelDP, NoPrivacy, Privacy, Private
from fedbench.data import Digits, Dirichlet, FederatedDataset, Partitioner, Skew, Source
from fedbench.devices import Devices
from fedbench.engine import Engine, StackedEngine
from fedbench.models import METRICS, Linear, Model
from fedbench.sampling import Everyone, FixedCohort, Poisson, Sampling
from fedbench.spec import Spec, refuse
from fedbench.strategies import FedAvg, Strategy
from fedbench.training import LocalTraining

MANY = 10_000  # clients from which on a round with all of them is hardly meant


class Target(Spec):
    """A value of a metric that ends the run when it is reached."""

    metric: Annotated[
        Literal["accuracy", "loss", "rmse", "mae", "r2"],
        Field(title="Metric", description="which score of the held-out test set decides"),
    ] = "accuracy"
    value: Annotated[
        float,
        Field(
            title="Value",
            description="the run ends at the first round that is this good",
            json_schema_extra={"slider": [0, 1, 0.01], "live": True},
        ),
    ] = 0.95

    def reached(self, metrics: dict[str, float], higher_is_better: bool) -> bool:
        """Return whether `metrics` are as good as the target."""
        value = metrics[self.metric]
        return value >= self.value if higher_is_better else value <= self.value


class Experiment(Spec):
    """Everything that decides a run; one seed gives one history.

    Unsound combinations are refused with the field, the reason and a remedy.
    """

    data: Annotated[Source, Field(title="Data", description="what is learnt from")] = Digits()
    partition: Annotated[
        Partitioner, Field(title="Partition", description="how the data lie with the clients")
    ] = Dirichlet()
    skews: Annotated[
        tuple[Skew, ...],
        Field(title="Skews", description="what else makes one client's rows unlike another's"),
    ] = ()
    model: Annotated[Model, Field(title="Model", description="what is trained")] = Linear()
    training: Annotated[
        LocalTraining, Field(title="Training", description="what a client does in a round")
    ] = LocalTraining()
    strategy: Annotated[
        Strategy, Field(title="Strategy", description="the federated algorithm")
    ] = FedAvg()
    aggregator: Annotated[
        Aggregator, Field(title="Aggregator", description="how updates become one")
    ] = Mean()
    attack: Annotated[
        Attack, Field(title="Attack", description="what corrupt clients do, if any are")
    ] = NoAttack()
    privacy: Annotated[Privacy, Field(title="Privacy", description="what is promised to whom")] = (
        NoPrivacy()
    )
    sampling: Annotated[
        Sampling,
        Field(
            title="Sampling",
            description="who takes part in a round; Poisson if privacy is asked for",
        ),
    ] = Everyone()
    devices: Annotated[
        Devices | None,
        Field(
            title="Devices",
            description="what clients run on; without, all are there at once and take no time",
        ),
    ] = None
    rounds: Annotated[
        int,
        Field(
            ge=1,
            title="Rounds",
            description="rounds at most",
            json_schema_extra={"slider": [1, 500, 1], "scale": "log", "live": True},
        ),
    ] = 30
    target: Annotated[
        Target | None,
        Field(title="Target", description="ends the run early", json_schema_extra={"live": True}),
    ] = None
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**31,
            title="Seed",
            description="decides the partition, the first weights, the cohorts and the batches",
        ),
    ] = 0
    engine: Annotated[
        Engine, Field(title="Engine", description="how local training is computed")
    ] = StackedEngine()

    @model_validator(mode="before")
    @classmethod
    def _usual_sampling(cls, data: Any) -> Any:
        if not isinstance(data, dict) or "sampling" in data:
            return data
        privacy = data.get("privacy")
        named = isinstance(privacy, dict) and privacy.get("kind") == ClientLevelDP.kind()
        private = named or isinstance(privacy, ClientLevelDP)
        return data | {"sampling": Poisson()} if private else data

    @model_validator(mode="after")
    def _sound(self) -> Experiment:
        if refusal := self.data.refuses():
            name, reason = refusal
            given = getattr(self.data, name)
            error = refuse(f"data.{name}", reason, given)
            # what else there is to say depends on the data
            raise ValidationError.from_exception_data("Experiment", [error])
        errors = [
            *self._data_errors(),
            *self._device_errors(),
            *self._algorithm_errors(),
            *self._privacy_errors(),
        ]
        if errors:
            raise ValidationError.from_exception_data("Experiment", errors)
        return self

    def _data_errors(self) -> list[InitErrorDetails]:
        errors = []
        if refusal := self.partition.refuses(self.data):
            name, reason = refusal
            given = getattr(self.partition, name, self.partition.kind())
            return [refuse(f"partition.{name}", reason, given)]
        clients, shape = self.clients, getattr(self.data, "shape", None)
        for place, skew in enumerate(self.skews):
            reason = shape and skew.refuses(self.data.task, shape, self.data.vocabulary)
            if self.partition.shares_rows:
                reason = f"clients of {self.partition.kind()} share rows; take another partition"
            if reason:
                where, kind = f"skews.{place}.kind", skew.kind()
                errors.append(refuse(where, f"{self.data.kind()}: {reason}", kind))
        if isinstance(self.sampling, FixedCohort) and self.sampling.size > clients:
            errors.append(
                refuse(
                    "sampling.size",
                    f"a cohort cannot be larger than the {clients} clients there are",
                    self.sampling.size,
                )
            )
        return errors

    def _device_errors(self) -> list[InitErrorDetails]:
        if self.devices is None:
            return []
        if refusal := self.devices.availability.refuses():
            name, reason = refusal
            given = getattr(self.devices.availability, name)
            return [refuse(f"devices.availability.{name}", reason, given)]
        over = self.devices.over_selection
        if over == 1 or self.sampling.needed is not None:
            return []
        return [
            refuse(
                "devices.over_selection",
                "the first to answer can only be taken where a number of them is enough; choose "
                "FixedCohort, or 1. Under client-level DP whoever is drawn must count whatever the "
                "others do",
                over,
            )
        ]

    def _algorithm_errors(self) -> list[InitErrorDetails]:
        errors = []
        shape = getattr(self.data, "shape", None)  # a source of one's own may know it only later
        if shape is not None and (
            reason := self.model.refuses(shape, self.data.vocabulary, self.data.task)
        ):
            errors.append(refuse("model.kind", f"{self.data.kind()}: {reason}", self.model.kind()))
        known = METRICS[self.data.task]
        if self.target is not None and self.target.metric not in known:
            errors.append(
                refuse(
                    "target.metric",
                    f"{self.data.kind()} is a {self.data.task} set; choose {', '.join(known)}",
                    self.target.metric,
                )
            )
        if reason := self.strategy.refuses(self.training):
            errors.append(refuse("strategy.kind", reason, self.strategy.kind()))
        expected = int(self.sampling.expected(self.clients))
        if reason := self.aggregator.refuses(expected):
            errors.append(refuse("aggregator", reason, expected))
        return errors

    def _privacy_errors(self) -> list[InitErrorDetails]:
        if not isinstance(self.privacy, ClientLevelDP):
            return []
        errors = []
        if self.strategy.weighting != "uniform":
            errors.append(
                refuse(
                    "strategy.weighting",
                    "client-level ε needs weights that tell nothing about a client's data; "
                    "set it to 'uniform'",
                    self.strategy.weighting,
                )
            )
        if self.strategy.unclippable:
            errors.append(refuse("strategy.kind", self.strategy.unclippable, self.strategy.kind()))
        if not self.aggregator.is_sum:
            errors.append(
                refuse(
                    "aggregator.kind",
                    "noise is calibrated for a sum of clipped updates; choose Mean",
                    self.aggregator.kind(),
                )
            )
        if not self.sampling.independent:
            errors.append(
                refuse(
                    "sampling.kind",
                    "ε is proved for clients that take part independently of each other; "
                    f"choose Poisson with rate {min(1.0, self.sampling_rate):.3g}",
                    self.sampling.kind(),
                )
            )
        return errors

    def cautions(self) -> list[str]:
        """Return what is allowed but should be known before a run."""
        found = [f"data: {sentence}" for sentence in self.data.cautions()]
        if isinstance(self.privacy, ClientLevelDP):
            limit = 1 / self.clients
            if self.privacy.delta >= limit:
                found.append(
                    f"privacy.delta = {self.privacy.delta:g} is not below 1/clients = {limit:.2g}: "
                    "publishing one client's data whole would satisfy it; take a smaller δ"
                )
            if isinstance(self.sampling, Everyone) and self.clients > 1:
                found.append(
                    "sampling = Everyone: every client spends in every round; Poisson sampling "
                    "needs less noise for the same ε"
                )
        if isinstance(self.privacy, ExampleLevelDP):
            limit = self.clients / (self.data.training_samples or math.inf)
            if 0 < limit <= self.privacy.delta:
                found.append(
                    f"privacy.delta = {self.privacy.delta:g} is not below 1/samples of a client, "
                    f"about {limit:.2g}: publishing one example whole would satisfy it; take a "
                    "smaller δ"
                )
            if self.strategy.weighting == "samples":
                found.append(
                    "strategy.weighting = 'samples': how many examples a client has counts as "
                    "public; 'uniform' does not show it"
                )
            if self.strategy.companion() is not None:
                found.append(
                    f"{self.strategy.kind()} trains a second model without noise: its privacy "
                    "lasts only as long as it stays with its client"
                )
        if isinstance(self.privacy, Private) and self.privacy.noise_seed is not None:
            found.append(
                f"privacy.noise_seed = {self.privacy.noise_seed}: simulation only, the noise "
                "is predictable and protects nobody"
            )
        clients = self.clients
        if isinstance(self.sampling, Everyone) and clients > MANY:
            found.append(
                f"sampling = Everyone: all {clients:,} clients train in every round; FixedCohort "
                "or Poisson takes some of them"
            )
        found += self._too_many_attackers()
        found += self._small_cohorts()
        found += self.engine.cautions()
        return found

    def _too_many_attackers(self) -> list[str]:
        cohort = round(self.sampling.expected(self.clients))
        corrupt, most = self.attack.share() * cohort, self.aggregator.tolerates(cohort)
        if most is None or corrupt <= most:
            return []
        return [
            f"attack = {self.attack.kind()}: of {cohort} clients in a round about {corrupt:.3g} "
            f"attack, and {self.aggregator.kind()} withstands {most} at most"
        ]

    def _small_cohorts(self) -> list[str]:
        """Warn of rounds whose cohort will be too small for the aggregator."""
        if not isinstance(self.sampling, Poisson) or self.sampling.rate == 1:
            return []
        from scipy.stats import binom

        few = next(n for n in count(1) if self.aggregator.refuses(n) is None) - 1
        chance = float(binom.cdf(few, self.clients, self.sampling.rate)) if few else 0.0
        if chance < 1e-4:
            return []
        return [
            f"aggregator = {self.aggregator.kind()}: it needs {few + 1} clients, and a round has "
            f"fewer with probability {chance:.2g}; such a round changes nothing"
        ]

    @property
    def metric(self) -> str:
        """Return the metric that is shown first: accuracy, or RMSE for regression."""
        return next(iter(METRICS[self.data.task]))

    @property
    def clients(self) -> int:
        """Return how many clients there are."""
        return self.partition.count(self.data)

    @property
    def expected_cohort(self) -> float:
        """Return how many clients are expected to count in a round, known before any of them is.

        Deadlines are left out: how many they cut, only a run tells.
        """
        expected, devices = self.sampling.expected(self.clients), self.devices
        if devices is None:
            return expected
        if self.sampling.needed is None:
            return expected * devices.answering
        reached = min(
            expected * devices.over_selection, devices.availability.expected * self.clients
        )
        return min(expected, reached * (1 - devices.dropout))

    @property
    def sampling_rate(self) -> float:
        """Return the expected share of clients in a round."""
        return self.sampling.expected(self.clients) / self.clients

    @property
    def replays(self) -> bool:
        """Return whether running this again gives the same history, to the bit."""
        privacy = self.privacy
        return not isinstance(privacy, Private) or privacy.noise_seed is not None

    def bound_privacy(self) -> Privacy:
        """Return the privacy with its noise known, as given or solved for the whole plan.

        Raises ValueError where no noise in bounds reaches the budget.
        """
        return self.privacy.bind([(rate, steps * self.rounds) for rate, steps in self.releases()])

    def releases(self) -> list[tuple[float, int]]:
        """Return, for each kind of unit, the rate of sampling and the releases of one round.

        A client's examples may be seen in every round, whoever else takes part.
        """
        if not isinstance(self.privacy, ExampleLevelDP):
            return [(self.sampling_rate, 1)]
        data = self.federation()
        rates, steps = self.example_releases(data, np.arange(data.clients))
        kinds = np.unique(np.stack([rates, steps], axis=1), axis=0)
        return [(float(rate), int(count)) for rate, count in kinds]

    def example_releases(
        self, data: FederatedDataset, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return, of clients `ids`, the rate of an example in a batch and the steps of a round."""
        training = self.training
        widths, steps = data.lengths(
            ids,
            batch_size=training.batch_size,
            epochs=training.epochs,
            steps=training.steps,
        )
        return widths / data.sizes_of(ids), steps

    def examples(self, data: FederatedDataset, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many examples each of clients `ids` goes through in a round, int64[C]."""
        if self.training.steps is None:
            return data.sizes_of(ids) * (self.training.epochs or 1)
        rate, steps = self.example_releases(data, ids)
        return np.rint(rate * data.sizes_of(ids) * steps).astype(np.int64)

    def federation(self) -> FederatedDataset:
        """Return the data as dealt out to the clients."""
        return FederatedDataset.build(self.data, self.partition, self.seed, self.skews)

    def describe(self) -> str:
        """Return one line: clients, partition, strategy, privacy and attack."""
        words = [f"{self.clients} clients", self.partition.describe(), self.strategy.kind()]
        words[2:2] = [skew.describe() for skew in self.skews]
        if isinstance(self.privacy, Private):
            epsilon, noise = self.privacy.epsilon, self.privacy.noise_multiplier
            level = f"{self.privacy.unit}-level"
            words.append(f"{level} ε ≤ {epsilon:g}" if epsilon else f"{level} noise z = {noise:g}")
        if self.attack.share():
            words.append(f"{self.attack.kind()} by {self.attack.share():.0%}")
        return " · ".join(words)

    def to_python(self) -> str:
        """Return a program that runs this experiment; the same history, if it `replays`."""
        outside = sorted(
            {
                f"from {type(part).__module__} import {type(part).__qualname__.partition('.')[0]}"
                for part in self.parts()
                if type(part).__module__.partition(".")[0] not in ("fedbench", "__main__")
            }
        )
        imports = "\n".join(["import fedbench as fb", *outside])
        return f"{imports}\n\nexperiment = {self.code()}\nhistory = fb.run(experiment)\n"
