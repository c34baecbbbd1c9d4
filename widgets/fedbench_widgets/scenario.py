"""The first control of the form: a scenario sets all of it, and tells what it is about."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from html import escape

import ipywidgets as widgets

from fedbench.experiment import Experiment
from fedbench.scenarios import Scenario
from fedbench_widgets.cells import made, show
from fedbench_widgets.explaining import says

OWN = "Your own"
CHOICE = "Sets the whole form: data, clients, model, privacy and everything else.\n\n"
SOURCE = "The scenario's simulated or built-in data, always available, or the real data set.\n\n"
OTHER = "You changed the data; this description no longer applies."
ABOUT_OWN = "A custom experiment. Choosing a scenario sets the whole form."


class Chooser:
    """Shows which of the `known` scenarios the form holds, its story, and whether it was changed.

    `choose` puts an experiment on the form, or refuses to, as while a run goes on; either way the
    chooser then shows what is true. Nothing is read here, and nothing is fetched.
    """

    def __init__(self, known: tuple[Scenario, ...], choose: Callable[[Experiment], None]) -> None:
        self._known = {scenario.name: scenario for scenario in known}
        self._choose = choose
        self._scenario: Scenario | None = None  # that the form began with; None for one's own
        self._real = False
        self._own: Experiment | None = None
        self._changed = False
        self._elsewhere = False  # whether the form holds data that the scenario does not know
        self._quiet = False
        self._said = ""  # the class of what helps where the real set is not there
        self.choice = made(
            widgets.Dropdown,
            options=self._options(),
            description="Scenario",
            tooltip="",
            classes=["fb-whole", says(CHOICE)],
        )
        self.about = made(widgets.HTML, classes=["fb-story"])
        self.data = made(
            widgets.RadioButtons,
            options=[("none", False), ("real", True)],
            description="Data",
            classes=["fb-source", says(SOURCE)],
        )
        self.lacking = made(widgets.Label, classes=["fb-hint"])
        self.back = made(widgets.Button, description="Back to the scenario", classes=["fb-back"])
        self.choice.observe(lambda _: self._chosen(), "value")
        self.data.observe(lambda _: self._sourced(), "value")
        self.back.on_click(lambda _: self._returned())
        parts = [self.choice, self.about, self.data, self.lacking, self.back]
        self.widget = made(widgets.VBox, parts)

    @property
    def summary(self) -> str:
        """Return which scenario it is, for the head of the section."""
        if self._scenario is None:
            return OWN
        return f"changed · {self._scenario.title}" if self._changed else self._scenario.title

    def given(self, experiment: Experiment) -> None:
        """Take note of an experiment that was put on the form as a whole.

        One that is no scenario, yet on the data of that which was there, is a change of it.
        """
        if self._find(experiment):
            return
        before = self._scenario
        if before is None or experiment.data != before(self._real).data:
            self._scenario, self._own = None, experiment

    def show(self, experiment: Experiment | None) -> None:
        """Show what the form holds, None while something in it is wrong."""
        found = experiment is not None and self._find(experiment)
        self._changed = not found
        if experiment is not None:
            known = _data(self._scenario)
            self._elsewhere = bool(known) and experiment.data.kind() not in known
        if self._scenario is None and experiment is not None:
            self._own = experiment  # one's own follows the edits: leaving it loses nothing
        self._draw()

    def _find(self, experiment: Experiment) -> bool:
        """Whether it is a scenario as it stands; that one is then the current one."""
        for scenario in self._known.values():
            for real in (False, True) if scenario.real is not None else (False,):
                if scenario(real) == experiment:
                    self._scenario, self._real = scenario, real
                    return True
        return False

    # From the browser ----------------------------------------------------------------------------

    def _chosen(self) -> None:
        if self._quiet:
            return
        scenario = self._known.get(str(self.choice.value))
        wanted = self._own if scenario is None else scenario()
        if wanted is not None:
            self._put(wanted)

    def _sourced(self) -> None:
        scenario, real = self._scenario, bool(self.data.value)
        if self._quiet or scenario is None:
            return
        if real and scenario.lacks():
            self._draw()
        else:
            self._put(scenario(real))

    def _returned(self) -> None:
        if self._scenario is not None:
            self._put(self._scenario(self._real))

    def _put(self, experiment: Experiment) -> None:
        self._choose(experiment)
        self._draw()

    # To the browser ------------------------------------------------------------------------------

    def _draw(self) -> None:
        scenario = self._scenario
        with self._still():
            self.choice.options = self._options()
            self.choice.value = "" if scenario is None else scenario.name
            self.about.value = f"<p>{OTHER}</p>" if self._elsewhere else _about(scenario)
            told = not self._elsewhere
            show(self.data, told and scenario is not None and scenario.real is not None)
            lacking = ""
            if scenario is not None and scenario.real is not None:
                lacking = scenario.lacks()
                self.data.options = [
                    (scenario().data.display_name(), False),
                    (f"{scenario(real=True).data.display_name()} (real)", True),
                ]
                self.data.value = self._real
                self.data.disabled = bool(lacking) and not self._real
            self._lack(lacking if told else "")
            show(self.back, scenario is not None and self._changed)

    def _lack(self, why: str) -> None:
        """Say in a word that the real set is not there; how to fetch it is help beside it."""
        lead, _, rest = why.partition(": ")
        self.lacking.value = f"{lead}." if why else ""
        self.lacking.remove_class(self._said)
        self._said = says(f"{rest}.\n\n")
        self.lacking.add_class(self._said)
        show(self.lacking, bool(why))

    def _options(self) -> list[tuple[str, str]]:
        own = [] if self._own is None else [(OWN, "")]
        return [*((each.title, each.name) for each in self._known.values()), *own]

    @contextmanager
    def _still(self):
        before, self._quiet = self._quiet, True
        try:
            yield
        finally:
            self._quiet = before


def _data(scenario: Scenario | None) -> set[str]:
    """Return the kinds of data that a scenario is about; one's own experiment has no story."""
    if scenario is None:
        return set()
    reals = [] if scenario.real is None else [scenario(real=True)]
    return {each.data.kind() for each in (scenario(), *reals)}


def _about(scenario: Scenario | None) -> str:
    if scenario is None:
        return f"<p>{ABOUT_OWN}</p>"
    questions = "".join(f"<li>{escape(each)}</li>" for each in scenario.questions)
    return (
        f"<p>{escape(scenario.story)}</p><details><summary>Questions to try</summary>"
        f'<ul aria-label="Questions to try">{questions}</ul></details>'
    )
