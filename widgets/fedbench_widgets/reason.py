"""What is wrong with a field, beneath it, and the button that mends it."""

from __future__ import annotations

from collections.abc import Sequence

import ipywidgets as widgets

from fedbench.config.problems import Problem
from fedbench_widgets.cells import HIDDEN, close_all, made, show
from fedbench_widgets.remedies import Said

PROBLEM, DONE = "fb-problem", "fb-done"  # classes of the words


class Reason:
    """The words beneath a field, hidden while all is well, and a button while there is a remedy."""

    def __init__(self) -> None:
        self.label = made(widgets.Label, classes=[PROBLEM, HIDDEN])
        self._button: widgets.Button | None = None

    @property
    def widgets(self) -> list[widgets.Widget]:
        """Return what is to stand beneath the field."""
        return [self.label] if self._button is None else [self.label, self._button]

    def say(self, problems: Sequence[Problem]) -> bool:
        """Show what is wrong, or was just mended; return whether `widgets` are others now."""
        done = [each for each in problems if isinstance(each, Said) and each.done]
        wrong = [each for each in problems if each not in done]
        shown = wrong or done
        self.label.value = "; ".join(each.message for each in shown)
        show(self.label, bool(shown))
        kind, other = (DONE, PROBLEM) if done and not wrong else (PROBLEM, DONE)
        if kind not in self.label._dom_classes:
            self.label.remove_class(other)
            self.label.add_class(kind)
        remedies = [each.remedy for each in shown if isinstance(each, Said) and each.remedy]
        before = self._button
        if before is None and not remedies:
            return False
        self._button = None
        if remedies:
            remedy = remedies[0]
            self._button = made(widgets.Button, description=remedy.label, classes=["fb-remedy"])
            self._button.on_click(lambda _: remedy.apply())
        if before is not None:
            close_all(before)
        return True

    def close(self) -> None:
        """Close the widgets."""
        for widget in self.widgets:
            close_all(widget)
