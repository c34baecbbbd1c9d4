"""Checks of what hooks of the user's return: trees of tensors, of which leaves and shapes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from fedbench.config.spec import Spec
from fedbench.config.usercode import what
from fedbench.tree import Tree

if TYPE_CHECKING:
    from torch import Tensor

CLOSE = 1e-3  # of the largest entry; both sides are float32


def check_tree(
    name: str, found: Any, like: Tree | None, part: str = "the answer", *, finite: bool = True
) -> None:
    """Raise ValueError unless `found` is a tree, with the leaves and shapes of `like` if given."""
    import torch

    if not isinstance(found, Mapping):
        fail(name, f"returned {what(found)} as {part}; return a dictionary of tensors by name")
    for key, leaf in found.items():
        if not isinstance(leaf, torch.Tensor):
            fail(name, f"returned {what(leaf)} as leaf {key!r} of {part}; leaves are tensors")
        if finite and not bool(leaf.isfinite().all()):
            fail(name, f"leaf {key!r} of {part} is not finite, for finite numbers given")
    if like is None:
        return
    missing = [key for key in like if key not in found]
    unknown = [key for key in found if key not in like]
    if missing or unknown:
        words = f"lacks leaf {missing[0]!r}" if missing else f"has another leaf, {unknown[0]!r}"
        fail(name, f"{part} {words}; its leaves must be {', '.join(map(repr, like)) or 'none'}")
    for key, leaf in like.items():
        if found[key].shape != leaf.shape:
            fail(
                name,
                f"leaf {key!r} of {part} has shape {tuple(found[key].shape)}, and "
                f"{tuple(leaf.shape)} is needed",
            )
        if found[key].is_floating_point() != leaf.is_floating_point():
            fail(name, f"leaf {key!r} of {part} is not of the type that it was")


def same_leaves(strategy: Spec, payload: Tree, other: Tree) -> None:
    """Raise ValueError unless the payloads of two clients have the same leaves."""
    if payload.keys() != other.keys():
        odd = min(payload.keys() ^ other.keys())
        fail(
            f"strategy: {strategy.kind()}.finish()",
            f"returned leaf {odd!r} for some clients and not for others; all payloads must have "
            "the same leaves",
        )


class Unwritten:
    """Notices writes into tensors that hooks of the user's are given to read.

    They belong to all clients of a round, or to the run: what one client writes into them reaches
    the others, past all clipping and noise. torch counts the writes into each tensor, so that
    looking costs nothing.
    """

    def __init__(self, name: str, arguments: Mapping[str, Tree]) -> None:
        self.name = name
        self.seen = {
            key: [(leaf, leaf._version) for leaf in a.values()] for key, a in arguments.items()
        }

    def check(self) -> None:
        """Raise ValueError if one of the tensors was written to."""
        for key, leaves in self.seen.items():
            if any(leaf._version != version for leaf, version in leaves):
                fail(
                    self.name,
                    f"writes into {key}, which it is only given to read; return new tensors",
                )


@contextmanager
def unwritten(name: str, arguments: Mapping[str, Tree]) -> Generator[None]:
    """Raise ValueError, of the hook `name`, if it writes into an argument; see `Unwritten`."""
    given = Unwritten(name, arguments)
    yield
    given.check()


def pair(name: str, found: Any, part: str) -> tuple[Any, Any]:
    """Return what was found, if it is a pair, else raise ValueError that asks for two trees."""
    if not (isinstance(found, tuple) and len(found) == 2):
        fail(name, f"returned {what(found)}; return two trees, {part}")
    return found


def small_tree(params: Tree) -> dict[str, Tensor]:
    """Return a tree of small numbers, none of them zero and no two leaves alike."""
    import torch

    return {
        name: (0.01 * torch.cos(torch.arange(leaf.numel()) + k + 0.5)).view(leaf.shape)
        for k, (name, leaf) in enumerate(params.items())
    }


def apart(a: Tensor, b: Tensor) -> bool:
    """Return whether two tensors differ by more than rounding."""
    if a.shape != b.shape:
        return True
    a, b = a.double(), b.double()
    scale = float(b.abs().max()) if b.numel() else 0.0
    return bool(((a - b).abs() > CLOSE * scale + 1e-7).any())


def fail(name: str, reason: str) -> NoReturn:
    """Raise ValueError: what is at fault, and why."""
    raise ValueError(f"{name}: {reason}")
