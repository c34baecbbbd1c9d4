"""Whether a run can go on where it is, and what it takes where it cannot."""

from __future__ import annotations

from dataclasses import dataclass

from fedbench.runs.rounds import Rounds
from fedbench.runs.session import Session


@dataclass(frozen=True)
class Further:
    """What stands in the way of one more round.

    `reason` is empty where nothing does. `changes` are the settings, as `--set` takes them, with
    which there is one; they are empty too where the budget is spent: how much more
    of it to grant is for a person to say.
    """

    reason: str = ""
    changes: tuple[str, ...] = ()


def further(session: Session) -> Further:
    """Return what stands in the way of one more round of a run that is not going on.

    Raises ValueError when its experiment cannot be prepared, and SessionError while rounds go on.
    """
    start = session.checkpoint()
    if start is None:
        return Further()
    rounds = Rounds(start.experiment, noise_multiplier=start.noise_multiplier)
    progress, last = start.progress, start.rows[-1] if start.rows else None
    if rounds.ended(progress, last) is None:
        return Further()
    done, needed = progress.round, start.experiment
    changes: list[str] = []
    if done >= needed.rounds:
        needed = needed.replace(rounds=2 * done)
        changes.append(f"rounds={2 * done}")
    rounds.amend(needed.replace(target=None))
    if spent := rounds.ended(progress, last):  # the budget alone is left to be in the way
        return Further(f"{spent}; with a larger privacy.epsilon it continues with the same noise")
    rounds.amend(needed)
    if reached := rounds.ended(progress, last):
        return Further(reached, (*changes, "target=none"))
    return Further(
        "the one round is done" if done == 1 else f"all {done} rounds are done", (*changes,)
    )
