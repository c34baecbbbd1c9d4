"""One ipywidget for each field of a Spec, made from the field's own bounds, title and unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic.fields import FieldInfo

from fedbench.spec import Part, Problem, Spec
from fedbench_widgets.cells import close_all

Changed = Callable[[], None]
LABEL = {"description_width": "84px"}
LOG_STEP = 0.001  # decades; coarser steps would show 8 as 7.94


class Leaf:
    """A field with one value: reads and writes plain data, shows what is wrong beneath."""

    def __init__(self, path: str, control: Control, changed: Changed) -> None:
        self.path = path
        self.control = control
        self.reason = widgets.Label(layout={"display": "none"})
        self.reason.add_class("fb-problem")
        self.widget = widgets.VBox([control.widget, self.reason])
        self.widget.add_class("fb-field")
        control.on_change(changed)

    def read(self) -> Any:
        """Return the value as plain data, None if it is left out."""
        return self.control.read()

    def write(self, value: Any) -> None:
        """Show `value`."""
        self.control.write(value)

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show the problems of this field; return the others."""
        mine = [each for each in problems if _within(each.path, self.path)]
        _say(self.reason, mine)
        return [each for each in problems if each not in mine]

    def enable(self, allowed: Callable[[str], bool]) -> None:
        """Let the person edit this field only if `allowed`."""
        self.control.enable(allowed(self.path))

    def close(self) -> None:
        """Close the widgets."""
        close_all(self.widget)


