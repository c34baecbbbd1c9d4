"""A partition that is changed by hand, and lists of parts on the form."""

from __future__ import annotations

import json
import subprocess

import ipywidgets as widgets
import numpy as np
import pytest

import fedbench as fb
from fedbench.channel import Stage
from fedbench.data.skews import Skew
from fedbench_widgets.cells import HIDDEN
from fedbench_widgets.design import MOST, by_hand, why_fixed
from fedbench_widgets.fields import Several
from fedbench_widgets.form import Form
from fedbench_widgets.partition import PartitionMap
from fedbench_widgets.preview import show_partition
from tests.widgets.test_esm import WIDGETS, node
from tests.widgets.test_form import control, form, reasons

WINES = fb.Experiment(data=fb.Wine(), partition=fb.Dirichlet(clients=5, alpha=0.5))


def sent(shown: Form, counts: list[list[int]], names: list[str], token: str) -> None:
    content = {"design": {"counts": counts, "names": names, "token": token}}
    shown.design.heard(shown.map, content, [])


def test_what_a_hand_makes_is_the_partition_of_the_form_and_of_the_run() -> None:
    shown = form(WINES)
    counts = WINES.federation().counts().tolist()
    counts[0][1], counts[1][1] = counts[0][1] + counts[1][1], 0
    sent(shown, counts, [], "a/1")
    made = fb.Explicit(counts=tuple(map(tuple, counts)))
    assert shown.experiment == WINES.replace(partition=made)
    assert shown.experiment.federation().counts().tolist() == counts
    assert fb.Experiment.from_toml(shown.experiment.to_toml()) == shown.experiment
    assert shown.design.token == "a/1"


def test_undo_goes_back_step_by_step_to_the_partition_before() -> None:
    shown = form(WINES)
    first = [[5, 5, 5], [5, 5, 5]]
    assert not shown.design.undoable
    sent(shown, first, [], "a/1")
    sent(shown, [[6, 5, 5], [4, 5, 5]], [], "a/2")
    shown.design.heard(shown.map, {"undo": "a/3"}, [])
    assert shown.reads()["partition"]["counts"] == first
    shown.design.heard(shown.map, {"undo": "a/4"}, [])
    assert shown.experiment == WINES
    assert not shown.design.undoable and shown.design.token == "a/4"


def test_what_was_chosen_since_is_not_undone() -> None:
    shown = form(WINES)
    sent(shown, [[5, 5, 5], [5, 5, 5]], [], "a/1")
    shown.write(WINES.replace(partition=fb.IID(clients=4)))
    assert not shown.design.undoable
    shown.design.heard(shown.map, {"undo": "a/2"}, [])
    assert shown.experiment == WINES.replace(partition=fb.IID(clients=4))


def test_what_is_no_partition_changes_nothing_and_is_answered() -> None:
    shown = form(WINES)
    sent(shown, [[1, 2], [3]], [], "a/1")
    assert shown.experiment == WINES and shown.design.token == "a/1"


def test_names_from_data_come_back_letter_by_letter() -> None:
    shown = form(WINES)
    names = ["<b>ε\"'</b>", "1, 2", " two\nlines ", ""]
    sent(shown, [[3, 3, 3]] * 4, names, "a/1")
    assert shown.experiment is not None
    assert isinstance(shown.experiment.partition, fb.Explicit)
    assert list(shown.experiment.partition.names) == names


def test_counts_can_be_typed_and_a_bad_row_speaks_at_its_field() -> None:
    shown = form(WINES.replace(partition=fb.Explicit(counts=((4, 4, 4), (5, 5, 5)))))
    text = control(shown, "Counts", widgets.Textarea)
    assert text.value == "4, 4, 4\n5, 5, 5"
    text.value = "4, 4, 4\n5, 5, x"
    assert shown.experiment is None
    assert [each.path for each in shown.problems] == ["partition.counts.1.2"]
    assert len(reasons(shown)) == 1
    text.value = "4, 4, 4\n5, 5, 6"
    assert shown.experiment == WINES.replace(partition=fb.Explicit(counts=((4, 4, 4), (5, 5, 6))))


def test_a_partition_by_hand_begins_with_what_is_there() -> None:
    shown = form(WINES)
    control(shown, "Partition", widgets.Dropdown).value = "Explicit"
    assert shown.experiment == WINES.replace(partition=by_hand(WINES))


