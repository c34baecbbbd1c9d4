"""What a model is: a torch module built for a data card, a loss and the scores of its task."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part
from fedbench.config.usercode import attributed, what
from fedbench.data.card import Card
from fedbench.data.source import Source
from fedbench.metrics import MEASURED, METRICS

if TYPE_CHECKING:
    from torch import Tensor, nn

ROOM = 1e15  # a unit of targets up to which errors have squares in single precision

_borrowing = threading.Lock()


def metrics_of(data: Card | Source) -> dict[str, bool]:
    """Return the metrics of a data set, the first to be shown first, and whether more is better."""
    rare = data.rare if isinstance(data, Source) else data.ranked
    names = MEASURED["ranked" if rare else data.task]
    return {name: METRICS[name].rises for name in names}


@contextmanager
def borrowed(seed: int) -> Generator[None]:
    """Seed torch's own generator for a while and give it back as it was.

    There is one for the whole process: whoever draws from it for a run must be alone meanwhile.
    """
    import torch

    with _borrowing, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


class Model(Part, family=True):
    """A family of torch modules; its fields are the hyper-parameters."""

    @classmethod
    def _why_not(cls, value: object) -> str:
        if hasattr(value, "named_parameters"):  # a torch module, or the class of one
            return (
                "is a torch module, but each run and seed needs a fresh one: subclass "
                "fedbench.models.Model, return the module from build(self, card), and pass an "
                "object of that class"
            )
        return super()._why_not(value)

    @abstractmethod
    def build(self, card: Card) -> nn.Module:
        """Return a fresh module for x[B, *card.shape] giving outputs[B, card.outputs]."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the loss per example, [B].

        Cross-entropy for integer targets (logistic for a single output), squared error otherwise.
        """
        from torch.nn import functional

        if targets.is_floating_point():
            return (outputs[:, 0] - targets).square()
        if outputs.shape[1] == 1:
            return functional.binary_cross_entropy_with_logits(
                outputs[:, 0], targets.to(outputs.dtype), reduction="none"
            )
        return functional.cross_entropy(outputs, targets, reduction="none")

    def unsuited(self, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
        """Return why this model cannot take examples of such a shape and what would, else None.

        The words do not name the data. Here every shape is taken.
        """
        return None

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse data that this model is `unsuited` for."""
        data: Source = setup.data
        shape = getattr(data, "shape", None)  # a source of one's own may know it only later
        if shape is not None and (reason := self.unsuited(shape, data.vocabulary)):
            yield Problem(".kind", f"{data.kind()}: {reason}", self.kind())

    def template(self, card: Card) -> nn.Module:
        """Return a module without values, to be called with parameters; draws no random number."""
        import torch

        from fedbench.models.blank import Blank

        try:
            with torch.device("meta"), Blank():
                return self._built(card)
        except Exception:  # it may read values, which there are none of here
            return self.module(card, 0)

    def module(self, card: Card, seed: int) -> nn.Module:
        """Return a module with the values that training starts from, pure in (card, seed)."""
        with borrowed(seed), attributed(f"model: {type(self).__name__}.build()"):
            return self._built(card)

    def _built(self, card: Card) -> nn.Module:
        from torch import nn
        from torch.nn.parameter import is_lazy

        module = self.build(card)
        if not isinstance(module, nn.Module):
            raise ValueError(
                f"model: {type(self).__name__}.build() returned {what(module)}; return an "
                "nn.Module, the object and not its class"
            )
        for name, layer in module.named_modules():
            held = (*layer.parameters(recurse=False), *layer.buffers(recurse=False))
            if any(map(is_lazy, held)):
                raise ValueError(
                    f"model: layer {name!r} of {type(self).__name__} is lazy, of a size that is "
                    "known only once it has run; give its sizes in build, from card.shape and "
                    "card.outputs"
                )
        return module

    def initial(self, card: Card, seed: int) -> dict[str, Tensor]:
        """Return the parameters that training starts from, pure in (card, seed).

        Those that ask for no gradient are left out: they stay as they are, with everybody.
        """
        module = self.module(card, seed)
        named = module.named_parameters()
        return {name: leaf.detach().clone() for name, leaf in named if leaf.requires_grad}

    def loaded(self, card: Card, seed: int, params: Mapping[str, Tensor]) -> nn.Module:
        """Return a module of its own with copies of `params`, and with what is never trained."""
        import torch

        module = self.module(card, seed)
        held = dict(module.named_parameters())
        unknown = [name for name in params if name not in held]
        if unknown:
            raise ValueError(f"model: there is no parameter {unknown[0]!r}")
        with torch.no_grad():  # in place: a tensor that has two names keeps both
            for name, leaf in params.items():
                held[name].copy_(leaf)
        return module


