"""Who answers and when, by hand and in numbers; what devices change in a run, and what not."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError

import fedbench as fb
from fedbench import tree
from fedbench.participation import Load
from fedbench.runs.rounds import Rounds

torch.set_num_threads(1)

SAME = fb.LogNormal(median=1.0, spread=0.0)
WINES = fb.Experiment(data=fb.Wine(), partition=fb.IID(clients=10), rounds=6)


def equal(speed: float = 100.0, up: float = 1.0, down: float = 4.0, **more) -> fb.Devices:
    """Devices that are all alike."""

    def every(median: float) -> fb.LogNormal:
        return fb.LogNormal(median=median, spread=0.0)

    return fb.Devices(speed=every(speed), uplink=every(up), downlink=every(down), **more)


def load(examples, needed: int | None = None) -> Load:
    return Load(down=8_000_000, up=3_000_000, examples=np.array(examples), needed=needed)


def answer(devices: fb.Devices, examples, needed: int | None = None, round: int = 1):
    asked = np.arange(len(examples))
    return devices.answer(asked, load(examples, needed), clients=len(examples), seed=5, round=round)


# Time


def test_a_client_takes_as_long_as_its_bytes_and_its_examples() -> None:
    found = answer(equal(), [100, 250])
    # 8 MB at 4 MB/s, 100 or 250 examples at 100 a second, 3 MB at 1 MB/s
    assert found.seconds == pytest.approx(2 + 2.5 + 3)
    assert found.ids.tolist() == [0, 1]
    seconds = equal().seconds(np.array([0, 1]), load([100, 250]), clients=2, seed=5)
    assert seconds == pytest.approx([6.0, 7.5])


def test_rates_are_log_normal_and_stay_with_their_client() -> None:
    devices = fb.Devices(speed=fb.LogNormal(median=50, spread=0.7))
    many = Load(down=0, up=0, examples=np.full(5000, 50))
    seconds = devices.seconds(np.arange(5000), many, clients=5000, seed=1)
    logs = np.log(seconds)
    assert np.median(seconds) == pytest.approx(1.0, rel=5 * 0.7 * 1.25 / math.sqrt(5000))
    assert logs.std() == pytest.approx(0.7, rel=5 / math.sqrt(2 * 5000))
    few = Load(down=0, up=0, examples=np.full(3, 50))
    again = devices.seconds(np.array([7, 70, 700]), few, clients=5000, seed=1)
    np.testing.assert_array_equal(again, seconds[[7, 70, 700]])


def test_stragglers_are_cut_at_the_deadline() -> None:
    found = answer(equal(deadline=7.0), [100, 250, 150])
    assert found.ids.tolist() == [0, 2]
    assert found.asked.tolist() == [0, 1, 2]
    assert found.seconds == 7.0
    assert answer(equal(deadline=8.0), [100, 250, 150]).seconds == pytest.approx(7.5)


def test_the_first_to_answer_are_taken_and_nobody_waits_for_the_rest() -> None:
    found = answer(equal(deadline=60.0), [500, 100, 300, 200], needed=2)
    assert found.ids.tolist() == [1, 3]
    assert found.seconds == pytest.approx(2 + 2 + 3)
    too_few = answer(equal(deadline=60.0), [500], needed=2)
    assert too_few.ids.tolist() == [0]
    assert too_few.seconds == pytest.approx(10)  # who was asked has answered: there is no more


def test_dropouts_are_as_many_as_asked_for_and_others_each_round() -> None:
    devices = equal(dropout=0.3)
    gone = np.array([1000 - len(answer(devices, [1] * 1000, round=k).ids) for k in range(1, 21)])
    assert gone.mean() / 1000 == pytest.approx(0.3, abs=5 * math.sqrt(0.21 / 20_000))
    first, second = (set(answer(devices, [1] * 1000, round=k).ids) for k in (1, 2))
    assert len(first & second) == pytest.approx(490, abs=80)
    assert answer(equal(dropout=0.999), [1] * 3).seconds == 0.0  # nobody: nothing to wait for


# Availability


@pytest.mark.parametrize("probability", [0.2, 0.75])
def test_coins_of_availability(probability: float) -> None:
    there = np.stack([fb.Bernoulli(probability=probability).there(500, 3, k) for k in range(1, 41)])
    spread = math.sqrt(probability * (1 - probability))
    assert there.mean() == pytest.approx(probability, abs=5 * spread / math.sqrt(there.size))
    # neither clients nor rounds hang together
    assert there.mean(0).std() == pytest.approx(spread / math.sqrt(40), rel=0.2)
    assert there.mean(1).std() == pytest.approx(spread / math.sqrt(500), rel=0.6)


def test_days_have_a_best_and_a_worst_hour() -> None:
    day = fb.Diurnal(period=24, peak=0.9, trough=0.1, zones=1)
    shares = np.array([day.there(4000, 3, k).mean() for k in range(1, 49)])
    assert shares[5] == pytest.approx(0.9, abs=5 * math.sqrt(0.09 / 4000))
    assert shares[17] == pytest.approx(0.1, abs=5 * math.sqrt(0.09 / 4000))
    np.testing.assert_allclose(shares[:24], shares[24:], atol=0.06)
    assert shares.mean() == pytest.approx(day.expected, abs=0.02)
    spread = fb.Diurnal(period=24, peak=0.9, trough=0.1, zones=24)
    level = np.array([spread.there(4000, 3, k).mean() for k in range(1, 25)])
    assert np.ptp(level) < 0.15  # somewhere it is always night


def test_a_trace_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("client,first,last\n0,1,2\n2,2,4\n0,4,4\n9,1,4\n")
    trace = fb.Trace(path=str(path))
    there = [np.flatnonzero(trace.there(4, 0, k)).tolist() for k in range(1, 6)]
    assert there == [[0], [0, 2], [2], [0, 2], [0]]  # the fifth round is the first again


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("client,first\n1,2\n", "needs the columns client, first, last"),
        ("client,first,last\n", "needs lines of three whole numbers"),
        ("client,first,last\n1,2,x\n", "needs lines of three whole numbers"),
        ("client,first,last\n1,1,1\n0,3,2\n", "line 3: client 0 from round 3 to 2"),
    ],
)
def test_a_trace_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        fb.Trace(path=str(path)).there(4, 0, 1)
    with pytest.raises(ValidationError, match=said):
        WINES.replace(devices=fb.Devices(availability=fb.Trace(path=str(path))))
    with pytest.raises(ValidationError, match=r"devices\.availability\.path\n.* cannot be read"):
        WINES.replace(devices=fb.Devices(availability=fb.Trace(path=str(tmp_path / "absent.csv"))))


# Runs


def test_devices_that_never_fail_change_nothing_but_the_clock() -> None:
    plain, timed = (
        fb.run(WINES.replace(devices=devices), progress=False).frame()
        for devices in (None, fb.Devices())
    )
    same = [name for name in plain if name not in ("seconds", "simulated_seconds")]
    pd.testing.assert_frame_equal(
        plain.filter(items=same), timed.filter(items=same), check_exact=True
    )
    assert all(math.isnan(each) for each in plain["simulated_seconds"].tolist())
    assert min(timed["simulated_seconds"].tolist()) > 0
    assert plain["asked"].tolist() == [10] * 6


def test_the_clock_of_a_run_is_that_of_its_slowest_client() -> None:
    experiment = WINES.replace(devices=equal(speed=10.0))
    row = fb.run(experiment, progress=False).rows[0]
    parameters = 13 * 3 + 3
    most = experiment.federation().sizes.max()
    expected = most / 10 + 4 * parameters / 4e6 + 4 * parameters / 1e6
    assert row.simulated_seconds == pytest.approx(expected)


def test_who_did_not_answer_has_received_and_not_sent() -> None:
    row = fb.run(WINES.replace(devices=equal(dropout=0.5)), progress=False).rows[0]
    assert 0 < len(row.cohort) < row.asked == 10
    assert row.bytes_up == len(row.cohort) * 4 * 42
    assert row.bytes_down == 10 * 4 * 42


def test_states_of_clients_that_did_not_answer_stay() -> None:
    experiment = WINES.replace(strategy=fb.Scaffold(), devices=equal(dropout=0.6), rounds=2)
    rounds = Rounds(experiment)
    progress, row = rounds.next(rounds.begin())
    assert sorted(progress.clients) == row.cohort.tolist() and len(row.cohort) < 10
    kept = {k: tree.map(torch.clone, s.strategy) for k, s in progress.clients.items()}
    after, row = rounds.next(progress)
    for client in set(kept) - set(row.cohort.tolist()):
        state = after.clients[client].strategy
        assert all(torch.equal(state[name], leaf) for name, leaf in kept[client].items())


def test_a_round_that_nobody_answers_changes_nothing() -> None:
    experiment = WINES.replace(devices=equal(deadline=1e-6))
    rows = fb.run(experiment, progress=False).rows
    assert all(len(row.cohort) == 0 and row.asked == 10 for row in rows)
    assert {row.metrics["loss"] for row in rows} == {rows[0].metrics["loss"]}
    assert rows[0].simulated_seconds == 1e-6 and rows[0].bytes_up == 0


def test_a_run_with_devices_replays_over_pauses_and_workers() -> None:
    experiment = fb.Experiment(
        partition=fb.IID(clients=30),
        sampling=fb.FixedCohort(size=5),
        devices=fb.Devices(
            availability=fb.Diurnal(), dropout=0.2, deadline=1.0, over_selection=1.5
        ),
        rounds=6,
    )
    straight = fb.run(experiment, progress=False)
    session = fb.Session(experiment)
    session.step()
    assert session.wait(60) == "paused"
    session.resume()
    assert session.wait(60) == "done"
    spread = fb.run(experiment.replace(engine=fb.StackedEngine(workers=2)), progress=False)
    for other in (session.history, spread):
        same = [name for name in straight.frame() if name != "seconds"]
        pd.testing.assert_frame_equal(
            straight.frame().filter(items=same), other.frame().filter(items=same), check_exact=True
        )
    assert {row.asked for row in straight.rows} <= {7, 8}
    assert max(len(row.cohort) for row in straight.rows) == 5


# Privacy


def test_the_ledger_charges_the_rate_of_sampling_and_the_divisor_is_known_before() -> None:
    private = WINES.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(noise_multiplier=1.0, delta=1e-2, noise_seed=3),
    )
    lossy = private.replace(devices=equal(availability=fb.Bernoulli(probability=0.5), dropout=0.2))
    assert lossy.expected_cohort == pytest.approx(10 * 0.5 * 0.5 * 0.8)
    plain, found = (fb.run(each, progress=False) for each in (private, lossy))
    assert [row.epsilon for row in found.rows] == [row.epsilon for row in plain.rows]
    # no noise to speak of: the mean update is the clipped sum over the expected cohort
    quiet = lossy.replace(
        privacy=fb.ClientLevelDP(noise_multiplier=0.01, clip=1e-3, delta=1e-2, noise_seed=3),
        rounds=1,
    )
    rounds = Rounds(quiet)
    begun = rounds.begin()
    after, row = rounds.next(begun)
    moved = math.sqrt(
        sum(float((after.params[n] - begun.params[n]).square().sum()) for n in begun.params)
    )
    assert moved <= len(row.cohort) * 1e-3 / 2.0 * 1.1
    assert moved >= 0.5 * len(row.cohort) * 1e-3 / 2.0


def test_noise_is_added_where_nobody_answers() -> None:
    silent = WINES.replace(
        strategy=fb.FedAvg(weighting="uniform"),
        sampling=fb.Poisson(rate=0.5),
        privacy=fb.ClientLevelDP(noise_multiplier=1.0, delta=1e-2, noise_seed=3),
        devices=equal(deadline=1e-6),
        rounds=1,
    )
    rounds = Rounds(silent)
    begun = rounds.begin()
    after, row = rounds.next(begun)
    assert len(row.cohort) == 0
    moved = torch.cat([(after.params[n] - begun.params[n]).flatten() for n in begun.params])
    assert float(moved.std()) == pytest.approx(1 / silent.expected_cohort, rel=0.5)


def test_examples_of_clients_that_did_not_answer_are_charged() -> None:
    private = WINES.replace(
        privacy=fb.ExampleLevelDP(noise_multiplier=1.0, delta=1e-3, noise_seed=3),
        training=fb.LocalTraining(batch_size=5, lr=0.1),
        rounds=2,
    )
    plain = fb.run(private, progress=False).rows
    lossy = fb.run(private.replace(devices=equal(dropout=0.7)), progress=False).rows
    assert [row.epsilon for row in lossy] == [row.epsilon for row in plain]
    assert sum(len(row.cohort) for row in lossy) < 15


def test_over_selection_needs_a_fixed_cohort() -> None:
    with pytest.raises(ValidationError, match=r"devices\.over_selection\n.*choose FixedCohort"):
        WINES.replace(sampling=fb.Poisson(rate=0.5), devices=equal(over_selection=1.5))
    fb.Experiment(sampling=fb.FixedCohort(size=5), devices=equal(over_selection=1.5))
