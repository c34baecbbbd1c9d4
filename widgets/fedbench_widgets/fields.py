"""The form of each field of a Spec: a value, a group of fields, or a group that may be left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from types import NoneType
from typing import Any, get_args

import ipywidgets as widgets
from pydantic.fields import FieldInfo

from fedbench.config.problems import Problem
from fedbench.config.spec import Part, Spec
from fedbench.config.template import several_of
from fedbench_widgets.cells import close_all, made, show
from fedbench_widgets.controls import Changed, Control, control
from fedbench_widgets.explaining import about_field, about_part, says
from fedbench_widgets.fetching import offered_name
from fedbench_widgets.reason import Reason

UNFOLDED = "fb-unfolded"  # the class of a field that is shown though its group is folded


class Leaf:
    """A field with one value: reads and writes plain data, shows what is wrong beneath."""

    def __init__(self, path: str, field: FieldInfo, control: Control, changed: Changed) -> None:
        self.path, self.title = path, str(field.title)
        self.control = control
        self.reason = Reason()
        self.widget = made(
            widgets.VBox,
            [control.widget, *self.reason.widgets],
            classes=["fb-field", place(path), says(about_field(field))],
        )
        control.on_change(changed)

    def read(self) -> Any:
        """Return the value as plain data, None if it is left out."""
        return self.control.read()

    def write(self, value: Any) -> None:
        """Show `value`."""
        self.control.write(value)

    def assign(self, raw: Any) -> None:
        """Show plain data, as `read` returned them."""
        self.control.write(raw)

    def find(self, path: str) -> Field | None:
        """Return the field at `path`, this one."""
        return self

    def name(self, path: str) -> str:
        """Return what the form calls the field at `path`, this one."""
        return self.title

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show the problems of this field; return the others."""
        mine = [each for each in problems if _within(each.path, self.path)]
        if self.reason.say(mine):
            self.widget.children = [self.control.widget, *self.reason.widgets]
        return [each for each in problems if each not in mine]

    def close(self) -> None:
        """Close the widgets."""
        close_all(self.widget)


