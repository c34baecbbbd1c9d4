"""A scenario: a complete experiment with its story and questions to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fedbench.data.files import VARIABLE
from fedbench.experiment import Experiment


@dataclass(frozen=True)
class Scenario:
    """A realistic federation, ready to run.

    `made` gives the experiment on data that are embedded or simulated, so that it runs anywhere;
    `real` the one on the real set, where there is one. `story` is one paragraph, `questions` are
    what to try first. Calling a scenario gives the experiment.
    """

    name: str
    title: str
    story: str
    questions: tuple[str, ...]
    made: Callable[[], Experiment]
    real: Callable[[], Experiment] | None = None

    def __call__(self, real: bool = False) -> Experiment:
        """Return the experiment; raises ValueError for real data where the scenario has none."""
        if not real:
            return self.made()
        if self.real is None:
            raise ValueError(f"real = True: the scenario {self.name!r} has no real data set")
        return self.real()

    def lacks(self) -> str:
        """Return why the real set cannot be read at once and what helps; empty if it can.

        Looks for its files, and neither reads nor fetches any. Raises ValueError without a real
        set.
        """
        data = self(real=True).data
        if not data.missing:
            return ""
        size = sum(file.size for file in data.missing)
        unpacked = f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
        return (
            f"{data.display_name()} is not on this machine: fedbench.{data.kind()}().load() "
            f"downloads it ({unpacked}), or set {VARIABLE} to the folder that holds it"
        )
