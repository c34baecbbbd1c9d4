"""Widgets share what they look like: in the page each layout and style is a model of its own."""

from __future__ import annotations

from collections import Counter

import ipywidgets as widgets
from ipywidgets.widgets.widget import _instances

from fedbench.scenarios import digits
from fedbench_widgets.cells import HIDDEN, close_all, look, made, show, unlabelled
from fedbench_widgets.form import Form


def test_a_form_has_one_layout_and_as_many_styles_as_kinds_of_look() -> None:
    before = set(_instances)
    form = Form(digits(), lambda: None)
    made_here = [widget for key, widget in _instances.items() if key not in before]
    kinds = Counter(type(each).__name__ for each in made_here)
    assert kinds["Text"] > 20
    assert kinds["Layout"] <= 1
    # a name before a slider is shown, or left to a tick
    assert all(count <= 2 for name, count in kinds.items() if name.endswith("Style"))
    form.close()
    left = Counter(type(_instances[key]).__name__ for key in set(_instances) - before)
    assert all(name == "Layout" or name.endswith("Style") for name in left)


def test_closing_one_widget_leaves_its_look_to_the_others() -> None:
    first, second = made(widgets.Text, "a"), made(widgets.Text, "b")
    assert first.layout is second.layout
    assert first.style is second.style
    close_all(first)
    assert second.layout.comm is not None
    assert second.style.comm is not None
    assert made(widgets.Text).layout is second.layout


def test_a_look_that_somebody_closed_is_made_anew() -> None:
    look(widgets.Layout).close()
    assert made(widgets.Label).layout.comm is not None


def test_hiding_and_unlabelling_touch_one_widget_alone() -> None:
    first, second = made(widgets.Text, classes=["a"]), made(widgets.Text, classes=["a"])
    show(first, False)
    unlabelled(first)
    assert list(first._dom_classes) == ["a", HIDDEN]
    assert first.style.description_width == "0px"
    assert list(second._dom_classes) == ["a"]
    assert second.style.description_width == "84px"
    show(first, True)
    assert list(first._dom_classes) == ["a"]