class Group:
    """The fields of a Spec; for a family also the choice of its member."""

    def __init__(
        self, path: str, family: type[Spec], title: str, changed: Changed, about: str | None = None
    ) -> None:
        self.path, self.family, self.title = path, family, title
        self._about, self._said = about, ""
        self._changed = changed
        self._still = False  # while fields are made or written, nobody hears of it
        self._kinds = family.choices() if issubclass(family, Part) else {}
        self._fields: dict[str, Field] = {}
        self._kept: dict[str, dict[str, Field]] = {}
        self.reason = Reason()
        self.choice: widgets.Dropdown | None = None
        self.widget = made(widgets.VBox, [])
        if len(self._kinds) > 1 or (issubclass(family, Part) and family.family):
            self.choice = made(
                widgets.Dropdown,
                options=self._offered(),
                description=title,
                classes=[place(path)],
            )
            self.choice.observe(self._chosen, "value")
        self._show_fields(next(iter(self._kinds.values()), family))

    def read(self) -> dict[str, Any]:
        """Return the fields as plain data, with `kind` for a class that files name."""
        values = {name: field.read() for name, field in self._fields.items()}
        return {"kind": self._shown.kind(), **values} if self._shown.named() else values

    def start(self, kind: str) -> None:
        """Choose a member of the family, with its defaults."""
        if self.choice is not None:
            self._still = True
            self.choice.value = kind
            self._still = False

    def write(self, spec: Spec) -> None:
        """Show `spec`, which may be a member that this form did not know yet."""
        cls = type(spec)
        if self.choice is not None and isinstance(spec, Part):
            kind = spec.kind()
            if kind not in self._kinds:
                self._kinds[kind] = type(spec)
                self.choice.options = self._offered()
            self.choice.value = kind
        self._show_fields(cls)
        for name, field in self._fields.items():
            value = getattr(spec, name)
            field.write(value)

    def relabel(self) -> None:
        """Name the members anew: the files of a data set come and go while the form is there.

        Only the names change, and no choice is made: any thread may call it.
        """
        if self.choice is not None:
            names = tuple(name for name, _ in self._offered())
            if names != self.choice._options_labels:
                self.choice.set_trait("_options_labels", names)
        for field in list(self._fields.values()):
            if isinstance(field, Group):
                field.relabel()

    def unfold(self, paths: set[str]) -> None:
        """Mark the fields at these paths, to be shown where the others are folded away."""
        for field in self._fields.values():
            wanted = field.path in paths
            if wanted != (UNFOLDED in field.widget._dom_classes):
                (field.widget.add_class if wanted else field.widget.remove_class)(UNFOLDED)

    def _offered(self) -> list[tuple[str, str]]:
        # of the one that is chosen, the banner says what is missing
        chosen = None if self.choice is None else self.choice.value
        return [
            (cls.display_name() if kind == chosen else offered_name(cls), kind)
            for kind, cls in self._kinds.items()
        ]

    def assign(self, raw: Mapping[str, Any]) -> None:
        """Show plain data, as `read` returned them; what they leave out stays as it was."""
        self._still = True
        if self.choice is not None and "kind" in raw:
            self.choice.value = raw["kind"]
        for name in self._fields.keys() & raw.keys():
            self._fields[name].assign(raw[name])
        self._still = False

    def find(self, path: str) -> Field | None:
        """Return the field at `path`, None if it shows no such."""
        if path == self.path:
            return self
        inside = (field for field in self._fields.values() if _within(path, field.path))
        return next((field.find(path) for field in inside), None)

    def name(self, path: str) -> str:
        """Return what the form calls the field at `path`, its own title if it shows no such."""
        inside = (field for field in self._fields.values() if _within(path, field.path))
        return next((field.name(path) for field in inside), self.title)

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show each problem at its field, or here if it is of the group; return the others."""
        for field in self._fields.values():
            problems = field.show(problems)
        mine = [each for each in problems if _within(each.path, self.path)]
        if self.reason.say(mine):
            self._arrange()
        return [each for each in problems if each not in mine]

    def close(self) -> None:
        """Close the fields of every member that was shown."""
        for fields in self._kept.values():
            for field in fields.values():
                field.close()
        if self.choice is not None:
            close_all(self.choice)
        close_all(self.widget)

    def _chosen(self, _: object) -> None:
        if self.choice is not None:
            before, leaves = self._shown, self._fields
            self._show_fields(self._kinds[str(self.choice.value)])
            if not self._still:  # a person's choice, to whom a setting of one name is the same one
                self._carry(before, leaves)
        self._edited()

    def _carry(self, before: type[Spec], fields: dict[str, Field]) -> None:
        """Let what another member was given for the fields that both declare alike stay."""
        self._still = True
        for name in _common(before, self._shown):
            if isinstance(field := fields[name], Leaf):
                self._fields[name].write(field.read())
        self._still = False

    def _edited(self) -> None:
        if not self._still:
            self._changed()

    def _show_fields(self, cls: type[Spec]) -> None:
        self._shown = cls
        key = cls.kind()
        if key not in self._kept:
            self._still = True
            self._kept[key] = dict(self._made(cls))
            self._still = False
        self._fields = self._kept[key]
        if self.choice is not None:
            self.choice.remove_class(self._said)
            self._said = says(about_part(cls, self._about))
            self.choice.add_class(self._said)
        self._arrange()

    def _arrange(self) -> None:
        head = [self.choice] if self.choice is not None else []
        fields = (field.widget for field in self._fields.values())
        self.widget.children = [*head, *fields, *self.reason.widgets]

    def _made(self, cls: type[Spec]) -> Iterator[tuple[str, Field]]:
        start = _start(cls)
        for name, field in cls.model_fields.items():
            path = f"{self.path}.{name}" if self.path else name
            if self.choice is None and "." in self.path:  # its head is not shown: Speed, Median
                field = _named(field, f"{self.title} {str(field.title).lower()}")
            made = make(path, field, self._edited)
            if start is not None:
                made.write(getattr(start, name))
            yield name, made


class Absent:
    """A group of settings that may be left out as a whole."""

    def __init__(self, path: str, field: FieldInfo, cls: type[Spec], changed: Changed) -> None:
        self.group = Group(path, cls, str(field.title), changed)
        self.tick = made(
            widgets.Checkbox,
            description=str(field.title),
            indent=False,
            classes=[place(path), says(about_field(field))],
        )
        self.tick.observe(lambda _: (self._arrange(), changed()), "value")
        self.path = path
        self.widget = made(widgets.VBox, [self.tick, self.group.widget])
        self._arrange()

    def read(self) -> Any:
        """Return the group's fields, or None without the tick."""
        return self.group.read() if self.tick.value else None

    def write(self, value: Any) -> None:
        """Show the group, or take the tick away."""
        if value is not None:
            self.group.write(value)
        self.tick.value = value is not None

    def assign(self, raw: Mapping[str, Any] | None) -> None:
        """Show plain data, as `read` returned them."""
        if raw is not None:
            self.group.assign(raw)
        self.tick.value = raw is not None

    def find(self, path: str) -> Field | None:
        """Return the field at `path`."""
        return self if path == self.path else self.group.find(path)

    def name(self, path: str) -> str:
        """Return what the form calls the field at `path`."""
        return self.group.name(path)

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show the group's problems; return the others."""
        return self.group.show(problems)

    def close(self) -> None:
        """Close the widgets."""
        self.group.close()
        close_all(self.widget)

    def _arrange(self) -> None:
        show(self.group.widget, bool(self.tick.value))