class Group:
    """The fields of a Spec; for a family also the choice of its member."""

    def __init__(self, path: str, family: type[Spec], title: str, changed: Changed) -> None:
        self.path, self.family, self.title = path, family, title
        self._changed = changed
        self._still = False  # while fields are made or written, nobody hears of it
        self._kinds = family.choices() if issubclass(family, Part) else {}
        self._fields: dict[str, Field] = {}
        self._kept: dict[str, dict[str, Field]] = {}
        self.reason = widgets.Label(layout={"display": "none"})
        self.reason.add_class("fb-problem")
        self.choice: widgets.Dropdown | None = None
        self.widget = widgets.VBox([])
        if len(self._kinds) > 1 or (issubclass(family, Part) and family.family):
            self.choice = widgets.Dropdown(
                options=[(_words(kind), kind) for kind in self._kinds],
                description=title,
                style=LABEL,
                tooltip=_sentence(family.__doc__),
            )
            self.choice.observe(self._chosen, "value")
        self._show_fields(next(iter(self._kinds.values()), family))

    def read(self) -> dict[str, Any]:
        """Return the fields as plain data, with `kind` for a member of a family."""
        values = {name: field.read() for name, field in self._fields.items()}
        kind = {"kind": self.choice.value} if self.choice is not None else {}
        return kind | values

    def write(self, spec: Spec) -> None:
        """Show `spec`, which may be a member that this form did not know yet."""
        cls = type(spec)
        if self.choice is not None and isinstance(spec, Part):
            kind = spec.kind()
            if kind not in self._kinds:
                self._kinds[kind] = type(spec)
                self.choice.options = [*self.choice.options, (_words(kind), kind)]
            self.choice.value = kind
        self._show_fields(cls)
        for name, field in self._fields.items():
            value = getattr(spec, name)
            field.write(value)

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show each problem at its field, or here if it is of the group; return the others."""
        for field in self._fields.values():
            problems = field.show(problems)
        mine = [each for each in problems if _within(each.path, self.path)]
        _say(self.reason, mine)
        return [each for each in problems if each not in mine]

    def enable(self, allowed: Callable[[str], bool]) -> None:
        """Let the person edit only the fields whose path is `allowed`."""
        if self.choice is not None:
            self.choice.disabled = not allowed(self.path)
        for field in self._fields.values():
            field.enable(allowed)

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
            self._show_fields(self._kinds[str(self.choice.value)])
        self._edited()

    def _edited(self) -> None:
        if not self._still:
            self._changed()

    def _show_fields(self, cls: type[Spec]) -> None:
        key = cls.kind() if issubclass(cls, Part) else cls.__name__
        if key not in self._kept:
            self._still = True
            self._kept[key] = dict(self._made(cls))
            self._still = False
        self._fields = self._kept[key]
        head = [self.choice] if self.choice is not None else []
        self.widget.children = [
            *head,
            *(field.widget for field in self._fields.values()),
            self.reason,
        ]

    def _made(self, cls: type[Spec]) -> Iterator[tuple[str, Field]]:
        start = _start(cls)
        for name, field in cls.model_fields.items():
            path = f"{self.path}.{name}" if self.path else name
            made = make(path, field, self._edited)
            if start is not None:
                made.write(getattr(start, name))
            yield name, made


class Control:
    """An ipywidget that holds one value."""

    def __init__(self, widget: Any) -> None:
        self.widget: Any = widget

    def read(self) -> Any:
        """Return the value."""
        return self.widget.value

    def write(self, value: Any) -> None:
        """Show `value`."""
        self.widget.value = value

    def enable(self, yes: bool) -> None:
        """Let the person change it or not."""
        self.widget.disabled = not yes

    def on_change(self, changed: Changed) -> None:
        """Call `changed` whenever the value changes."""
        self.widget.observe(lambda _: changed(), "value")


class Slider(Control):
    """A slider whose range grows with the value it is given: no value is ever cut off."""

    def __init__(self, field: FieldInfo, kind: type, bounds: list[float], log: bool) -> None:
        low, high, step = bounds
        self.kind, self.log = kind, log and kind is float
        self._step = LOG_STEP if self.log else step
        self._written: tuple[float, Any] | None = None
        shown = _shown(field)
        if kind is int:
            widget = widgets.IntSlider(min=int(low), max=int(high), step=int(step), **shown)
        elif self.log:
            widget = widgets.FloatLogSlider(
                value=low,
                min=math.log10(low),
                max=math.log10(high),
                step=LOG_STEP,
                readout_format=".3g",
                **shown,
            )
        else:
            widget = widgets.FloatSlider(
                min=low, max=high, step=step, readout_format=".3g", **shown
            )
        super().__init__(widget)

    def read(self) -> Any:
        """Return the number as the readout shows it; one that was written, to its last digit."""
        value = super().read()
        # The browser moves a value to the nearest step of the slider and sends it back: that is
        # not the person's doing, and must not change what was written.
        if self._written and abs(self._position(value) - self._written[0]) <= self._step * 0.501:
            return self._written[1]
        return int(value) if self.kind is int else float(f"{value:.3g}")

    def write(self, value: Any) -> None:
        """Show `value`, widening the range if it lies outside."""
        slider: Any = self.widget
        position = self._position(value)
        # In one message: told of a new range alone, the browser would answer with the old value.
        with slider.hold_sync():
            slider.max = max(slider.max, position)
            slider.min = min(slider.min, position)
            slider.value = value
        self._written = position, value

    def _position(self, value: float) -> float:
        return math.log10(value) if self.log else value


class Optional(Control):
    """A control with a tick box: without the tick the field is left out."""

    def __init__(self, inner: Control, title: str, absent: str, start: Any) -> None:
        self.inner, self._start = inner, start
        self.tick = widgets.Checkbox(description=title, indent=False, layout={"width": "auto"})
        self.tick.add_class("fb-tick")
        self.absent = widgets.Label(absent)
        self.absent.add_class("fb-absent")
        # the tick carries the visible name; the control keeps its own for assistive tools
        inner.widget.style.description_width = "0px"
        super().__init__(widgets.HBox([self.tick, self.absent, inner.widget]))
        self.widget.add_class("fb-optional")
        self.tick.observe(lambda _: self._arrange(), "value")
        self._arrange()

    def read(self) -> Any:
        """Return the value, or None without the tick."""
        return self.inner.read() if self.tick.value else None

    def write(self, value: Any) -> None:
        """Show `value`; None takes the tick away and keeps the last value at hand."""
        if value is not None:
            self.inner.write(value)
        elif self._start is not None:
            self.inner.write(self._start)
        self._start = None
        self.tick.value = value is not None

    def enable(self, yes: bool) -> None:
        """Let the person change it or not."""
        self.tick.disabled = not yes
        self.inner.enable(yes)

    def on_change(self, changed: Changed) -> None:
        """Call `changed` whenever the tick or the value changes."""
        self.tick.observe(lambda _: changed(), "value")
        self.inner.on_change(changed)

    def _arrange(self) -> None:
        given = bool(self.tick.value)
        self.inner.widget.layout.display = None if given else "none"
        self.absent.layout.display = "none" if given else None


class Numbers(Control):
    """A line of numbers with commas between them."""

    def read(self) -> Any:
        """Return a list of numbers; what is no number stays text, for the model to refuse."""
        parts = [part.strip() for part in str(super().read()).split(",") if part.strip()]
        return [int(part) if part.isdigit() else part for part in parts]

    def write(self, value: Any) -> None:
        """Show the numbers."""
        super().write(", ".join(str(item) for item in value))


class Absent:
    """A group of settings that may be left out as a whole."""

    def __init__(self, path: str, field: FieldInfo, cls: type[Spec], changed: Changed) -> None:
        self.group = Group(path, cls, field.title or path, changed)
        self.tick = widgets.Checkbox(
            description=field.title or path, indent=False, tooltip=field.description
        )
        self.tick.observe(lambda _: (self._arrange(), changed()), "value")
        self.path = path
        self.widget = widgets.VBox([self.tick, self.group.widget])
        self._arrange()

    def read(self) -> Any:
        """Return the group's fields, or None without the tick."""
        return self.group.read() if self.tick.value else None

    def write(self, value: Any) -> None:
        """Show the group, or take the tick away."""
        if value is not None:
            self.group.write(value)
        self.tick.value = value is not None

    def show(self, problems: list[Problem]) -> list[Problem]:
        """Show the group's problems; return the others."""
        return self.group.show(problems)

    def enable(self, allowed: Callable[[str], bool]) -> None:
        """Let the person edit the group only if `allowed`."""
        self.tick.disabled = not allowed(self.path)
        self.group.enable(allowed)

    def close(self) -> None:
        """Close the widgets."""
        self.group.close()
        close_all(self.widget)

    def _arrange(self) -> None:
        self.group.widget.layout.display = None if self.tick.value else "none"


