"""What a part may know of the experiment that it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol

from fedbench.config.problems import Problem


class Setup(Protocol):
    """The experiment around a part, as its `check` and `warn` see it.

    Its members are those of `Experiment`. Which classes its parts have is known further up.
    """

    data: Any
    partition: Any
    skews: tuple[Any, ...]
    model: Any
    training: Any
    strategy: Any
    aggregator: Any
    attack: Any
    privacy: Any
    channel: tuple[Any, ...]
    sampling: Any
    devices: Any
    schedule: Any
    rounds: int
    target: Any
    engine: Any

    @property
    def clients(self) -> int:
        """Return how many clients there are; may have to read the data."""
        ...

    @property
    def metrics(self) -> Mapping[str, bool]:
        """Return the metrics of a run in their order, and whether more of each is better."""
        ...

    @property
    def metric(self) -> str:
        """Return the metric that is shown first."""
        ...

    def federation(self) -> Any:
        """Return the data as dealt out to the clients, which are read for it."""
        ...


def located(problems: Iterable[Problem], path: str) -> Iterator[Problem]:
    """Yield the problems that the part at `path` tells, with the whole paths of its own fields."""
    for each in problems:
        yield replace(each, path=path + each.path) if each.path.startswith(".") else each