def test_too_many_clients_and_shared_rows_are_not_for_a_hand() -> None:
    assert why_fixed(fb.IID(clients=MOST), MOST) == ""
    assert "at most 100 clients" in why_fixed(fb.IID(clients=MOST + 1), MOST + 1)
    assert by_hand(fb.Experiment(partition=fb.IID(clients=MOST + 1))) is None
    shown = PartitionMap()
    show_partition(fb.Experiment(partition=fb.IID(clients=101)), shown)
    assert shown.off == why_fixed(fb.IID(clients=101), 101)


@pytest.mark.parametrize("clients", [1, 4, 5, 60])
def test_the_browsers_sentence_is_the_kernels(clients: int) -> None:
    experiment = fb.Experiment(partition=fb.Dirichlet(clients=clients, alpha=0.2))
    shown = PartitionMap()
    show_partition(experiment, shown)
    values = np.frombuffer(shown.counts, "<u4").tolist()
    given = f"{{values: new Uint32Array({values}), clients: {clients}, classes: 10}}"
    module = (WIDGETS / "partition" / "counts.js").as_uri()
    script = f"import({json.dumps(module)}).then(m => console.log(m.sentence({given}, 'classes')))"
    done = subprocess.run([node(), "-e", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == shown.sentence


def test_skews_are_added_changed_and_taken_away() -> None:
    shown = form(WINES)
    several = shown._fields["skews"]
    assert isinstance(several, Several)
    several.choice.value = "FeatureNoise"
    several.add.click()
    several.add.click()
    assert shown.experiment is not None
    assert shown.experiment.skews == (fb.FeatureNoise(), fb.FeatureNoise())
    second = control(shown, "Skew 2", widgets.Dropdown)
    assert second.value == "FeatureNoise"
    several.widget.children[0].children[-1].click()
    assert shown.experiment.skews == (fb.FeatureNoise(),)
    control(shown, "Skew 1", widgets.Dropdown)
    control(shown, "σ", widgets.FloatSlider).value = 1.5
    assert shown.experiment.skews == (fb.FeatureNoise(std=1.5),)


def test_every_skew_is_read_as_it_was_written() -> None:
    fedbenchs = [each for kind, each in Skew.choices().items() if ":" not in kind]
    every = tuple(member() for member in fedbenchs)
    shown = form(WINES)
    for skews in (every, every[:1], (), every[::-1]):
        shown._fields["skews"].write(skews)
        read = shown._fields["skews"].read()
        assert tuple(Skew.from_dict(each) for each in read) == skews


def test_stages_are_added_changed_and_taken_away() -> None:
    shown = form(WINES)
    several = shown._fields["channel"]
    assert isinstance(several, Several)
    several.choice.value = "Clip"
    several.add.click()
    several.add.click()
    assert shown.experiment is not None
    assert shown.experiment.channel == (fb.Clip(), fb.Clip())
    several.widget.children[0].children[-1].click()
    assert shown.experiment.channel == (fb.Clip(),)
    first = several._rows[0]
    first._fields["norm"].control.number.value = "0.25"
    control(shown, "Clipping", widgets.Dropdown).value = "AdaptiveClipping"
    assert shown.experiment.channel == (fb.Clip(norm=0.25, clipping=fb.AdaptiveClipping()),)
    assert 'kind = "Clip"' in shown.experiment.to_toml()
    for channel in ((fb.Clip(norm=2.0), fb.Clip(clipping=fb.PerLayerClipping())), ()):
        several.write(channel)
        assert tuple(Stage.from_dict(each) for each in several.read()) == channel


def test_a_stage_that_is_refused_is_so_at_its_place() -> None:
    shown = form(WINES.replace(channel=(fb.Clip(), fb.Clip())))
    several = shown._fields["channel"]
    several._rows[1]._fields["norm"].control.number.value = "0"
    assert [each.path for each in shown.problems] == ["channel.1.norm"]
    assert len(reasons(shown)) == 1


def test_a_problem_of_a_skew_speaks_at_that_skew() -> None:
    shown = form(WINES.replace(skews=(fb.FeatureNoise(), fb.FeatureNoise(std=1))))
    number = shown._fields["skews"]._rows[1]._fields["std"].control.number
    number.value = "-1"
    assert [each.path for each in shown.problems] == ["skews.1.std"]
    assert len(reasons(shown)) == 1
    first, second = (row._fields["std"].reason.label for row in shown._fields["skews"]._rows)
    assert HIDDEN in first._dom_classes
    assert HIDDEN not in second._dom_classes