Field = Leaf | Group | Absent


def make(path: str, field: FieldInfo, changed: Changed) -> Field:
    """Return the form of one field; its type and bounds decide which widget it is."""
    kind, optional = _type(field.annotation)
    if isinstance(kind, type) and issubclass(kind, Spec):
        if optional:
            return Absent(path, field, kind, changed)
        return Group(path, kind, field.title or path, changed)
    control = _control(field, kind)
    if optional:
        absent = str(_extra(field).get("none", "left out"))
        control = Optional(control, field.title or path, absent, _first(field))
    return Leaf(path, control, changed)


def _control(field: FieldInfo, kind: Any) -> Control:
    extra = _extra(field)
    if get_origin(kind) is Literal:
        return Control(widgets.Dropdown(options=get_args(kind), **_shown(field)))
    if kind is bool:
        return Control(widgets.Checkbox(indent=False, **_shown(field)))
    if kind in (int, float) and "slider" in extra:
        return Slider(field, kind, extra["slider"], extra.get("scale") == "log")
    if kind is int:
        return Control(widgets.IntText(**_shown(field)))
    if kind is float:
        return Control(widgets.FloatText(**_shown(field)))
    if get_origin(kind) is tuple:
        return Numbers(widgets.Text(continuous_update=False, **_shown(field)))
    return Control(widgets.Text(continuous_update=False, **_shown(field)))


def _type(annotation: Any) -> tuple[Any, bool]:
    options = get_args(annotation)
    if NoneType in options:
        (kind,) = [each for each in options if each is not NoneType]
        return kind, True
    return annotation, False


def _first(field: FieldInfo) -> Any:
    slider = _extra(field).get("slider")
    if not slider:
        return None
    low, high = slider[0], slider[1]
    middle = math.sqrt(low * high) if low > 0 else (low + high) / 2
    return max(1, round(middle)) if isinstance(low, int) else float(f"{middle:.1g}")


def _start(cls: type[Spec]) -> Spec | None:
    required = any(field.is_required() for field in cls.model_fields.values())
    return None if required else cls()


def _shown(field: FieldInfo) -> dict[str, Any]:
    unit = _extra(field).get("unit")
    return {
        "description": field.title,
        "tooltip": f"{field.description}{f' ({unit})' if unit else ''}",
        "style": LABEL,
    }


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _say(label: widgets.Label, problems: list[Problem]) -> None:
    label.value = "; ".join(each.message for each in problems)
    label.layout.display = None if problems else "none"


def _within(path: str, root: str) -> bool:
    return not root or path == root or path.startswith(f"{root}.")


def _words(kind: str) -> str:
    return kind.rpartition(":")[2]


def _sentence(doc: str | None) -> str:
    return (doc or "").strip().splitlines()[0] if doc else ""
