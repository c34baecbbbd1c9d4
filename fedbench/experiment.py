"""The one configuration: everything that decides a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError, model_validator

from fedbench.aggregators import Aggregator, Mean
from fedbench.attacks import Attack, NoAttack
from fedbench.channel import Stage
from fedbench.config.kinds import LOCAL, is_user_class
from fedbench.config.problems import Problem, refuse
from fedbench.config.setup import Setup
from fedbench.config.spec import Part, Spec, name_in_code
from fedbench.data import Digits, Dirichlet, FederatedDataset, Partitioner, Skew, Source
from fedbench.engine import Engine, StackedEngine
from fedbench.models import Linear, Model, metrics_of
from fedbench.participation import Devices
from fedbench.participation.cohorts import cohort, most_drawn
from fedbench.participation.sampling import Everyone, Poisson, Sampling, is_independent
from fedbench.privacy import NoPrivacy, Privacy
from fedbench.schedules import Schedule, Synchronous
from fedbench.soundness import cautions, refusals
from fedbench.strategies import FedAvg, Strategy
from fedbench.training import LocalTraining


class Target(Spec):
    """A value of a metric that ends the run when it is reached."""

    metric: Annotated[
        Literal["accuracy", "auc", "loss", "rmse", "mae", "r2"],
        Field(title="Metric", description="metric on the held-out test set that decides"),
    ] = "accuracy"
    value: Annotated[
        float,
        Field(
            title="Value",
            description="value to reach: the run ends at the first round that reaches it",
            json_schema_extra={"slider": [0, 1, 0.01], "live": True},
        ),
    ] = 0.95

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse a metric that a run does not have."""
        data, known = setup.data, setup.metrics
        if self.metric not in known:
            yield Problem(
                ".metric",
                f"{data.kind()} is a {data.task} set; choose {', '.join(known)}",
                self.metric,
            )

    def reached(self, value: float, higher_is_better: bool) -> bool:
        """Return whether `value` is as good as the target."""
        return value >= self.value if higher_is_better else value <= self.value


