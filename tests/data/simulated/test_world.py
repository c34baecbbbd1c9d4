"""What all simulated worlds have in common."""

import pytest

import fedbench as fb
from fedbench.data import Source, simulated
from fedbench.data.simulated.world import World

WORLDS = [getattr(simulated, name) for name in simulated.__all__]


@pytest.mark.parametrize("cls", WORLDS)
def test_a_world_names_who_holds_its_rows_and_its_seed_comes_last(cls: type[Source]) -> None:
    world = cls()
    assert isinstance(world, World)
    data = world.to_dict()
    assert list(data)[-1] == "world_seed"
    assert list(data)[:2] == ["kind", "test_fraction"]
    assert next(iter(world.natural.items())) == (world.holder, data[f"{world.holder}s"])
    assert len(world.table().columns[world.holder].names) == data[f"{world.holder}s"]


def test_no_two_kinds_of_world_share_their_chance() -> None:
    streams = [cls.stream for cls in WORLDS]
    assert len(set(streams)) == len(streams) == 8


@pytest.mark.parametrize(
    ("world", "field", "fewest"),
    [
        (fb.Banks(banks=50, rows=1000), "rows", 1500),
        (fb.Hospitals(hospitals=10, patients=100), "patients", 300),
        (fb.Payments(banks=50, payments=1000), "payments", 1500),
        (fb.Reviews(shops=20, reviews=100), "reviews", 600),
    ],
)
def test_too_few_rows_for_all_are_refused(world: Source, field: str, fewest: int) -> None:
    (found,) = world.check(fb.Experiment())
    assert found.path == f".{field}"
    assert found.message.endswith(f"choose at least {fewest:,}")
    assert not list(world.replace(**{field: fewest}).check(fb.Experiment()))
