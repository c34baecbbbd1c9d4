"""Before any round: which noise, how many rounds, how many clients a budget allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from fedbench.privacy import accounting
from fedbench.rounding import rounded_down, rounded_up

MOST_ROUNDS = 10_000_000
LEAST_DELTA = 1e-30
CLOSE = 1e-4  # relative; a rate or δ is found this well, and always on the safe side
SOLVED = ("epsilon", "noise_multiplier", "rounds", "rate", "delta")


@dataclass(frozen=True)
class PrivacyPlan:
    """Numbers that hold together: `rounds` releases of a noisy sum are (`epsilon`, `delta`)-DP.

    `rate` is the probability that a client takes part in a round, `noise_multiplier` the noise's
    standard deviation over the clipping norm, and `found` which of the numbers was worked out.
    `clients` and the expected `cohort` are there if they were given, or follow.
    """

    epsilon: float
    noise_multiplier: float
    rounds: int
    rate: float
    delta: float
    found: str
    clients: int | None = None
    cohort: float | None = None

    def signal_to_noise(self, parameters: int) -> float:
        """Return how far the mean update stands out of the noise at best, by its norm.

        The signal is that of a cohort whose updates all have the clipping norm and one direction,
        the noise that of `parameters` coordinates: cohort / (z √parameters). Below 1 a round moves
        the model more by chance than by what clients say. Raises ValueError without clients.
        """
        if self.cohort is None:
            raise ValueError("clients: give their number; the signal is their sum")
        if self.noise_multiplier == 0:
            return math.inf
        return self.cohort / (self.noise_multiplier * math.sqrt(parameters))

    def __str__(self) -> str:
        """Say it in a sentence, what was worked out first.

        Noise, ε and δ are rounded up and the rate down: the numbers as printed hold together too.
        """
        words = {
            "epsilon": f"ε = {rounded_up(self.epsilon)}",
            "noise_multiplier": f"noise z = {rounded_up(self.noise_multiplier)}",
            "rounds": f"{self.rounds:,} rounds",
            "rate": f"rate {rounded_down(self.rate)}",
            "delta": f"δ = {rounded_up(self.delta, 3)}",
        }
        first = words.pop("rate" if self.found == "clients" else self.found)
        crowd = f", {self.clients:,} clients" if self.clients is not None else ""
        weak = ""
        if self.clients is not None and self.delta >= 1 / self.clients:
            weak = (
                "; caution: δ is not below 1/clients: it would even allow publishing all "
                "data of one client"
            )
        return f"{first}{crowd}; with {', '.join(words.values())}{weak}"


def plan(
    *,
    epsilon: float | None = None,
    delta: float | None = None,
    rounds: float | None = None,
    rate: float | None = None,
    noise_multiplier: float | None = None,
    clients: int | None = None,
    cohort: float | None = None,
) -> PrivacyPlan:
    """Work out the one of ε, δ, rounds, rate and noise that is left out.

    The rate may be given as an expected `cohort` of so many `clients`; with a cohort alone, the
    least number of clients is worked out that hides it well enough. The answer is on the safe side:
    the least noise, rate, δ or clients, or the most rounds, whose ε is at most the one asked for.
    Raises ValueError where other than one is left out, or where nothing would do.
    """
    rate, by_cohort = _rate(rate, clients, cohort)
    if rounds is not None and not (0 <= rounds <= MOST_ROUNDS and rounds == int(rounds)):
        raise ValueError(f"rounds = {rounds!r} must be a whole number, at most {MOST_ROUNDS:,}")
    least, most = accounting.NOISE_RANGE
    if noise_multiplier and not least <= noise_multiplier <= most:
        raise ValueError(
            f"noise_multiplier = {noise_multiplier!r} must be 0, which is no noise, or from "
            f"{least:g} to {most:,.0f}"
        )
    given = {
        "epsilon": epsilon,
        "noise_multiplier": noise_multiplier,
        "rounds": rounds,
        "rate": rate,
        "delta": delta,
    }
    missing = [name for name, value in given.items() if value is None]
    if len(missing) != 1:
        names = ", ".join(SOLVED)
        found = ", ".join(missing) if missing else "none"
        raise ValueError(f"leave out exactly one of {names}; left out here: {found}")
    (name,) = missing
    known = {key: value for key, value in given.items() if value is not None}
    solve: dict[str, Callable[..., float]] = {
        "epsilon": _epsilon,
        "noise_multiplier": _noise,
        "rounds": _rounds,
        "rate": _most_rate,
        "delta": _delta,
    }
    known[name] = solve[name](**known)
    if by_cohort and cohort is not None:
        clients = math.ceil(cohort / known["rate"])
        known["rate"] = cohort / clients
        name = "clients"
    if clients is not None:
        cohort = known["rate"] * clients
    if name != "epsilon":  # what the answer really spends
        known["epsilon"] = _epsilon(**{k: v for k, v in known.items() if k != "epsilon"})
    return PrivacyPlan(
        epsilon=known["epsilon"],
        noise_multiplier=known["noise_multiplier"],
        rounds=int(known["rounds"]),
        rate=known["rate"],
        delta=known["delta"],
        found=name,
        clients=clients,
        cohort=cohort,
    )


def _rate(
    rate: float | None, clients: int | None, cohort: float | None
) -> tuple[float | None, bool]:
    """Return the rate, if it is said, and whether clients are to be found for a cohort."""
    if cohort is None:
        return rate, False
    if rate is not None:
        raise ValueError("give rate or cohort, not both")
    if cohort <= 0:
        raise ValueError(f"cohort = {cohort!r} is not a number of clients; give more than 0")
    if clients is None:
        return None, True
    if cohort > clients:
        raise ValueError(f"cohort = {cohort:g} is more than the {clients:,} clients there are")
    return cohort / clients, False


def _epsilon(*, rate: float, noise_multiplier: float, rounds: float, delta: float) -> float:
    return accounting.epsilon(rate, noise_multiplier, int(rounds), delta)


def _noise(*, rate: float, rounds: float, epsilon: float, delta: float) -> float:
    return accounting.noise_multiplier(rate, int(rounds), epsilon, delta)


def _rounds(*, rate: float, noise_multiplier: float, epsilon: float, delta: float) -> float:
    def fits(count: int) -> bool:
        return accounting.epsilon(rate, noise_multiplier, count, delta) <= epsilon

    if not fits(1):
        raise ValueError(
            f"epsilon = {epsilon:g}: the first round would already exceed it; use more noise "
            "or a lower rate"
        )
    high = 1
    while fits(high * 2):
        high *= 2
        if high >= MOST_ROUNDS:
            return MOST_ROUNDS
    low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _most_rate(*, noise_multiplier: float, rounds: float, epsilon: float, delta: float) -> float:
    def fits(rate: float) -> bool:
        return accounting.epsilon(rate, noise_multiplier, int(rounds), delta) <= epsilon

    if fits(1.0):
        return 1.0
    return _edge(fits, 1e-9, 1.0, "rate", "use more noise or fewer rounds")


def _delta(*, rate: float, noise_multiplier: float, rounds: float, epsilon: float) -> float:
    def fits(delta: float) -> bool:
        return accounting.epsilon(rate, noise_multiplier, int(rounds), delta) <= epsilon

    # the smaller δ is, the larger ε: the safe side lies above
    return _edge(fits, 1 - 1e-9, LEAST_DELTA, "delta", "use more noise, fewer rounds or a larger ε")


def _edge(fits: Callable[[float], bool], good: float, bad: float, name: str, remedy: str) -> float:
    """Return the value nearest to `bad` that fits, on a logarithmic scale."""
    if not fits(good):
        raise ValueError(f"no {name} meets this budget; {remedy}")
    if fits(bad):
        return bad
    while abs(math.log(good / bad)) > CLOSE:
        middle = math.sqrt(good * bad)
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good
