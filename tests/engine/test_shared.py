"""Trees in a file that several processes map."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fedbench.engine.shared import ALIGN, Layout, Shelf
from fedbench.tree import Tree


def mixed(seed: int = 0) -> dict[str, torch.Tensor]:
    """Return tensors of every type that travels, of sizes that fill no line, and of none."""
    rng = np.random.default_rng(seed)
    drawn = {
        "weight": rng.normal(size=(3, 5, 7)).astype(np.float32),
        "rows": rng.integers(-(2**62), 2**62, size=(11,)),
        "changed": rng.random(13) < 0.5,
        "losses": rng.normal(size=(2, 3)) * 1e300,
        "nobody": np.zeros((0, 4), dtype=np.float32),
        "no one": np.zeros((3, 0), dtype=np.int64),
        "scalar": np.float32(rng.normal()),
        "last": rng.normal(size=(1,)),
    }
    return {name: torch.from_numpy(np.asarray(leaf)) for name, leaf in drawn.items()}


def assert_equal(found: Tree, given: Tree) -> None:
    assert list(found) == list(given)
    for name, leaf in given.items():
        assert found[name].dtype == leaf.dtype and found[name].shape == leaf.shape
        assert torch.equal(found[name], leaf)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "shelf"


def test_what_is_put_is_got_by_oneself_and_by_another(path: Path) -> None:
    writer, reader = Shelf(path), Shelf(path)
    layout = writer.put(mixed())
    assert_equal(writer.get(layout), mixed())
    assert_equal(reader.get(layout), mixed())
    assert [(name, dtype) for name, dtype, *_ in layout] == [
        ("weight", "float32"),
        ("rows", "int64"),
        ("changed", "bool"),
        ("losses", "float64"),
        ("nobody", "float32"),
        ("no one", "int64"),
        ("scalar", "float32"),
        ("last", "float64"),
    ]


def test_numbers_that_are_not_finite_keep_their_bits(path: Path) -> None:
    given = torch.tensor([np.nan, np.inf, -np.inf, -0.0, 1e-45])
    found = Shelf(path).get(Shelf(path).put({"w": given}))["w"]
    assert found.numpy().tobytes() == given.numpy().tobytes()


def test_every_tensor_begins_at_a_line_of_64_bytes(path: Path) -> None:
    layout = Shelf(path).put(mixed())
    assert ALIGN == 64
    sizes = [leaf.numel() * leaf.element_size() for leaf in mixed().values()]
    starts = [start for *_, start in layout]
    assert starts[0] == 0 and all(start % 64 == 0 for start in starts)
    ends = [start + size for start, size in zip(starts, sizes, strict=True)]
    assert all(0 <= after - end < 64 for end, after in zip(ends[:-1], starts[1:], strict=True))
    found = Shelf(path).get(layout)
    assert all(leaf.data_ptr() % 64 == 0 for leaf in found.values() if leaf.numel())


@pytest.mark.parametrize(
    "given",
    [{}, {"w": torch.zeros(0)}, {"w": torch.zeros(4, 0, 2, dtype=torch.bool)}],
    ids=["no tensors", "no numbers", "no numbers in three axes"],
)
def test_nothing_at_all_travels_too(given: Tree, path: Path) -> None:
    layout = Shelf(path).put(given)
    assert_equal(Shelf(path).get(layout), given)
    for shelf in (Shelf(path), Shelf(path)):  # and leaves room for more
        assert_equal(shelf.get(shelf.put(mixed())), mixed())


def test_a_tensor_that_does_not_lie_in_one_piece_is_put_as_it_reads(path: Path) -> None:
    whole = torch.arange(24.0).view(4, 6)
    given = {"turned": whole.t(), "part": whole[:, 1:3], "wide": whole[:1].expand(5, 6)}
    assert_equal(Shelf(path).get(Shelf(path).put(given)), given)
    trained = whole.clone().requires_grad_()
    assert_equal(Shelf(path).get(Shelf(path).put({"w": trained})), {"w": whole})


def test_the_next_tree_is_written_over_the_last(path: Path) -> None:
    writer, reader = Shelf(path), Shelf(path)
    first = reader.get(writer.put(mixed(1)))
    layout = writer.put(mixed(2))
    assert_equal(first, mixed(2))  # views, not copies
    assert_equal(reader.get(layout), mixed(2))


def test_a_shelf_grows_while_another_reads(path: Path) -> None:
    writer, reader = Shelf(path), Shelf(path)
    held: list[tuple[Tree, Layout]] = []
    for size in (10, 3000, 200, 100_000, 100_001, 1_000_000, 5):
        given = {"w": torch.arange(size, dtype=torch.float32), "n": torch.tensor([size])}
        layout = writer.put(given)
        found = reader.get(layout)
        assert_equal(found, given)
        held.append((found, layout))
    # what was handed out before the file grew can still be read, as what lies there now
    last = torch.arange(5.0)
    for found, layout in held:
        size = layout[0][2][0]
        assert found["w"].shape == (size,)
        assert torch.equal(found["w"][:5], last)


def test_the_file_never_shrinks_and_is_made_of_little_more_than_it_holds(path: Path) -> None:
    writer, lengths = Shelf(path), []
    for size in (1000, 10_000, 10, 9000):
        writer.put({"w": torch.zeros(size)})
        lengths.append(path.stat().st_size)
    assert lengths[0] >= 4000 and lengths[1] >= 40_000
    assert lengths[1] == lengths[2] == lengths[3]
    assert lengths[1] <= 1.25 * (40_000 + 64)


def test_two_may_write_in_turns(path: Path) -> None:
    first, second = Shelf(path), Shelf(path)
    for size in (4, 5000, 50, 90_000):
        for writer, reader in ((first, second), (second, first)):
            given = {"w": torch.full((size,), float(size)), **mixed(size)}
            assert_equal(reader.get(writer.put(given)), given)
            size *= 2


@pytest.mark.process
def test_another_process_reads_and_answers(path: Path) -> None:
    shelf = Shelf(path)
    layout = shelf.put(mixed())
    program = (
        "import sys, ast; from pathlib import Path; from fedbench.engine.shared import Shelf\n"
        "shelf = Shelf(Path(sys.argv[1])); found = shelf.get(ast.literal_eval(sys.argv[2]))\n"
        "answer = {'large': found['weight'].repeat(1000, 1, 1), 'rows': found['rows'] + 1}\n"
        "print(shelf.put(answer))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path), repr(layout)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer = shelf.get(ast.literal_eval(done.stdout))
    expected = {"large": mixed()["weight"].repeat(1000, 1, 1), "rows": mixed()["rows"] + 1}
    assert_equal(answer, expected)
