"""Arithmetic on trees: parameters as a dict from name to tensor.

Every function takes single trees and trees that are stacked over clients (a leading dimension C)
alike; a factor of shape [C] scales each client by its own number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from torch import Tensor

Tree = Mapping[str, "Tensor"]

RUN = 256  # scalars that are summed in single precision
BLOCK = 1 << 22  # scalars of a block of columns


@overload
def map(function: Callable[[Tensor], Tensor], a: Tree, /) -> dict[str, Tensor]: ...
@overload
def map(function: Callable[[Tensor, Tensor], Tensor], a: Tree, b: Tree, /) -> dict[str, Tensor]: ...
@overload
def map(function: Callable[..., Tensor], *trees: Tree) -> dict[str, Tensor]: ...
def map(function: Callable[..., Tensor], *trees: Tree) -> dict[str, Tensor]:
    """Apply `function` leaf by leaf."""
    return {name: function(*(tree[name] for tree in trees)) for name in trees[0]}


def add(a: Tree, b: Tree) -> dict[str, Tensor]:
    """Return a + b."""
    return {name: a[name] + b[name] for name in a}


def sub(a: Tree, b: Tree) -> dict[str, Tensor]:
    """Return a - b."""
    return {name: a[name] - b[name] for name in a}


def scale(a: Tree, factor: float | Tensor) -> dict[str, Tensor]:
    """Return a times a number, or times a number per client (shape [C])."""
    return {name: leaf * _per_client(factor, leaf) for name, leaf in a.items()}


def zeros_like(a: Tree) -> dict[str, Tensor]:
    """Return a tree of zeros in the shapes of `a`."""
    return {name: leaf.new_zeros(leaf.shape) for name, leaf in a.items()}


def stack(trees: Sequence[Tree]) -> dict[str, Tensor]:
    """Stack trees over a new leading dimension C."""
    import torch

    return {name: torch.stack([tree[name] for tree in trees]) for name in trees[0]}


def concatenate(trees: Sequence[Tree]) -> dict[str, Tensor]:
    """Join stacked trees along their leading dimension."""
    import torch

    return {name: torch.cat([tree[name] for tree in trees]) for name in trees[0]}


def row(a: Tree, index: int) -> dict[str, Tensor]:
    """Return client `index` of a stacked tree."""
    return {name: leaf[index] for name, leaf in a.items()}


def pack(**trees: Tree) -> dict[str, Tensor]:
    """Join named trees into one, as `model/weight`; `unpack` parts them again."""
    return {f"{part}/{name}": leaf for part, a in trees.items() for name, leaf in a.items()}


def unpack(a: Tree, part: str) -> dict[str, Tensor]:
    """Return the tree that `pack` was given as `part`."""
    head = f"{part}/"
    return {name.removeprefix(head): leaf for name, leaf in a.items() if name.startswith(head)}


def norms(a: Tree) -> Tensor:
    """Return the Euclidean norm over all leaves of each client of a stacked tree, float64[C]."""
    leaves = [_rows(leaf) for leaf in a.values()]
    squares = [_squares(rows) for rows in leaves]
    total = sum(squares[1:], squares[0])
    if not bool(total.isfinite().all()):
        # A square may leave single precision where its number does not.
        for rows, found in zip(leaves, squares, strict=True):
            over = ~found.isfinite()
            found[over] = rows[over].double().square().sum(1)
        total = sum(squares[1:], squares[0])
    return total.sqrt()


def by_columns(function: Callable[[Tensor], Tensor], a: Tree) -> dict[str, Tensor]:
    """Apply `function`, [C, n] to [n], to blocks of columns of each leaf of a stacked tree.

    For rules that look at each coordinate alone: beside payloads and result there is one block.
    """
    found: dict[str, Tensor] = {}
    for name, leaf in a.items():
        rows = _rows(leaf)
        found[name] = rows.new_empty(rows.shape[1])
        for columns in _blocks(rows):
            found[name][columns] = function(rows[:, columns])
        found[name] = found[name].view(leaf.shape[1:])
    return found


def columns(a: Tree) -> Iterator[Tensor]:
    """Yield all coordinates of a stacked tree as blocks [C, n] of a bounded size."""
    for leaf in a.values():
        rows = _rows(leaf)
        for block in _blocks(rows):
            yield rows[:, block]


def size(a: Tree) -> int:
    """Return the number of scalars."""
    return sum(leaf.numel() for leaf in a.values())


def _blocks(rows: Tensor) -> Iterator[slice]:
    width = max(1, BLOCK // max(1, len(rows)))
    for start in range(0, rows.shape[1], width):
        yield slice(start, start + width)


def _rows(leaf: Tensor) -> Tensor:
    return leaf.unsqueeze(-1).flatten(1)


def _squares(rows: Tensor) -> Tensor:
    # Short runs in single precision, their sums in double: as exact as it need be, and four times
    # as quick as double throughout.
    import torch

    count = rows.shape[1] // RUN
    whole = count * RUN
    runs = torch.linalg.vector_norm(rows[:, :whole].reshape(len(rows), count, RUN), dim=2)
    return runs.double().square().sum(1) + rows[:, whole:].double().square().sum(1)


def _per_client(factor: float | Tensor, leaf: Tensor) -> float | Tensor:
    if isinstance(factor, int | float) or factor.dim() == 0:
        return factor
    return factor.to(leaf.dtype).view(factor.shape + (1,) * (leaf.dim() - factor.dim()))