def is_tokens(shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> bool:
    """Return whether an example is a sequence of token ids."""
    return len(shape) == len(vocabulary) == 1


def mismatch(takes: str, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str:
    """Return `takes`, what the data are instead and which models take them."""
    size = " × ".join(map(str, shape)) or "single"
    if is_tokens(shape, vocabulary):
        data, choice = f"sequences of {size} token ids", "choose TextClassifier or GRU"
    elif len(vocabulary) == 2:
        data, choice = f"rows of {size} ids", "choose MatrixFactorisation"
    elif vocabulary:
        data, choice = f"rows of {size} ids", "turn ids into columns of 0 and 1"
    elif len(shape) > 1:
        data, choice = f"arrays of {size} numbers", "choose Linear or MLP"
    else:
        data, choice = f"rows of {size} numbers", "choose Linear or MLP"
    return f"{takes}, and the data are {data}; {choice}"


def numbers_only(name: str, shape: tuple[int, ...], vocabulary: tuple[int, ...]) -> str | None:
    """Return why the model called `name`, which takes numbers of any shape, does not take ids."""
    return mismatch(f"{name} takes numbers", shape, vocabulary) if vocabulary else None


def scores(
    card: Card, outputs: Tensor, targets: Tensor, losses: Tensor, offsets: NDArray[np.int64]
) -> tuple[dict[str, float], NDArray[np.float32]]:
    """Return each metric over all rows, and the first metric per client (NaN without test rows).

    `offsets` marks each client's rows; RMSE and MAE are in the target's own unit. The AUC of a
    client is NaN too where all its test rows are of one class, and R² where all targets are equal.
    """
    loss = float(losses.double().mean())
    if card.task == "classification":
        single = outputs.shape[1] == 1
        predicted = (outputs[:, 0] > 0).long() if single else outputs.argmax(1)
        correct = (predicted == targets).double().numpy()
        found = {"accuracy": float(correct.mean()), "loss": loss}
        if not card.ranked:
            return found, _per_client(correct, offsets)
        ranking = outputs[:, 0] if single else outputs[:, 1] - outputs[:, 0]
        values, positive = ranking.double().numpy(), targets.numpy() == 1
        whole = _auc(values, positive, np.array([0, len(values)]))
        return {"auc": float(whole[0]), **found}, _auc(values, positive, offsets)
    unit = card.target_std
    # squares of the errors of a client are of single precision: they are of the targets' unit
    # where that has room for them, and else of standard deviations
    own = 1.0 if 1 / ROOM < unit < ROOM else unit
    unit /= own
    error = (outputs[:, 0] - targets).double().numpy() * unit
    spread = targets.double().numpy() * unit
    squared = error**2
    constant = len(spread) == 0 or spread.min() == spread.max()
    metrics = {
        "rmse": float(np.sqrt(squared.mean())) * own,
        "mae": float(np.abs(error).mean()) * own,
        "r2": np.nan
        if constant
        else float(1 - squared.sum() / ((spread - spread.mean()) ** 2).sum()),
        "loss": loss,
    }
    return metrics, np.sqrt(_per_client(squared, offsets)) * np.float32(own)


def _per_client(values: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float32]:
    sizes = np.diff(offsets)
    # each client's own sum: differences of a running one would carry what is huge to all others
    owner = np.repeat(np.arange(len(sizes)), sizes)
    sums = np.bincount(owner, values[offsets[0] : offsets[-1]], len(sizes))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.where(sizes > 0, sums / sizes, np.nan).astype(np.float32)


def _auc(
    values: NDArray[np.float64], positive: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return how often a positive row stands above a negative one of the same client, ties half."""
    clients = len(offsets) - 1
    owner = np.repeat(np.arange(clients), np.diff(offsets))
    order = np.lexsort((values, owner))
    sorted_values = values[order]
    new = np.ones(len(values), dtype=bool)  # the first row of a client and value
    new[1:] = (sorted_values[1:] != sorted_values[:-1]) | (owner[1:] != owner[:-1])
    starts = np.flatnonzero(new)
    ends = np.append(starts[1:], len(values))
    middle = (starts + ends - 1) / 2  # ties share the mean of their places
    place = np.empty(len(values))
    place[order] = np.repeat(middle, ends - starts)
    place -= offsets[owner]
    ups = np.bincount(owner, positive, clients)
    downs = np.diff(offsets) - ups
    above = np.bincount(owner, np.where(positive, place, 0.0), clients) - ups * (ups - 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return (above / (ups * downs)).astype(np.float32)
