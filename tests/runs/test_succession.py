"""Runs that go on as more data come in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fedbench as fb
from fedbench.privacy import Ledgers
from fedbench.privacy.accounting import composed
from fedbench.privacy.events import gaussian
from fedbench.runs import Cautioned, Event, SessionError
from fedbench.runs.rounds import Rounds
from fedbench.runs.store import StoreError

torch.set_num_threads(1)

CITY = fb.Arriving(data=fb.CityLoad(districts=4, days=56), periods=8, first=3, seen=3)
LOAD = fb.Experiment(
    data=CITY,
    partition=fb.Natural(),
    model=fb.MLP(hidden=(8,)),
    training=fb.LocalTraining(batch_size=64),
    rounds=6,
)


def stepped(session: fb.Session, rounds: int) -> None:
    for _ in range(rounds):
        session.step()
        assert session.wait(60) in ("paused", "done"), session.failure


def test_rounds_go_on_with_what_came_in() -> None:
    session = fb.Session(LOAD)
    stepped(session, 2)
    before = session.module().state_dict()
    session.amend(**{"data.seen": 4})
    assert all(
        torch.equal(leaf, before[name]) for name, leaf in session.module().state_dict().items()
    )
    assert session.predictions().data is LOAD.replace(**{"data.seen": 4}).federation()
    stepped(session, 2)
    assert [(note.round, note.changes) for note in session.history.amendments] == [
        (3, {"data.seen": 4})
    ]
    # by hand: the same rounds, and the state of the earlier handed to the later
    early, late = Rounds(LOAD), Rounds(LOAD.replace(**{"data.seen": 4}))
    progress, rows = early.begin(), []
    for rounds in (early, early, late, late):
        progress, row = rounds.next(progress)
        rows.append(row.metrics)
    assert [row.metrics for row in session.history.rows] == rows


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data.first": 2}, r"data\.first: .*keep first = 3"),
        ({"data.first": 2, "data.seen": 2}, r"data\.first"),
        ({"data": CITY.data}, r"data\.kind: CityLoad is standardised by its own"),
        ({"data.data.drift": 1.0}, r"data\.data: .*keep data = fb\.CityLoad"),
    ],
)
def test_other_data_are_refused_and_nothing_changes(changes: dict[str, Any], words: str) -> None:
    session = fb.Session(LOAD)
    stepped(session, 1)
    with pytest.raises(SessionError, match=words):
        session.amend(rounds=9, **changes)
    assert session.experiment == LOAD
    stepped(session, 1)
    assert session.history.amendments == []


def test_clients_that_would_not_stay_who_they_are_are_refused() -> None:
    session = fb.Session(LOAD.replace(partition=fb.Dirichlet(clients=3)))
    stepped(session, 1)
    with pytest.raises(SessionError, match="partition: Dirichlet splits all rows anew"):
        session.amend(**{"data.seen": 4})


def test_groups_that_would_be_others_are_refused(tmp_path: Path) -> None:
    lines = ["day,site,a,y"]
    for day in range(40):
        for site, late in (("p", 30), ("q", 0), ("r", 0)):
            copies = 9 if site == "p" and day >= late else 3 if site == "q" else 1
            lines += [f"{day},{site},{(day * 7) % 5},{(day * 3) % 4}"] * copies
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(lines))
    table = fb.Table(path=str(path), target="y", client="site", time="day", task="regression")
    data = fb.Arriving(data=table, periods=8, first=3, seen=3)
    session = fb.Session(LOAD.replace(data=data, partition=fb.GroupedNatural(clients=2)))
    stepped(session, 1)
    with pytest.raises(SessionError, match=r"partition: .* would become"):
        session.amend(**{"data.seen": 7, "data.memory": 1})


def test_a_client_without_a_row_is_named(tmp_path: Path) -> None:
    lines = ["day,site,a,y"]
    for day in range(40):
        for site in ("p", "q") if day < 20 else ("p",):
            lines += [f"{day},{site},{(day * 7) % 5},{(day * 3) % 4}"]
    path = tmp_path / "sites.csv"
    path.write_text("\n".join(lines))
    table = fb.Table(path=str(path), target="y", client="site", time="day", task="regression")
    data = fb.Arriving(data=table, periods=8, first=3, seen=3)
    session = fb.Session(LOAD.replace(data=data))
    stepped(session, 1)
    words = r"client 'q' without a training sample in period 6 \(1 of 2 .*choose another data\.seen"
    with pytest.raises(SessionError, match=words):
        session.amend(**{"data.seen": 6, "data.memory": 1})
    session.amend(**{"data.seen": 6})
    stepped(session, 1)


def test_before_the_start_any_data_will_do() -> None:
    session = fb.Session(LOAD)
    session.amend(data=CITY.replace(first=2))
    stepped(session, 1)
    assert session.history.experiment.data == CITY.replace(first=2)
    assert session.history.amendments == []


def test_what_is_amended_twice_counts_as_it_was_said_last() -> None:
    session = fb.Session(LOAD)

    def hears(event: Event) -> None:
        if getattr(event, "round", 0) == 2 and not session.history.amendments:
            session.amend(**{"data.seen": 4})
            session.amend(data=CITY.replace(seen=5))
            session.amend(**{"data.seen": 6})

    session.subscribe(hears)
    session.start()
    assert session.wait(60) == "done"
    (note,) = session.history.amendments
    assert LOAD.replace(**note.changes).data == session.experiment.data == CITY.replace(seen=6)


def test_a_saved_run_goes_on_right_after(tmp_path: Path) -> None:
    whole = fb.Session(LOAD)
    stepped(whole, 2)
    whole.amend(**{"data.seen": 4})
    fb.save(whole, tmp_path / "two")  # before a round has gone by it
    stepped(whole, 1)
    fb.save(whole, tmp_path / "three")
    whole.amend(data=CITY.replace(seen=5, memory=2))
    stepped(whole, 3)
    expected = [row.metrics for row in whole.history.rows]

    two = fb.resume(tmp_path / "two")
    stepped(two, 1)
    assert two.history.privacy_card().statement.startswith("No privacy is guaranteed")
    two.amend(data=CITY.replace(seen=5, memory=2))
    three = fb.resume(tmp_path / "three", data=CITY.replace(seen=5, memory=2))
    for session in (two, three):
        stepped(session, 3)
        assert [row.metrics for row in session.history.rows] == expected
        assert [note.round for note in session.history.amendments] == [3, 4]
    with pytest.raises(StoreError, match=r"data\.seen: \d+ periods have already arrived"):
        fb.resume(tmp_path / "three", data=CITY)


def test_client_level_privacy_composes_over_rounds_whatever_the_data() -> None:
    private = LOAD.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ClientLevelDP(noise_multiplier=4.0, delta=1e-2, noise_seed=1),
        sampling=fb.Poisson(rate=0.5),
    )
    session = fb.Session(private)
    stepped(session, 3)
    session.amend(**{"data.seen": 6})
    stepped(session, 3)
    plain = fb.Session(private)
    stepped(plain, 6)
    spent = [row.epsilon for row in session.history.rows]
    assert spent == [row.epsilon for row in plain.history.rows]
    assert spent[-1] == composed([(gaussian(0.5, 4.0), 6)], 1e-2)
    (line,) = [words for name, words in session.history.privacy_card().lines if "Changed" in name]
    assert "from round 4 on data.seen = 6" in line


def test_example_level_privacy_is_accounted_for_by_the_sizes_of_each_round(tmp_path: Path) -> None:
    private = LOAD.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, delta=1e-5, noise_seed=1),
    )
    session, cautions = fb.Session(private), []
    session.subscribe(
        lambda event: cautions.append(event) if isinstance(event, Cautioned) else None
    )
    stepped(session, 2)
    session.amend(**{"data.seen": 5})
    stepped(session, 2)
    # three weeks are 504 hours, in 8 batches of 64; five are 840, in 14
    expected = composed([(gaussian(64 / 504, 1.0), 16), (gaussian(64 / 840, 1.0), 28)], 1e-5)
    assert session.history.rows[-1].epsilon == pytest.approx(expected, rel=1e-12)
    checkpoint = session.checkpoint()
    assert checkpoint is not None and isinstance(checkpoint.progress.ledger, Ledgers)
    fb.save(session, tmp_path / "run")
    again = fb.resume(tmp_path / "run")
    for each in (session, again):
        stepped(each, 1)
    assert again.history.rows[-1].epsilon == session.history.rows[-1].epsilon > expected
    assert not any("1/samples" in each.text for each in cautions)


def test_a_budget_holds_over_what_comes_in() -> None:
    private = LOAD.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ExampleLevelDP(epsilon=2.0, delta=1e-5, noise_seed=1),
        rounds=4,
    )
    session = fb.Session(private)
    stepped(session, 3)
    session.amend(rounds=40, **{"data.memory": 1})  # fewer rows: each is seen more often
    session.resume()
    assert session.wait(60) == "done"
    assert session.history.ended.startswith("privacy budget")
    assert session.history.rows[-1].epsilon <= 2.0


def test_a_caution_that_more_data_bring_is_told() -> None:
    private = LOAD.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, delta=1 / (4 * 600), noise_seed=1),
    )
    session, told = fb.Session(private), []
    session.subscribe(lambda event: told.append(event) if isinstance(event, Cautioned) else None)
    stepped(session, 1)
    assert not any("1/samples" in each.text for each in told)  # 504 rows in each of four
    session.amend(**{"data.seen": 4})  # 672
    assert any("1/samples" in each.text for each in told)


def test_models_of_the_clients_own_go_on() -> None:
    own = LOAD.replace(strategy=fb.Ditto())
    session = fb.Session(own)
    stepped(session, 2)
    session.amend(**{"data.seen": 4})
    stepped(session, 1)
    early, late = Rounds(own), Rounds(own.replace(**{"data.seen": 4}))
    progress, _ = early.next(early.begin())
    progress, _ = early.next(progress)
    _, row = late.next(progress)
    assert row.personal == session.history.rows[-1].personal
    fresh = replace(progress, clients={})
    assert late.next(fresh)[1].personal != row.personal
    assert np.isfinite(row.personal)