class Experiment(Spec):
    """Everything that decides a run; one seed gives one history.

    Unsound combinations are refused with the field, the reason and a remedy.
    """

    data: Annotated[Source, Field(title="Data", description="data set to learn from")] = Digits()
    partition: Annotated[
        Partitioner,
        Field(title="Partition", description=("how the data are split among the clients")),
    ] = Dirichlet()
    skews: Annotated[
        tuple[Skew, ...],
        Field(title="Skews", description="further differences between the clients' rows"),
    ] = ()
    model: Annotated[Model, Field(title="Model", description="kind of model to train")] = Linear()
    training: Annotated[
        LocalTraining, Field(title="Training", description="what a client does in a round")
    ] = LocalTraining()
    strategy: Annotated[
        Strategy,
        Field(
            title="Strategy",
            description="federated algorithm: what clients and server do in a round",
        ),
    ] = FedAvg()
    aggregator: Annotated[
        Aggregator, Field(title="Aggregator", description="how the clients' updates are combined")
    ] = Mean()
    attack: Annotated[
        Attack, Field(title="Attack", description="what corrupt clients do, if there are any")
    ] = NoAttack()
    privacy: Annotated[
        Privacy, Field(title="Privacy", description="privacy guarantee of the run")
    ] = NoPrivacy()
    channel: Annotated[
        tuple[Stage, ...],
        Field(
            title="Channel",
            description="what else happens to an update on its way to the server, in this order",
        ),
    ] = ()
    sampling: Annotated[
        Sampling,
        Field(
            title="Sampling",
            description="which clients take part in a round; Poisson where privacy is set",
        ),
    ] = Everyone()
    devices: Annotated[
        Devices | None,
        Field(
            title="Devices",
            description="what clients run on; none makes all clients reachable and instant",
        ),
    ] = None
    schedule: Annotated[
        Schedule,
        Field(
            title="Schedule",
            description="order of a round: whether its clients train together or in turn",
        ),
    ] = Synchronous()
    rounds: Annotated[
        int,
        Field(
            ge=1,
            le=1_000_000,
            title="Rounds",
            description=(
                "maximum number of rounds: more train longer, and cost time, bytes and privacy"
            ),
            json_schema_extra={"slider": [1, 500, 1], "scale": "log", "live": True},
        ),
    ] = 30
    target: Annotated[
        Target | None,
        Field(
            title="Target",
            description="score that ends the run early",
            json_schema_extra={"live": True},
        ),
    ] = None
    seed: Annotated[
        int,
        Field(
            ge=0,
            lt=2**31,
            title="Seed",
            description=(
                "number that decides the partition, the initial weights, the cohorts and the "
                "batches"
            ),
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
        if isinstance(privacy, dict):
            privacy = Privacy.choices().get(str(privacy.get("kind")))
        server = getattr(privacy, "noise_on_server", False)
        return data | {"sampling": Poisson()} if server else data

    @model_validator(mode="after")
    def _sound(self) -> Experiment:
        try:
            found = list(refusals(self))
        except ValidationError:
            raise
        except ValueError as error:  # by a source that had to be read
            found = [self._refused(str(error))]
        if found:
            errors = [refuse(each.path, each.message, each.value) for each in found]
            raise ValidationError.from_exception_data("Experiment", errors)
        return self

    def _refused(self, message: str) -> Problem:
        """Return the problem of a message that may begin with the path of a field."""
        path, _, reason = message.partition(": ")
        name = path.partition(".")[0]
        if name not in type(self).model_fields:
            path, name, reason = "data", "data", message
        part = getattr(self, name)
        return Problem(path, reason, _short(part) if isinstance(part, Part) else None)

    def cautions(self) -> list[str]:
        """Return what is allowed but should be known before a run."""
        return cautions(self)

    @property
    def metrics(self) -> dict[str, bool]:
        """Return the metrics of a run in their order, and whether more of each is better."""
        return metrics_of(self.data)

    @property
    def metric(self) -> str:
        """Return the metric that is shown first: accuracy, AUC for rare events, else RMSE."""
        return next(iter(self.metrics))

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
        guarantee = self.privacy.guarantee
        return guarantee is None or guarantee.noise_seed is not None

    def bound_privacy(self) -> Privacy:
        """Return the privacy with its noise known, as given or solved for the whole plan.

        Raises ValueError where no noise in bounds reaches the budget.
        """
        return self.privacy.bind(*self.releases(self.rounds))

    @property
    def own_accounts(self) -> bool:
        """Return whether each client has a ledger of its own: not all are told about alike."""
        guarantee = self.privacy.guarantee
        if guarantee is None:
            return False
        return guarantee.alone or not is_independent(self.sampling)

    def releases(self, *rounds: int) -> list[list[tuple[float, int]]]:
        """Return for each number of rounds the rate and the releases of each kind of unit.

        A client's examples may be seen in every round, whoever else takes part. Where sampling
        hides nobody, the client that is drawn most often counts.
        """
        if self.privacy.of_examples is not None:
            data = self.federation()
            rates, steps = self.own_releases(data, np.arange(data.clients))
            pairs = np.unique(np.stack([rates, steps], axis=1), axis=0)
            kinds = [(float(rate), int(count)) for rate, count in pairs]
            return [[(rate, count * number) for rate, count in kinds] for number in rounds]
        if not self.own_accounts:
            return [[(self.sampling_rate, number)] for number in rounds]
        key = self.sampling, self.devices, self.clients, self.seed
        return [[(1.0, most_drawn(*key, number))] for number in rounds]

    def own_releases(
        self, data: FederatedDataset, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return of clients `ids` in one round the rate of their units and how often these count.

        For example-level DP these are the rate of an example in a batch, and local steps.
        """
        if self.privacy.of_examples is None:
            return np.ones(len(ids)), np.ones(len(ids), dtype=np.int64)
        return self._steps(data, ids)

    def _steps(
        self, data: FederatedDataset, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        training = self.training
        widths, steps = data.lengths(
            ids,
            batch_size=training.batch_size,
            epochs=training.epochs,
            steps=training.steps,
        )
        return widths / data.sizes_of(ids), steps

    def cohort(self, number: int, clients: int | None = None) -> NDArray[np.int64]:
        """Return the sorted ids of those asked in round `number` (from 1), of all or `clients`.

        They follow from the seed, but where privacy is amplified by sampling: that takes cohorts
        that nobody can predict.
        """
        secret = not self.replays and not self.own_accounts
        count = self.clients if clients is None else clients
        return cohort(self.sampling, self.devices, count, self.seed, number, secret)

    def examples(self, data: FederatedDataset, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many examples each of clients `ids` goes through in a round, int64[C]."""
        if self.training.steps is None:
            return data.sizes_of(ids) * (self.training.epochs or 1)
        rate, steps = self._steps(data, ids)
        return np.rint(rate * data.sizes_of(ids) * steps).astype(np.int64)

    def federation(self) -> FederatedDataset:
        """Return the data as dealt out to the clients."""
        return FederatedDataset.build(self.data, self.partition, self.seed, self.skews)

    def describe(self) -> str:
        """Return one line: clients, partition, strategy, a rule of its own, privacy and attack."""
        words = [f"{self.clients} clients", self.partition.describe(), _short(self.strategy)]
        if self.aggregator != type(self).model_fields["aggregator"].default:
            words.append(_short(self.aggregator))
        if self.schedule != type(self).model_fields["schedule"].default:
            words.append(_short(self.schedule))
        words[2:2] = [skew.describe() for skew in self.skews]
        words += [stage.describe() for stage in self.channel]
        if self.privacy.describe():
            words.append(self.privacy.describe())
        if self.attack.share():
            words.append(f"{_short(self.attack)} by {self.attack.share():.0%}")
        return " · ".join(words)

    def to_python(self) -> str:
        """Return a program that runs this experiment; the same history, if it `replays`."""
        outside = {
            f"# Put the definition of {name_in_code(cls)} here, from your notebook or script."
            if cls.__module__ == "__main__" or LOCAL in cls.__qualname__
            else f"from {cls.__module__} import {cls.__qualname__.partition('.')[0]}"
            for cls in {type(part) for part in self.parts()}
            if is_user_class(cls)
        }
        imports = "\n".join(["import fedbench as fb", *sorted(outside)])
        return f"{imports}\n\nexperiment = {self.code()}\nhistory = fb.run(experiment)\n"


def _short(part: Part) -> str:
    """Return the kind of a part without the module of a user class."""
    return part.kind().rpartition(":")[2]
