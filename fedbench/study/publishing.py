"""What publishing all results of a sweep spends together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

from fedbench.data import Natural
from fedbench.experiment import Experiment
from fedbench.privacy import Ledger, Ledgers
from fedbench.study.result import SweepResult

if TYPE_CHECKING:
    from fedbench.study.frontier import Frontier

FREE = {"no privacy", "true model"}  # levels that say nothing about the data beyond the results


def total_epsilon(
    frontier: Frontier, delta: float | None, private_only: bool, fresh_noise: bool
) -> dict[str, float]:
    """Return the ε of everything in a frontier; see `Frontier.total_epsilon`."""
    private = [each for each in frontier.results if each.unit is not None]
    units = list(dict.fromkeys(str(each.unit) for each in private))
    open_runs = len(private) < len(frontier.results)
    if not private_only and (open_runs or set(frontier.levels) - FREE):
        return dict.fromkeys(units or ["client"], math.inf)
    if not private:
        return {}
    if len(units) > 1:
        raise ValueError(
            f"units: the runs protect a {' or an '.join(units)}, and the ε of one unit says too "
            "little of another; take Frontier.of(results) for the results of one unit"
        )
    if not fresh_noise:
        _refuse_shared_noise(private)
    _refuse_moved(private)
    deltas = {each.delta for each in private if each.delta is not None}
    if delta is None and len(deltas) > 1:
        raise ValueError(
            f"delta: the runs have {', '.join(f'{each:g}' for each in sorted(deltas))}; give one"
        )
    if any(math.isinf(each.epsilon) for each in private):  # without noise, or killed on the way
        return {units[0]: math.inf}
    whole = _composed(each.ledger for each in private if each.ledger is not None)
    return {units[0]: whole.epsilon(next(iter(deltas)) if delta is None else delta)}


def _refuse_shared_noise(results: Sequence[SweepResult]) -> None:
    seeds = Counter(
        guarantee.noise_seed
        for each in results
        if (guarantee := each.experiment.privacy.guarantee) is not None
    )
    shared = [seed for seed, count in seeds.items() if seed is not None and count > 1]
    if shared:
        raise ValueError(
            f"privacy.noise_seed = {shared[0]}: several runs share their noise, which cancels out "
            "between them, so nothing is private together; leave noise_seed out, or ask with "
            "fresh_noise=True what runs with noise of their own would spend"
        )


def _refuse_moved(results: Sequence[SweepResult]) -> None:
    def dealt(experiment: Experiment) -> tuple[object, ...]:
        fixed = isinstance(experiment.partition, Natural)
        return experiment.partition, None if fixed else experiment.seed

    if any(each.experiment.data != results[0].experiment.data for each in results):
        raise ValueError(
            "data: the runs have different data, and which people are in several of them is not "
            "known; take Frontier.of(results) for the results on the same data"
        )
    if any(dealt(each.experiment) != dealt(results[0].experiment) for each in results):
        raise ValueError(
            "partition: rows are not with the same client in all runs, so client k of one is not "
            "client k of another; sweep a Natural partition, or a single seed"
        )


def _composed(ledgers: Iterable[Ledger | Ledgers]) -> Ledger | Ledgers:
    common, own = Ledger(), dict[int, Ledger]()
    for ledger in ledgers:
        common = _after(common, ledger.common)
        own |= {k: _after(own.get(k, Ledger()), each) for k, each in ledger.own.items()}
    # a client without a ledger of its own has the common one, which is less
    return Ledgers({k: _after(common, each) for k, each in own.items()}) if own else common


def _after(first: Ledger, second: Ledger) -> Ledger:
    return reduce(lambda ledger, entry: ledger.spend(*entry), second.entries, first)