class Several:
    """A list of parts of one family: a form for each, with a button that takes it away."""

    def __init__(self, path: str, field: FieldInfo, family: type[Part], changed: Changed) -> None:
        self.path, self.family = path, family
        self._changed = changed
        self._rows: list[Group] = []
        self._frames: dict[int, widgets.VBox] = {}
        self.title = title = str(field.title)
        self.choice = made(
            widgets.Dropdown,
            options=_options(family.choices()),
            description=title,
            classes=[says(about_field(field))],
        )
        self.add = made(widgets.Button, description="Add", tooltip=f"Add to: {title}")
        self.add.on_click(lambda _: self._added())
        self.reason = Reason()
        self._rest = made(widgets.HBox, [self.choice, self.add], classes=["fb-add"])
        self.widget = made(widgets.VBox, [], classes=["fb-several", place(path)])
        self._arrange()

    def read(self) -> list[dict[str, Any]]:
        """Return each part as plain data."""
        return [row.read() for row in self._rows]

    def write(self, value: tuple[Part, ...]) -> None:
        """Show these parts, in this order."""
        while len(self._rows) > len(value):
            self._drop(self._rows[-1])
        while len(self._rows) < len(value):
            self._new()
        for row, part in zip(self._rows, value, strict=True):
            row.write(part)
        self._arrange()

    def assign(self, raw: list[dict[str, Any]]) -> None:
        """Show plain data, as `read` returned them."""
        for row in list(self._rows):
            self._drop(row)
        for each in raw:
            self._new(each.get("kind"))
            self._rows[-1].assign(each)
        self._arrange()

    def find(self, path: str) -> Field | None:
        """Return the field at `path`: the list itself."""
        return self if path == self.path else None

    def name(self, path: str) -> str:
        """Return what the form calls the field at `path`."""
        place, _, rest = path.removeprefix(f"{self.path}.").partition(".")
        known = place.isdecimal() and int(place) < len(self._rows)
        return self._rows[int(place)].name(rest) if known and rest else self.title

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show each problem at its part, or here if it is of the list; return the others."""
        for place, row in enumerate(self._rows):
            root = f"{self.path}.{place}"  # a row does not know its place, which may change
            own = [each for each in problems if _within(each.path, root)]
            problems = [each for each in problems if each not in own]
            row.show([replace(each, path=each.path[len(root) + 1 :]) for each in own])
        mine = [each for each in problems if _within(each.path, self.path)]
        if self.reason.say(mine):
            self._arrange()
        return [each for each in problems if each not in mine]

    def close(self) -> None:
        """Close the forms of all parts."""
        for row in list(self._rows):
            self._drop(row)
        close_all(self.widget)

    def _added(self) -> None:
        self._new(str(self.choice.value))
        self._arrange()
        self._changed()

    def _removed(self, row: Group) -> None:
        self._drop(row)
        self._arrange()
        self._changed()

    def _new(self, kind: str | None = None) -> None:
        row = Group("", self.family, self.family.__name__, self._changed)
        if kind is not None and row.choice is not None:
            row.start(kind)
        button = made(widgets.Button, description="Remove")
        button.on_click(lambda _: self._removed(row))
        frame = made(widgets.VBox, [row.widget, button], classes=["fb-part"])
        self._rows.append(row)
        self._frames[id(row)] = frame

    def _drop(self, row: Group) -> None:
        self._rows.remove(row)
        frame = self._frames.pop(id(row))
        row.close()
        close_all(frame)

    def _arrange(self) -> None:
        for place, row in enumerate(self._rows, start=1):
            name = f"{self.family.__name__} {place}"
            frame = self._frames[id(row)]
            frame.children[-1].tooltip = f"Remove {name}"
            if row.choice is not None:
                row.choice.description = name
        frames = [self._frames[id(row)] for row in self._rows]
        self.widget.children = [*frames, self._rest, *self.reason.widgets]


Field = Leaf | Group | Absent | Several


def make(path: str, field: FieldInfo, changed: Changed) -> Field:
    """Return the form of one field; its type and bounds decide which widget it is."""
    kind, optional = _type(field.annotation)
    family = several_of(field)
    if family is not None:
        return Several(path, field, family, changed)
    if isinstance(kind, type) and issubclass(kind, Spec):
        if optional:
            return Absent(path, field, kind, changed)
        return Group(path, kind, str(field.title), changed, field.description)
    return Leaf(path, field, control(field, kind, optional), changed)


def place(path: str) -> str:
    """Return the class by which the page finds the field at `path`."""
    return f"fb-at-{path.replace('.', '-')}"


def _type(annotation: Any) -> tuple[Any, bool]:
    options = get_args(annotation)
    if NoneType in options:
        (kind,) = [each for each in options if each is not NoneType]
        return kind, True
    return annotation, False


def _common(one: type[Spec], other: type[Spec]) -> set[str]:
    """Return the names of the fields that two members declare alike."""

    def told(field: FieldInfo) -> tuple[object, ...]:
        return field.annotation, field.metadata, field.default, field.default_factory

    shared = one.model_fields.keys() & other.model_fields.keys()
    return {
        name for name in shared if told(one.model_fields[name]) == told(other.model_fields[name])
    }


def _named(field: FieldInfo, title: str) -> FieldInfo:
    """Return the field under another title."""
    found = copy(field)
    found.title = title
    return found


def _start(cls: type[Spec]) -> Spec | None:
    required = any(field.is_required() for field in cls.model_fields.values())
    return None if required else cls()


def _within(path: str, root: str) -> bool:
    return not root or path == root or path.startswith(f"{root}.")


def _options(kinds: Mapping[str, type[Spec]]) -> list[tuple[str, str]]:
    """Return the options of a list of kinds: the name that a person reads, and the kind."""
    return [(cls.display_name(), kind) for kind, cls in kinds.items()]
