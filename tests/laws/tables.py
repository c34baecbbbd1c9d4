"""Small tables of every kind that models take: rows, images, sequences, texts, pairs of ids."""

from __future__ import annotations

from functools import cache

import numpy as np

import fedbench as fb
from fedbench.data import Card, Dataset, Features
from fedbench.data.card import Task
from fedbench.models import Model

ROWS = 60
CLASSES: dict[str, tuple[str, ...]] = {
    "binary": ("no", "yes"),
    "classes": ("p", "q", "r"),
    "regression": (),
}
# what one example is: its shape and its vocabulary
KINDS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "grey": ((9, 8), ()),
    "colour": ((3, 6, 7), ()),
    "series": ((5, 3), ()),
    "text": ((7,), (12,)),
    "pairs": ((2,), (6, 10)),
}


@cache
def tables() -> dict[str, Dataset]:
    """Return each table by a name."""
    real = {
        "binary": fb.BreastCancer(),
        "classes": fb.Wine(),
        "regression": fb.DiabetesProgression(),
    }
    made = {f"{kind} {goal}": _made(kind, goal) for kind in KINDS for goal in CLASSES}
    return {name: source.load() for name, source in real.items()} | made


def suited(model: Model) -> dict[str, Dataset]:
    """Return the tables that `model` takes."""
    found = {
        name: table
        for name, table in tables().items()
        if model.unsuited(table.card.shape, table.card.vocabulary) is None
    }
    if isinstance(model, fb.MatrixFactorisation):
        return {name: table for name, table in found.items() if table.card.outputs == 1}
    return found


def _made(kind: str, goal: str) -> Dataset:
    (shape, vocabulary), classes = KINDS[kind], CLASSES[goal]
    rng = np.random.default_rng(0)
    x: Features
    if vocabulary:
        x = rng.integers(0, vocabulary, (ROWS, *shape))
        signal = x[:, 0] / vocabulary[0] - 0.5
    else:
        x = rng.normal(size=(ROWS, *shape)).astype(np.float32)
        signal = x.reshape(ROWS, -1)[:, :4].mean(1)
    task: Task = "classification" if classes else "regression"
    if classes:
        order = signal.argsort().argsort()
        y = order * len(classes) // ROWS
    else:
        y = ((signal - signal.mean()) / signal.std()).astype(np.float32)
    names = tuple(f"{kind} {k}" for k in range(int(np.prod(shape))))
    card = Card(kind, "made here", "none", task, shape, names, "y", classes, vocabulary=vocabulary)
    return Dataset(card, x[:48], y[:48], x[48:], y[48:])
