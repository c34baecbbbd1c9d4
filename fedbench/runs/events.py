"""What a session tells those who listen."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Literal

from fedbench.metrics import RoundRecord

State = Literal["idle", "running", "paused", "stopping", "done", "failed"]


@dataclass(frozen=True)
class StateChanged:
    """The session is in another state now; `reason` says why a run ended."""

    state: State
    reason: str = ""


@dataclass(frozen=True)
class Cautioned:
    """Something that a person should know before believing the result."""

    text: str


@dataclass(frozen=True)
class Amended:
    """From `round` on the run goes by other settings."""

    round: int
    changes: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data."""
        plain = {
            key: x.to_dict() if hasattr(x, "to_dict") else x for key, x in self.changes.items()
        }
        return {"round": self.round, "changes": plain}

    def restored(self, experiment: Any) -> Amended:
        """Return the same with the values that `experiment` has, which may be written as dicts."""
        found = {path: reduce(getattr, path.split("."), experiment) for path in self.changes}
        return Amended(self.round, found)

    def describe(self) -> str:
        """Return each change in words, one after the other."""
        return "; ".join(
            f"from round {self.round} on {path} = {getattr(value, 'code', lambda v=value: v)()}"
            for path, value in self.changes.items()
        )


@dataclass(frozen=True)
class Failed:
    """Training raised the exception `error`; `detail` is its traceback."""

    message: str
    detail: str
    error: BaseException | None = field(default=None, repr=False, compare=False)


Event = RoundRecord | StateChanged | Cautioned | Amended | Failed
