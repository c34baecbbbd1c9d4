"""What a run promises about privacy, to whom and by what, and what it does not promise."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fedbench.experiment import Experiment
from fedbench.participation.sampling import Sampling
from fedbench.privacy import Private
from fedbench.privacy.exposure import computed_from_rows
from fedbench.rounding import rounded_up
from fedbench.runs.events import Amended


@dataclass(frozen=True)
class PrivacyCard:
    """A promise as lines of (name, words), and the sentences on what it leaves out.

    `statement` is the promise in one sentence. Shown in a notebook it is a table.
    """

    statement: str
    lines: tuple[tuple[str, str], ...]
    not_covered: tuple[str, ...]

    def to_markdown(self) -> str:
        """Return the card as Markdown."""
        rows = [f"| {_cell(name)} | {_cell(words)} |" for name, words in self.lines]
        table = ["| | |", "|---|---|", *rows] if rows else []
        rest = [f"- {_cell(each)}" for each in self.not_covered]
        parts = ["# Privacy card", self.statement, "\n".join(table), "## Not covered"]
        return "\n\n".join(part for part in (*parts, "\n".join(rest)) if part) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON data."""
        return {
            "statement": self.statement,
            "lines": dict(self.lines),
            "not_covered": list(self.not_covered),
        }

    def _repr_markdown_(self) -> str:
        return self.to_markdown()

    def __repr__(self) -> str:
        return f"<PrivacyCard: {self.statement}>"


def privacy_card(
    experiment: Experiment,
    *,
    epsilon: float,
    rounds: int,
    noise_multiplier: float | None,
    amendments: Sequence[Amended] = (),
    went_on_from: Sequence[int] = (),
    unfinished: int = 0,
) -> PrivacyCard:
    """Return the card of a run that has spent `epsilon` in `rounds` rounds, with its noise z.

    The `unfinished` rounds, which failed or were killed, are paid for too.

    `experiment` and the noise are those at the end, `amendments` what changed on the way, and
    `went_on_from` the rounds that were done each time it was resumed from files.
    """
    privacy = experiment.privacy.guarantee
    if privacy is None:
        return PrivacyCard(
            "No privacy is guaranteed: the server sees every update unchanged.",
            (),
            ("What updates and the model reveal about the data they were computed from.",),
        )
    if noise_multiplier is not None:
        privacy = privacy.replace(noise_multiplier=noise_multiplier)
    spent, done = 0.0 if math.isnan(epsilon) else epsilon, _count(rounds, unfinished)
    statement = (
        f"After {done} the run is ({rounded_up(spent)}, {privacy.delta:g})-"
        f"differentially private for each {privacy.protects}."
    )
    if math.isinf(spent):
        statement = f"After {done} there is no privacy: ε is infinite."
    if privacy.noise_seed is not None:
        statement += " SIMULATION ONLY: the noise is predictable and protects nobody."
    budget = "none" if privacy.epsilon is None else f"ε ≤ {privacy.epsilon:g}; the run stops before"
    lines = (
        ("Unit", f"{privacy.unit} ({privacy.level} ε)"),
        ("Neighbours differ in that", privacy.neighbours),
        ("ε spent", f"{rounded_up(spent, 6)} in {done}"),
        ("δ", f"{privacy.delta:g}"),
        ("Budget", budget),
        ("Stopping rule", _stopping(experiment, privacy)),
        ("Mechanism", f"{privacy.kind_of_noise.capitalize()} noise {privacy.added}"),
        ("Noise", _noise(privacy)),
        ("Clipping", privacy.describe_clipping()),
        ("Sampling", _sampling(experiment, privacy)),
        ("Accounting", _accounting(experiment, privacy)),
    )
    changes = "; ".join(note.describe() for note in amendments)
    if changes:
        lines = (
            *lines,
            ("Changed while running", (f"{changes}. The lines above describe the end of the run")),
        )
    missing = _not_covered(experiment, privacy)
    if went_on_from:
        places = " and ".join(f"round {done}" for done in went_on_from)
        missing.append(
            f"Other runs resumed from the same files after {places}: what they spent adds to what "
            "this one spent."
        )
    return PrivacyCard(statement, lines, tuple(missing))


def _count(rounds: int, unfinished: int) -> str:
    words = f"{rounds:,} round{'' if rounds == 1 else 's'}"
    more = f"{unfinished:,} unfinished round{'' if unfinished == 1 else 's'}"
    return f"{words} and {more}" if unfinished else words


def _cell(words: str) -> str:
    """Text that Markdown shows as it is: settings may be of anybody's making."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", words).replace("\n", " ")


def _noise(privacy: Private) -> str:
    if privacy.noise_multiplier is None:
        return "not computed before the run begins"
    z = privacy.noise_multiplier
    words = f"z = {rounded_up(z, 6)}"
    if len(noises := privacy.noises()) > 1:
        parts = ", ".join(f"{rounded_up(value)} on {name}" for name, value in noises.items())
        words += f", split over one release: {parts}"
    source = "the operating system" if privacy.noise_seed is None else "a fixed seed"
    return f"{words}; drawn from {source}, in floating point"


def _sampling(experiment: Experiment, privacy: Private) -> str:
    if privacy.drawn:
        return privacy.drawn
    sampling: Sampling = experiment.sampling
    if experiment.own_accounts:
        return f"{sampling.kind()}; no amplification is claimed"
    if sampling.everyone:
        return f"{sampling.kind()}; every client in every round"
    hidden = "kept secret" if privacy.noise_seed is None else "by a public seed"
    return f"clients by Poisson sampling at rate {experiment.sampling_rate:g}, {hidden}"


def _accounting(experiment: Experiment, privacy: Private) -> str:
    words = "privacy loss distributions, composed once over all releases (dp-accounting)"
    if experiment.own_accounts:
        words += "; one account per client, of which the largest is reported"
    return words


def _stopping(experiment: Experiment, privacy: Private) -> str:
    rules = [f"{experiment.rounds:,} rounds"]
    if privacy.epsilon is not None:
        rules.append("the budget, which depends on no data")
    if experiment.target is not None:
        target = experiment.target
        looks = "the measured accuracy, which ε covers"
        if not privacy.measures:
            looks = "exact scores of held-out rows, which ε does not cover"
        rules.append(f"{target.metric} {target.value:g}, by {looks}")
    return "; ".join(rules)


def _not_covered(experiment: Experiment, privacy: Private) -> list[str]:
    exact = "Exact scores of held-out rows, also per client, which only a simulation can show"
    covered = "; accuracy measured under privacy is covered" if privacy.measures else ""
    found = [f"{exact}{covered}."]
    if experiment.target is not None and not privacy.measures:
        found.append(
            f"When the run stops: target = {experiment.target.metric} looks at exact scores of "
            "held-out rows after each round."
        )
    found.append(
        "Choosing settings by looking at several runs on the same data: their privacy losses "
        "add up."
    )
    found += privacy.uncovered
    found += [f"{each}." for each in privacy.beyond(experiment)]
    if experiment.strategy.keeps_models():
        found.append("Personal models that clients keep: they have no noise.")
    if fitted := computed_from_rows(experiment.data)[0]:
        found.append(
            f"What is computed from the training rows before any noise: {', '.join(fitted)}."
        )
    found.append(
        "Exact curves of training loss, norms and cohorts: these files are the simulator's, and "
        "only the model and this card are private."
    )
    found.append("The time a client takes; what floating-point noise reveals (Mironov 2012).")
    return found
