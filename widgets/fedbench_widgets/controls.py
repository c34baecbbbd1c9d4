"""One ipywidget that holds one value: sliders from bounds, lists from choices, else text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args, get_origin

import ipywidgets as widgets
from pydantic.fields import FieldInfo

Changed = Callable[[], None]
LABEL = {"description_width": "84px"}
LOG_STEP = 0.001  # decades; coarser steps would show 8 as 7.94


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


def control(field: FieldInfo, kind: Any, optional: bool) -> Control:
    """Return the control of a field with a single value of type `kind`."""
    made = _required(field, kind)
    if not optional:
        return made
    absent = str(_extra(field).get("none", "left out"))
    return Optional(made, field.title or "", absent, _first(field))


def _required(field: FieldInfo, kind: Any) -> Control:
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


def _first(field: FieldInfo) -> Any:
    slider = _extra(field).get("slider")
    if not slider:
        return None
    low, high = slider[0], slider[1]
    middle = math.sqrt(low * high) if low > 0 else (low + high) / 2
    return max(1, round(middle)) if isinstance(low, int) else float(f"{middle:.1g}")


def _shown(field: FieldInfo) -> dict[str, Any]:
    unit = _extra(field).get("unit")
    return {
        "description": field.title,
        "tooltip": f"{field.description}{f' ({unit})' if unit else ''}",
        "style": LABEL,
    }


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
