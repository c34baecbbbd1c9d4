"""Which figure fits the axes of a frontier."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fedbench.config.spec import Part
from fedbench.figures import frontier_figure, map_figure, setting_figure
from fedbench.figures.theme import SHARES
from fedbench.study.grid import BUDGET, shown
from fedbench.study.result import spent

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from fedbench.study.frontier import Frontier, FrontierPoint

MOST = 8  # lines that can be told apart


class Drawing:
    """A frontier, its finished points, and the settings by which they differ."""

    def __init__(self, frontier: Frontier) -> None:
        self.frontier = frontier
        self.points = [point for point in frontier.points if not math.isnan(point.value)]
        if not self.points:
            raise ValueError("there is nothing to draw: no run has finished without an error yet")
        self.values = {path: self._values(path) for path in self.points[0].settings}
        varied = [path for path, values in self.values.items() if len(values) > 1]
        self.numbers = [path for path in varied if all(map(_is_number, self.values[path]))]
        self.first = BUDGET if BUDGET in varied else next(iter(self.numbers or varied), "")
        self.rest = [path for path in varied if path != self.first]

    def figure(self) -> go.Figure:
        """Return the figure that fits; see `Frontier.figure`."""
        if len(self.numbers) == 2 and len(self.rest) == 1:
            return self._map()
        if (lines := len({self._line(point) for point in self.points})) > MOST:
            raise ValueError(
                f"{lines} lines by {', '.join(self.rest)} cannot be distinguished; sweep fewer "
                "settings at once, or use the values from frame()"
            )
        budgets = {f"{point.epsilon:.2g}" for point in self.points if point.unit is not None}
        if len(budgets) > 1 or (budgets and self.first in (BUDGET, "")):
            return self._against_epsilon()
        return self._against_setting()

    def _against_epsilon(self) -> go.Figure:
        import pandas as pd

        rows = [
            self._row(point) | spent(point.epsilon, point.unit) | {"best": point.best}
            for point in sorted(self.points, key=lambda point: point.epsilon)
            if point.unit is not None
        ]
        levels = dict(self.frontier.levels)
        if self.rest:  # each line has a level of its own without privacy
            levels.pop("no privacy", None)
            bare = [point for point in self.points if point.unit is None]
            levels |= {f"no privacy, {self._line(point)}": point.value for point in bare}
        return frontier_figure(pd.DataFrame(rows), self.frontier.metric, self._title(), levels)

    def _against_setting(self) -> go.Figure:
        import pandas as pd

        first = self.first
        drawn = all(_is_number(x) and math.isfinite(x) for x in self.values.get(first, ["all"]))
        rows = [
            self._row(point)
            | {"x": point.settings[first] if drawn else self._word(point, first) if first else ""}
            for point in self.points
        ]
        levels = dict(self.frontier.levels)
        if not any(point.unit for point in self.points):
            levels.pop("no privacy", None)  # the points themselves say so
        frame, title = pd.DataFrame(rows), self._title()
        return setting_figure(frame, self.frontier.metric, first, title, levels)

    def _map(self) -> go.Figure:
        import pandas as pd

        across, (down,) = self.first, self.rest
        words = {path: _words(sorted(self.values[path])) for path in (down, across)}
        table = pd.DataFrame(
            math.nan,
            index=pd.Index(words[down], name=down),
            columns=pd.Index(words[across], name=across),
        )
        for point in self.points:
            table.loc[self._word(point, down), self._word(point, across)] = point.value
        frontier = self.frontier
        return map_figure(table, frontier.metric, frontier.higher_is_better, self._title())

    def _row(self, point: FrontierPoint) -> dict[str, Any]:
        share = self.frontier.metric in SHARES
        value = f"{point.value:.1%}" if share else f"{point.value:.3g}"
        return {
            "value": point.value,
            "low": point.low,
            "high": point.high,
            "label": "" if self.rest else value,  # of several lines they would overlap
            "series": self._line(point),
        }

    def _line(self, point: FrontierPoint) -> str:
        return ", ".join(
            f"{path.rpartition('.')[2]} {word}" if path in self.numbers else word
            for path in self.rest
            for word in [self._word(point, path)]
        )

    def _word(self, point: FrontierPoint, path: str) -> str:
        values = self.values[path]
        return _words(values)[values.index(point.settings[path])]

    def _values(self, path: str) -> list[Any]:
        found: list[Any] = []
        for point in self.points:
            if point.settings[path] not in found:
                found.append(point.settings[path])
        return found

    def _title(self) -> str:
        experiment = self.points[0].experiment
        runs = max(point.runs for point in self.points)
        seeds = f", mean of {runs} seeds with its 95 % interval" if runs > 1 else ""
        if runs > 1 and all(point.same for point in self.points if point.runs > 1):
            seeds = f", {runs} seeds, all identical"
        return f"{experiment.data.kind()}, {experiment.clients} clients{seeds}"


def _words(values: Iterable[Any]) -> list[str]:
    """What values are called: parts by their kinds, as long as these differ."""
    values = list(values)
    kinds = [value.kind() for value in values if isinstance(value, Part)]
    if len(set(kinds)) == len(values):
        return kinds
    short = [f"{value:.3g}" if isinstance(value, float) else shown(value) for value in values]
    words = short if len(set(short)) == len(values) else map(shown, values)
    return [
        word.replace("inf", "∞") if value == math.inf else word
        for value, word in zip(values, words, strict=True)
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
