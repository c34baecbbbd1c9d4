"""What a person reads tells apart what they set: files, sliders of one form, parts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import ipywidgets as widgets
import pandas as pd
import pytest

import fedbench as fb
from fedbench.study.differences import cells, names
from fedbench_widgets.form import Form
from fedbench_widgets.picture import identity, session_title
from tests.widgets.test_form import all_inside

CACHE = "some-long-cache"


@pytest.fixture
def tables(tmp_path: Path) -> list[fb.Experiment]:
    """Two tables of one name and one of another, deep in folders."""
    made = []
    for folder, name in (("march", "wards.csv"), ("april", "wards.csv"), ("may", "other.csv")):
        place = tmp_path / CACHE / folder / name
        place.parent.mkdir(parents=True)
        rows = range(40)
        frame = pd.DataFrame({"x": [7 * k % 13 / 2 for k in rows], "ill": ["no", "yes"] * 20})
        frame.assign(x=frame["x"] + len(made)).to_csv(place, index=False)
        table = fb.Table(str(place), target="ill")
        made.append(fb.Experiment(data=table, partition=fb.IID(clients=3)))
    return made


def test_a_table_is_called_by_its_file(tables: list[fb.Experiment]) -> None:
    assert cells([tables[0], tables[2]], "data.path") == ["wards.csv", "other.csv"]
    assert cells([tables[0], fb.Experiment()], "data") == ["wards.csv", "Digits"]
    assert [session_title(each) for each in tables] == ["wards.csv", "wards.csv", "other.csv"]
    called = names([*tables, fb.Experiment()], [1, 2, 3, 4])
    assert len(set(called)) == 4
    assert not any(CACHE in each for each in called)


def test_two_files_of_one_name_are_two(tables: list[fb.Experiment]) -> None:
    assert cells(tables, "data.path") == ["wards.csv (march)", "wards.csv (april)", "other.csv"]
    assert len({identity(each) for each in tables}) == 3


def test_no_two_sliders_of_a_part_have_one_name() -> None:
    form = Form(fb.Experiment(devices=fb.Devices()), lambda: None)
    shown = all_inside(form._fields["devices"].widget)
    sliders = (widgets.FloatSlider, widgets.FloatLogSlider, widgets.IntSlider)
    found = Counter(each.description for each in shown if isinstance(each, sliders))
    assert [name for name, count in found.items() if count > 1] == []
    assert sum("median" in name for name in found) == 3
    form.close()
