"""What a run has released so far, in order: the account that its ε is worked out from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fedbench.privacy import accounting
from fedbench.privacy.events import EVENTS, Kind, mechanism

if TYPE_CHECKING:
    from dp_accounting import DpEvent

# Of each client of a round: its number, the rate at which a unit is sampled, and how often.
Shares = Callable[[], Iterable[tuple[int, float, int]]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a run has released so far; its ε composes all of it at once, never adding epsilons.

    `entries` are events with their counts, in the order of the run; neither their order nor how
    they are split changes ε.
    """

    entries: tuple[tuple[DpEvent, int], ...] = ()

    @property
    def common(self) -> Ledger:
        """What was released about everybody alike."""
        return self

    @property
    def own(self) -> Mapping[int, Ledger]:
        """What was released about single clients: nothing."""
        return {}

    @property
    def steps(self) -> int:
        """Number of releases."""
        return sum(count for _, count in self.entries)

    def spend(self, event: DpEvent, count: int = 1) -> Ledger:
        """The ledger after `count` more releases. Raises ValueError for what has no accounting."""
        mechanism(event)
        if not accounting.whole(count):
            return self
        *head, (last, before) = self.entries or ((event, 0),)
        if last == event:
            return Ledger((*head, (event, before + count)))
        return Ledger((*self.entries, (event, count)))

    def charge(self, event: Callable[[float], DpEvent], rate: float, own: Shares) -> Ledger:
        """The ledger after a round that samples everybody at `rate`; see `Shares`."""
        return self.spend(event(rate))

    def extended(self, more: Ledger | Ledgers) -> Ledger:
        """The ledger after the releases of another one. Raises ValueError for other accounting."""
        if not isinstance(more, Ledger):
            raise ValueError("one account for all cannot be extended by accounts of each client")
        ledger = self
        for event, count in more.entries:
            ledger = ledger.spend(event, count)
        return ledger

    def epsilon(self, delta: float) -> float:
        """Upper bound of ε over the whole run."""
        return accounting.composed(self.entries, delta)

    def after(self, event: DpEvent, count: int = 1, *, delta: float) -> float:
        """ε that the run would have after `count` more releases: what a hard budget asks."""
        return self.spend(event, count).epsilon(delta)

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Plain JSON data; `from_dict` restores it exactly."""
        return {"entries": [_written(event) | {"steps": count} for event, count in self.entries]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledger:
        """Restore `to_dict`'s data. Raises ValueError for unknown or missing fields."""
        items = data.get("entries") if isinstance(data, Mapping) and len(data) == 1 else None
        if not isinstance(items, list):
            raise ValueError(f"ledger = {data!r} is not {{'entries': [...]}}; save it with to_dict")
        ledger = cls()
        for item in items:
            if not _sound(item):
                raise ValueError(
                    f"ledger entry = {item!r} does not give a mechanism ({' or '.join(EVENTS)}), a "
                    "rate, a list of noise_multipliers and steps; save the ledger with to_dict"
                )
            event = EVENTS[item["mechanism"]](item["rate"], *item["noise_multipliers"])
            ledger = ledger.spend(event, item["steps"])
        return ledger


@dataclass(frozen=True, slots=True)
class Ledgers:
    """What a run has released about the data of each client: a `Ledger` for every one of them."""

    own: Mapping[int, Ledger] = field(default_factory=dict)

    @property
    def common(self) -> Ledger:
        """What was released about everybody alike: nothing."""
        return Ledger()

    @property
    def steps(self) -> int:
        """Number of releases of the client that released most."""
        return max((ledger.steps for ledger in self.own.values()), default=0)

    def spend(self, releases: Mapping[int, tuple[DpEvent, int]]) -> Ledgers:
        """The ledgers after some clients' releases, as event and count by client."""
        own = dict(self.own)
        for client, (event, count) in releases.items():
            own[client] = own.get(client, Ledger()).spend(event, count)
        return Ledgers(own)

    def charge(self, event: Callable[[float], DpEvent], rate: float, own: Shares) -> Ledgers:
        """The ledgers after a round in which each client has a share of its own."""
        return self.spend({client: (event(rate), count) for client, rate, count in own()})

    def extended(self, more: Ledger | Ledgers) -> Ledgers:
        """The ledgers after the releases of others. Raises ValueError for other accounting."""
        if not isinstance(more, Ledgers):
            raise ValueError("accounts of each client cannot be extended by one for all")
        new = {k: self.own.get(k, Ledger()).extended(own) for k, own in more.own.items()}
        return Ledgers({**self.own, **new})

    def epsilon(self, delta: float) -> float:
        """Upper bound of the largest ε over the clients."""
        plain: dict[tuple[float, Kind], list[tuple[float, int]]] = {}
        mixed: list[Ledger] = []
        for ledger in set(self.own.values()):
            if len(ledger.entries) == 1:
                (event, count) = ledger.entries[0]
                rate, noise, kind = mechanism(event)
                plain.setdefault((noise, kind), []).append((rate, count))
            else:
                mixed.append(ledger)
        spent = [ledger.epsilon(delta) for ledger in mixed]
        spent += [
            accounting.shared_epsilon(pairs, noise, delta, kind)
            for (noise, kind), pairs in plain.items()
        ]
        return max(spent, default=0.0)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Plain JSON data; `from_dict` restores it exactly."""
        return {"clients": {str(client): own.to_dict() for client, own in self.own.items()}}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Ledgers:
        """Restore `to_dict`'s data. Raises ValueError for unknown or missing fields."""
        clients = data.get("clients") if isinstance(data, Mapping) and len(data) == 1 else None
        named = isinstance(clients, Mapping) and all(
            isinstance(key, str) and key.isdigit() for key in clients
        )
        if not (named and isinstance(clients, Mapping)):
            raise ValueError(f"ledgers = {data!r} is not {{'clients': {{...}}}}")
        return cls({int(client): Ledger.from_dict(own) for client, own in clients.items()})


def _written(event: DpEvent) -> dict[str, Any]:
    from dp_accounting import ComposedDpEvent, PoissonSampledDpEvent

    rate, _, kind = mechanism(event)
    inner = event.event if isinstance(event, PoissonSampledDpEvent) else event
    each = inner.events if isinstance(inner, ComposedDpEvent) else [inner]
    noises = [part.noise_multiplier for part in each]  # pyright: ignore[reportAttributeAccessIssue]
    return {"mechanism": kind, "rate": rate, "noise_multipliers": noises}


def _sound(item: object) -> bool:
    fields = {"mechanism", "rate", "noise_multipliers", "steps"}
    if not isinstance(item, Mapping) or set(item) != fields:
        return False
    noises = item["noise_multipliers"]
    if item["mechanism"] not in EVENTS or not isinstance(noises, list) or not noises:
        return False
    several = len(noises) > 1 and item["mechanism"] != "gaussian"
    numbers = (item["rate"], item["steps"], *noises)
    return not several and all(isinstance(number, int | float) for number in numbers)
