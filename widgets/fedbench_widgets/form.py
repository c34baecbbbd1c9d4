"""The form of an experiment: generated from its fields, read and written as a whole."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import ipywidgets as widgets
from pydantic import ValidationError

from fedbench.config.problems import Problem, problems
from fedbench.config.spec import Part
from fedbench.data import Explicit, Partitioner
from fedbench.experiment import Experiment
from fedbench.scenarios import SCENARIOS, Scenario
from fedbench_widgets.cells import close_all, made, show
from fedbench_widgets.design import Design, by_hand
from fedbench_widgets.fields import Field, Group, make
from fedbench_widgets.own import SINGLE, Own
from fedbench_widgets.partition import PartitionMap
from fedbench_widgets.remedies import Change, Remedy, Said, remedy_of
from fedbench_widgets.scenario import Chooser

# Where a field stands; one that is not named here, such as a later one, gets a section of its own.
SECTIONS: dict[str, tuple[str, ...]] = {
    "Scenario": (),  # sets all fields
    "Data": ("data",),
    "Clients": ("partition", "skews", "sampling"),
    "Privacy": ("privacy",),
    "Model": ("model",),
    "Training": ("training",),
    "Aggregation": ("strategy", "schedule", "channel", "aggregator"),
    "Run": ("rounds", "target", "seed", "engine"),
}
OPEN = ("Scenario", "Clients", "Privacy")
FOLDED = "fb-folded"  # the class of a group of which only the choice is shown
WRONG = "fb-wrong"  # the class of a section in which something is wrong
# Settings of a table that are chosen by its columns; others are shown only where one is at fault.
IN_PICKER = {f"data.{name}" for name in ("path", *SINGLE, "ignore")}


class Form:
    """All fields of an experiment; `experiment` is None while something is wrong with them.

    `changed` is called after an edit, `choose` with the experiment of a scenario that is wanted.
    """

    def __init__(
        self,
        experiment: Experiment,
        changed: Callable[[], None],
        choose: Callable[[Experiment], None] | None = None,
        scenarios: tuple[Scenario, ...] = SCENARIOS,
    ) -> None:
        self.experiment: Experiment | None = experiment
        self.problems: list[Problem] = []
        self.map = made(PartitionMap)
        self.design = Design(self)
        self.map.on_msg(self.design.heard)
        self.own = Own(self)
        self.scenario = Chooser(scenarios, choose or self._take)
        # the ten fields of a table are the columns' roles once more
        self._all = made(
            widgets.ToggleButton,
            description="All settings of the table",
            tooltip="",  # ipywidgets would show "null"
            classes=["fb-all"],
        )
        self._all.observe(lambda _: self._fold(self.own.table is not None), "value")
        self.hint = made(widgets.Label, classes=["fb-hint"])
        self._changed = changed
        self._quiet = True
        self._mended: Said | None = None  # what a remedy has just changed
        self._fields: dict[str, Field] = {
            name: make(name, field, self._edited) for name, field in Experiment.model_fields.items()
        }
        self._sections: dict[str, widgets.Accordion] = {}
        self._summaries: dict[str, str] = {}  # of sections, while nothing in them is wrong
        sections = [self._section(title) for title in _titles()]
        self.widget = made(widgets.VBox, sections, classes=["fedbench-form"])
        self.write(experiment)

    def write(self, experiment: Experiment) -> None:
        """Show `experiment` in all fields at once."""
        with self._still():
            for name, field in self._fields.items():
                field.write(getattr(experiment, name))
        self.experiment, self._mended = experiment, None
        self.scenario.given(experiment)
        self._judge([])

    def _take(self, experiment: Experiment) -> None:
        self.write(experiment)
        self._changed()

    def _group(self, name: str) -> Group:
        field = self._fields[name]
        assert isinstance(field, Group)
        return field

    @property
    def _partition(self) -> Group:
        return self._group("partition")

    def put(self, **parts: Part) -> None:
        """Show other parts and leave the other fields alone, as if a person had chosen them."""
        with self._still():
            for name, part in parts.items():
                self._group(name).write(part)
        self._edited()

    def reshape(self, partition: Partitioner) -> None:
        """Show another partition."""
        self.put(partition=partition)

    def shaped(self) -> Partitioner | None:
        """Return the partition of the form, None while something in it is wrong."""
        try:
            return Partitioner.from_dict(self._partition.read())
        except ValidationError:
            return None

    @property
    def wrong(self) -> str:
        """Return where the first wrong field stands and what is wrong, empty if all is well."""
        if not self.problems:
            return ""
        first, *others = self.problems
        if self.own.step:
            return f"Data › {self.own.step}"
        head = first.path.partition(".")[0]
        where = [title for title, names in self._placed() if head in names]
        if head in self._fields:
            where.append(self._fields[head].name(first.path))
        if head == "data" and self.own.table is not None:
            return f"{' › '.join(dict.fromkeys(where))}: needs attention"
        more = f" (and {len(others)} more)" if others else ""
        return f"{' › '.join(dict.fromkeys(where)) or 'The form'}: {first.message}{more}"

    def _placed(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(title, SECTIONS.get(title, (title.lower(),))) for title in self._sections]

    def reads(self) -> dict[str, Any]:
        """Return all fields as plain data."""
        return {name: field.read() for name, field in self._fields.items()}

    def close(self) -> None:
        """Close all widgets, those that are not shown at the moment too."""
        for field in self._fields.values():
            field.close()
        close_all(self.widget)

    def _edited(self) -> None:
        if self._quiet:
            return
        self._mended = None
        self._read()

    def _read(self) -> None:
        if self.experiment is not None:
            self._prefill(self.experiment)
        try:
            # a class of the person's own is known to the form already: nothing is imported
            self.experiment = Experiment.from_dict(self.reads())
            self._judge([])
        except ValidationError as error:
            self.experiment = None
            self._judge(problems(error))
        self._changed()

    def _said(self, problem: Problem) -> Said:
        """Return a problem with the change that would mend it, if there is a simple one."""
        said = Said(problem.path, problem.message, problem.value)
        change = remedy_of(self.reads(), self.problems, problem)
        if change is None:
            return said
        return replace(said, remedy=Remedy(change.words, lambda: self._mend(problem, change)))

    def _mend(self, problem: Problem, change: Change) -> None:
        """Make a change that a person has chosen; it can be taken back until the next edit."""
        field = self._fields[change.path.partition(".")[0]].find(change.path)
        if field is None:
            return
        before = field.read()

        def undo() -> None:
            self._mended = None
            self._assign(field, before)

        words = f"{change.words}: done."
        self._mended = Said(problem.path, words, None, Remedy("Undo", undo), done=True)
        self._assign(field, change.value)

    def _assign(self, field: Field, raw: Any) -> None:
        with self._still():
            field.assign(raw)
        self._read()

    def _prefill(self, before: Experiment) -> None:
        """Let a partition by hand begin with what was there, not with a client and a sample."""
        if self.shaped() == Explicit() and before.partition != Explicit():
            made = by_hand(before)
            if made is not None:
                with self._still():
                    self._partition.write(made)

    def mark_downloads(self) -> None:
        """Say in the list of data sets which ones lack their files now."""
        self._group("data").relabel()

    def _judge(self, found: list[Problem]) -> None:
        self.problems = found
        self.mark_downloads()
        # messages about a table hold what is in its cells, which must not be saved with a notebook
        table = self.own.table is not None
        inside = [each for each in found if table and each.path.startswith("data.")]
        said: list[Problem] = [self._said(each) for each in found if each not in inside]
        found = said if self._mended is None else [*said, self._mended]
        self.own.show(inside)
        for field in self._fields.values():
            found = field.show(found)
        self._fold(table)
        self._group("data").unfold({each.path for each in inside} - IN_PICKER)
        wrong = [each.path.partition(".")[0] for each in self.problems]
        self.scenario.show(self.experiment)
        self._title()
        for title, names in self._placed():
            section, words = self._sections[title], self._summaries[title]
            section.remove_class(WRONG)
            if any(name in names for name in wrong):
                section.selected_index = 0  # a reason that is folded away helps nobody
                waits = title == "Data" and self.own.step != ""
                words = "to be chosen" if waits else "needs attention"
                if not waits:
                    section.add_class(WRONG)
            self._summarise(title, words)

    def _fold(self, table: bool) -> None:
        show(self._all, table)
        data, folded = self._group("data").widget, table and not self._all.value
        if folded != (FOLDED in data._dom_classes):
            (data.add_class if folded else data.remove_class)(FOLDED)

    def _title(self) -> None:
        self._summaries["Scenario"] = self.scenario.summary
        experiment = self.experiment
        if experiment is None:
            return
        strategy = experiment.strategy
        words = {
            "Data": experiment.data.display_name(),
            "Clients": f"{experiment.clients} · {experiment.partition.display_name()}",
            "Model": experiment.model.display_name(),
            "Training": _length(experiment),
            "Aggregation": f"{strategy.display_name()} · {strategy.weighting}",
            "Privacy": _promise(experiment),
            "Run": f"{experiment.rounds} rounds · seed {experiment.seed}",
        }
        for title in self._sections.keys() - {"Scenario"}:
            part = getattr(experiment, title.lower(), None)
            words.setdefault(title, part.display_name() if isinstance(part, Part) else "")
            self._summaries[title] = words[title]

    def _summarise(self, title: str, words: str) -> None:
        # the en space parts the name from the summary, which the style sheet cannot see
        self._sections[title].set_title(0, f"{title}\u2002{words}")

    def _section(self, title: str) -> widgets.Accordion:
        names = SECTIONS.get(title, (title.lower(),))
        inside: list[widgets.Widget] = [self._fields[name].widget for name in names]
        if title == "Scenario":
            inside.append(self.scenario.widget)
        if title == "Clients":
            inside.insert(1, self.map)  # beside the partition that it shows
        if title == "Data":
            inside = [self.own.widget, *inside, self._all]
        if title == "Privacy":
            inside.append(self.hint)
        section = made(
            widgets.Accordion,
            [made(widgets.VBox, inside)],
            classes=["fb-section"],
            titles=[title],
            selected_index=0 if title in OPEN else None,
        )
        self._sections[title] = section
        return section

    @contextmanager
    def _still(self):
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False


def _titles() -> list[str]:
    placed = {name for names in SECTIONS.values() for name in names}
    return [*SECTIONS, *(n.capitalize() for n in Experiment.model_fields if n not in placed)]


def _length(experiment: Experiment) -> str:
    training = experiment.training
    count, unit = (
        (training.steps, "step") if training.steps is not None else (training.epochs, "epoch")
    )
    return f"{count} {unit}{'' if count == 1 else 's'} · lr {training.lr:g}"


def _promise(experiment: Experiment) -> str:
    privacy = experiment.privacy.guarantee
    if privacy is None:
        return "none"
    if privacy.epsilon is not None:
        return f"{privacy.level} ε ≤ {privacy.epsilon:g}"
    return f"{privacy.level} z = {privacy.noise_multiplier:g}"
