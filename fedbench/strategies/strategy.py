"""What an algorithm may change about a round: pure hooks whose defaults are FedAvg."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from pydantic import Field

from fedbench.config.declared import Claim
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class RoundInfo:
    """What every hook receives: round (from 1), local rate, clients, expected cohort, momentum."""

    round: int
    lr: float
    clients: int
    expected_cohort: float
    momentum: float = 0.0


class LocalWork(Protocol):
    """The part of an algorithm that local training calls; see the methods of `Strategy`."""

    def start(self, params: Tree, client: Tree) -> Tree:
        """Return where training starts."""
        ...

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Return the direction of a local step."""
        ...

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return what the client sends and its new state."""
        ...


def travelled(steps: Tensor, momentum: float) -> Tensor:
    """Return how many plain steps of the same rate `steps` under momentum amount to.

    It is ‖a‖₁ of Wang et al. 2020 (arXiv:2007.07481): a gradient counts once in its own step and
    with falling weight in all later ones.
    """
    return (steps - momentum * (1 - momentum**steps) / (1 - momentum)) / (1 - momentum)


def server_rate(
    formula: str,
    description: str = "server learning rate η along the mean update: 1 averages the models",
) -> Any:
    """Return the field of how far the server steps; `formula` says along what."""
    return Field(
        gt=0,
        title="Server learning rate",
        description=description,
        json_schema_extra={
            "slider": [0.001, 10, 0.001],
            "scale": "log",
            "formula": formula,
        },
    )


class Strategy(Part, family=True):
    """A federated algorithm as pure functions of trees; state is returned, never stored.

    Client hooks accept both single trees and trees stacked over clients.

    `keeps_privacy` concerns strategies with a companion, whose local steps have no noise: it
    declares that nothing that the companion learns, such as the state that its `finish` returns,
    has any influence on what is sent. A class that overrides a hook of local training has to
    declare it anew, else example-level privacy is refused.
    """

    keeps_privacy: ClassVar[bool] = False
    privacy_claim: ClassVar[Claim] = Claim(
        ("companion", "init_client", "start", "adjust", "finish"),
        "send what its companion learns without noise",
        "choose Ditto",
    )

    # Why a payload means nothing once it is scaled down as a whole, if so.
    unclippable: ClassVar[str | None] = None

    # Whether a client sends one gradient over all of its samples, and can train in no other way.
    one_gradient: ClassVar[bool] = False

    weighting: Annotated[
        Literal["samples", "uniform"],
        Field(
            title="Weights",
            description=(
                "weight of each client in the mean: its number of samples, or the same for all "
                "(required for client-level ε)"
            ),
            json_schema_extra={"formula": "Σ w_i Δ_i / Σ w_i, w_i = n_i or 1"},
        ),
    ] = "samples"

    @classmethod
    def display_name(cls) -> str:
        """Return the algorithm's name, which the literature writes as one word."""
        return cls.__dict__.get("display", "") or cls.__name__

    @classmethod
    def keeps_models(cls) -> bool:
        """Return whether clients may use models of their own."""
        return cls.personal is not Strategy.personal

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse any training but one full batch where clients send `one_gradient`."""
        training = setup.training
        if self.one_gradient and not (training.one_full_batch and training.momentum == 0):
            yield Problem(
                ".kind",
                f"{type(self).__name__} sends one gradient over all of a client's samples; "
                "set training=LocalTraining(steps=1, batch_size=None) with momentum 0, or choose "
                "FedAvg",
                self.kind(),
            )

    def init(self, params: Tree) -> Tree:
        """Return the server's state before the first round."""
        return {}

    def init_client(self, params: Tree) -> Tree:
        """Return a client's state before it first takes part."""
        return {}

    def start(self, params: Tree, client: Tree) -> Tree:
        """Return where a client's local training starts; the global model unless it keeps parts."""
        return params

    def companion(self) -> LocalWork | None:
        """Return a second local training, whose result stays with the client, or None.

        It sees the same batches and the same client state, and its payload is dropped: only the
        state that its `finish` returns is kept.
        """
        return None

    def personal(self, params: Tree, client: Tree) -> Tree | None:
        """Return the model that a client with this state uses; None: the global one."""
        return None

    def adjust(self, grads: Tree, params: Tree, anchor: Tree, server: Tree, client: Tree) -> Tree:
        """Return the direction of a local step; `anchor` is the global model of the round."""
        return grads

    def finish(
        self, delta: Tree, anchor: Tree, client: Tree, server: Tree, steps: Tensor, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return what the client sends and its new state.

        `delta` is its local model less where it started, `anchor` the global model of the round and
        `steps` the number of its local steps.
        """
        return delta, client

    def broadcast(self, params: Tree, server: Tree) -> Tree:
        """Return what each client of a cohort is sent before it trains."""
        return params

    def weights(self, samples: Tensor) -> Tensor:
        """Return the weight of each client, float32[C], from its number of samples, [C]."""
        import torch

        samples = samples.to(torch.float32)
        return samples if self.weighting == "samples" else torch.ones_like(samples)

    def update(
        self, params: Tree, payload: Tree, server: Tree, info: RoundInfo
    ) -> tuple[Tree, Tree]:
        """Return the new global model and server state from the aggregate of the payloads."""
        return {name: leaf + payload[name] for name, leaf in params.items()}, server
