"""What to try where training left the range of numbers."""

from __future__ import annotations

from collections.abc import Iterator

from fedbench.config.spec import Spec
from fedbench.experiment import Experiment

FAR = 10  # times a default from which on a setting is suspected


class Diverged(ArithmeticError):
    """Training left the range of numbers."""

    def __init__(self, round: int, experiment: Experiment) -> None:
        super().__init__(
            f"round {round}: the loss is no longer finite; training diverged. Lower "
            f"{_listed(_suspects(experiment))}, or take fewer local steps"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return _restored, self.args


def _restored(message: str) -> Diverged:
    error = Diverged.__new__(Diverged)
    error.args = (message,)
    return error


def _suspects(experiment: Experiment) -> list[str]:
    """Return what may have made the steps too large, each with its value."""
    found = [f"training.lr (now {experiment.training.lr:g})"]
    found += [f"training.{each}" for each in _far(experiment.training) if "lr " not in each]
    found += [f"strategy.{each}" for each in _far(experiment.strategy)]
    if experiment.privacy.guarantee is not None:
        found.append("the noise: a larger privacy.epsilon, or a smaller privacy.clip")
    if experiment.attack.share():
        found.append(f"attack.fraction (now {experiment.attack.share():g})")
    return found


def _far(part: Spec) -> Iterator[str]:
    for name, field in type(part).model_fields.items():
        value, usual = getattr(part, name), field.default
        if isinstance(value, float) and isinstance(usual, float) and value > FAR * max(usual, 0.01):
            yield f"{name} (now {value:g})"


def _listed(words: list[str]) -> str:
    *head, last = words
    return f"{', '.join(head)} or {last}" if head else last
