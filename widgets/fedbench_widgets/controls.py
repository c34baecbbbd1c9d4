"""One ipywidget that holds one value: sliders from bounds, lists from choices, else text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic.fields import FieldInfo

from fedbench_widgets.cells import made, show, unlabelled

Changed = Callable[[], None]
LOG_STEP = 0.001  # decades; coarser steps would show 8 as 7.94
WHOLE_LOG_STEP = 0.01  # decades; finer steps would be many key presses from 20 to 21
MOST_STEPS = 1000  # steps of a slider that a person can still aim at
READOUT = ".12g"  # what the page reads while the handle is dragged: in full
SIDES = ("ge", "gt", "le", "lt")


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

    def on_change(self, changed: Changed) -> None:
        """Call `changed` whenever the value changes."""
        self.widget.observe(lambda _: changed(), "value")

    def unlabel(self) -> None:
        """Leave the name to somebody else."""
        unlabelled(self.widget)


class Slider(Control):
    """A number in a field of its own, and a slider that is only its handle.

    Whatever is typed is what is read: in full, outside the slider's range, and if it is no number
    or a bad one, for the model to refuse.
    """

    def __init__(self, field: FieldInfo, kind: type, bounds: list[float], log: bool) -> None:
        low, high, step = bounds
        self.kind, self.log = kind, log and low > 0
        self._step = step
        # With continuous updates the browser would send back what a view is built with, and the
        # nearest step of each value that it is told, and late: an old value for the person's hand.
        # The page itself sends what a handle passes on its way.
        shown: dict[str, Any] = _shown(field) | {"readout": False, "continuous_update": False}
        if self.log:
            self._step = WHOLE_LOG_STEP if kind is int else LOG_STEP
            self._range = math.log10(low), math.log10(high)
            slider = made(
                widgets.FloatLogSlider,
                value=low,
                min=self._range[0],
                max=self._range[1],
                step=self._step,
                readout_format=READOUT,
                **shown,
            )
        else:
            self._range = low, high
            sort = widgets.IntSlider if kind is int else widgets.FloatSlider
            shown |= {"readout_format": READOUT} if kind is float else {}
            slider = made(sort, value=low, min=low, max=high, step=step, **shown)
        self.slider: Any = slider
        self._placed = self._position(low)  # where the number, or a hand, put the handle
        self.number = made(
            widgets.Text,
            _digits(kind(low)),
            classes=["fb-number"],
            continuous_update=False,
        )
        super().__init__(made(widgets.HBox, [slider, self.number], classes=["fb-slider"]))
        slider.observe(lambda _: self._slid(), "value")
        self.number.observe(lambda _: self._follow(), "value")

    def read(self) -> Any:
        """Return the number; text that is none stays text."""
        return _number(self.number.value)

    def write(self, value: Any) -> None:
        """Show `value`."""
        self.number.value = _digits(value)
        self._follow()

    def on_change(self, changed: Changed) -> None:
        """Call `changed` whenever the number changes."""
        self.number.observe(lambda _: changed(), "value")

    def unlabel(self) -> None:
        """Leave the name to somebody else."""
        unlabelled(self.slider)

    def _slid(self) -> None:
        # A handle that is only touched comes to rest on the nearest step: that is not what the
        # person meant, and must not change the number.
        there = self._position(self.slider.value)
        if abs(there - self._placed) > self._step * 0.501:
            self._placed = there
            self.number.value = _digits(self._meant())

    def _meant(self) -> float:
        """Return the number a person means who puts the handle where it is."""
        value = self.slider.value
        if self.kind is int:
            return round(value)
        return float(f"{value:.3g}" if self.log else f"{value:.12g}")

    def _follow(self) -> None:
        """Put the handle where the number is, widening the range; leave it if it cannot go."""
        value = self.read()
        if not self._has_place(value):
            return
        slider, there, (low, high) = self.slider, self._position(value), self._range
        if value == self._meant():
            # the handle stays in the hand that moves it
            self._placed = self._position(slider.value)
            return
        self._placed = there
        # In one message: told of a new range alone, the browser would answer with the old value.
        # And the range first in it: at a new value alone it would answer with the old range's end.
        with slider.hold_sync():
            slider.max = max(slider.max, there)
            slider.min = min(slider.min, there)
            slider.value = value
            # one large number must not leave the handle without use for good
            slider.max = max(high, there)
            slider.min = min(low, there)
            slider.send_state(["min", "max", "value"])

    def _has_place(self, value: Any) -> bool:
        try:
            finite = math.isfinite(value)
        except (TypeError, OverflowError):  # text, or a whole number beyond all floats
            return False
        if not finite or (self.log and value <= 0):
            return False
        return self.kind is float or value == round(value)

    def _position(self, value: float) -> float:
        return math.log10(value) if self.log else value


class Number(Control):
    """A number without a slider; it too is read as it was typed."""

    def read(self) -> Any:
        """Return the number; text that is none stays text."""
        return _number(super().read())

    def write(self, value: Any) -> None:
        """Show `value`."""
        super().write(_digits(value))


class Optional(Control):
    """A control with a tick box: without the tick the field is left out."""

    def __init__(self, inner: Control, title: str, absent: str, start: Any) -> None:
        self.inner, self._start = inner, start
        self.tick = made(widgets.Checkbox, classes=["fb-tick"], description=title, indent=False)
        self.absent = made(widgets.Label, absent, classes=["fb-absent"])
        # the tick carries the visible name; the control keeps its own for assistive tools
        inner.unlabel()
        parts = [self.tick, self.absent, inner.widget]
        super().__init__(made(widgets.HBox, parts, classes=["fb-optional"]))
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

    def on_change(self, changed: Changed) -> None:
        """Call `changed` whenever the tick or the value changes."""
        self.tick.observe(lambda _: changed(), "value")
        self.inner.on_change(changed)

    def _arrange(self) -> None:
        given = bool(self.tick.value)
        show(self.inner.widget, given)
        show(self.absent, not given)


class Numbers(Control):
    """A line of numbers with commas between them."""

    def read(self) -> Any:
        """Return a list of numbers; what is no number stays text, for the model to refuse."""
        return _numbers(str(super().read()))

    def write(self, value: Any) -> None:
        """Show the numbers."""
        super().write(", ".join(str(item) for item in value))


class Lines(Control):
    """A line of text for each entry: names, or rows of numbers with commas between them.

    What was written is read back whole, with the line breaks that a name from data may hold.
    """

    def __init__(self, widget: Any, rows: bool) -> None:
        super().__init__(widget)
        self._rows = rows
        self._written: list[Any] = []
        self._shown = ""

    def read(self) -> Any:
        """Return a list of texts, or of lists of numbers."""
        text = str(super().read())
        if text == self._shown:
            return self._written
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return [_numbers(line) for line in lines] if self._rows else lines

    def write(self, value: Any) -> None:
        """Show the entries, each on a line of its own."""
        self._written = [list(each) if self._rows else each for each in value]
        lines = (", ".join(map(str, each)) if self._rows else each for each in self._written)
        self._shown = "\n".join(" ".join(line.split()) for line in lines)
        super().write(self._shown)


def control(field: FieldInfo, kind: Any, optional: bool) -> Control:
    """Return the control of a field with a single value of type `kind`."""
    made = _required(field, kind)
    if not optional:
        return made
    absent = str(_extra(field).get("none", "not used"))
    return Optional(made, str(field.title), absent, _first(field, kind))


def _required(field: FieldInfo, kind: Any) -> Control:
    extra = _extra(field)
    if get_origin(kind) is Literal:
        return Control(made(widgets.Dropdown, options=get_args(kind), **_shown(field)))
    if kind is bool:
        return Control(made(widgets.Checkbox, indent=False, **_shown(field)))
    if kind in (int, float) and (bounds := _bounds(field, kind)):
        return Slider(field, kind, bounds, extra.get("scale") == "log")
    if kind in (int, float):
        return Number(made(widgets.Text, "0", continuous_update=False, **_shown(field)))
    if get_origin(kind) is tuple and (rows := _long(kind)) is not None:
        return Lines(made(widgets.Textarea, continuous_update=False, rows=3, **_shown(field)), rows)
    if get_origin(kind) is tuple:
        return Numbers(made(widgets.Text, continuous_update=False, **_shown(field)))
    return Control(made(widgets.Text, continuous_update=False, **_shown(field)))


def _bounds(field: FieldInfo, kind: type) -> list[float] | None:
    """The slider that the field asks for, or else one over its own bounds."""
    extra = _extra(field)
    asked = extra.get("slider")
    if isinstance(asked, list):
        return asked
    found = {name: getattr(b, name) for b in field.metadata for name in SIDES if hasattr(b, name)}
    low, high = found.get("ge", found.get("gt")), found.get("le", found.get("lt"))
    if low is None or high is None or not low < high or not math.isfinite(high - low):
        return None
    step = 1 if kind is int else (high - low) / MOST_STEPS
    if kind is int and high - low > MOST_STEPS and extra.get("scale") != "log":
        return None
    # a bound that is not allowed itself must not be where the handle comes to rest
    return [low if "ge" in found else low + step, high if "le" in found else high - step, step]


def _digits(value: float | str) -> str:
    """A number to its last digit, as a person would write it; text that was typed, as it is."""
    if isinstance(value, str):
        return value
    # numpy's numbers print their type as well
    return repr(float(value) if isinstance(value, float) else int(value)).removesuffix(".0")


def _numbers(line: str) -> list[Any]:
    parts = [part.strip() for part in line.split(",") if part.strip()]
    return [int(part) if part.isdecimal() else part for part in parts]


def _long(kind: Any) -> bool | None:
    """Whether a tuple holds rows of numbers (True), texts (False), or only numbers (None)."""
    inner = get_args(kind)[0]
    if inner is str:
        return False
    return True if get_origin(inner) is tuple else None


def _number(text: str) -> Any:
    text = text.strip().replace("−", "-")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _first(field: FieldInfo, kind: Any) -> Any:
    """The number that stands ready where a field without one gets its tick."""
    bounds = _bounds(field, kind) if kind in (int, float) else None
    if not bounds:
        return None
    low, high, _ = bounds
    middle = math.sqrt(low * high) if low > 0 else (low + high) / 2
    return max(1, round(middle)) if kind is int else float(f"{middle:.1g}")


def _shown(field: FieldInfo) -> dict[str, Any]:
    # the page explains it in place; without a text of its own ipywidgets would show "null"
    return {"description": field.title, "tooltip": ""}


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
