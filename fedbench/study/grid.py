"""The points of a sweep: every combination of some values of some settings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import ValidationError

from fedbench.config.overrides import assign
from fedbench.config.problems import problems
from fedbench.config.spec import Spec
from fedbench.experiment import Experiment
from fedbench.privacy import NoPrivacy
from fedbench.study.differences import shown

SEED, BUDGET = "seed", "privacy.epsilon"
REPEATS = (SEED, "privacy.noise_seed")  # settings that are chance, and nobody's choice
Axes = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Point:
    """One experiment of a sweep, and the settings that tell it from the others."""

    settings: Mapping[str, Any]
    experiment: Experiment


def axes_of(given: Mapping[str, Iterable[Any]]) -> Axes:
    """Return the axes with their values as tuples.

    Raises ValueError for no axis, an axis without values, and a value that occurs twice.
    """
    if not isinstance(given, Mapping):
        raise TypeError(
            f"axes: {type(given).__name__} has no settings; name each with its values, as in "
            "{'seed': range(5)}"
        )
    if not given:
        raise ValueError("axes: none; name a setting and its values, as in {'seed': range(5)}")
    axes: Axes = {}
    for path, values in given.items():
        if isinstance(values, str | Mapping | Spec) or not isinstance(values, Iterable):
            raise ValueError(f"{path} = {values!r}: give several values, as in [0.5, 1]")
        axes[path] = tuple(each.item() if isinstance(each, np.generic) else each for each in values)
        if not axes[path]:
            raise ValueError(f"{path}: there are no values to sweep")
        for k, value in enumerate(axes[path]):
            if value in axes[path][:k]:
                raise ValueError(f"{path} = {shown(value)}: this value is given twice")
    return axes


def refuse_code(axes: Mapping[str, Iterable[Any]]) -> None:
    """Raise ValueError for a value that names code, as in kind = 'module:Class'.

    For values from outside: what they name would be imported.
    """

    def named(value: Any) -> Iterator[str]:
        if isinstance(value, str) and ":" in value:
            yield value
        elif isinstance(value, Mapping):
            for item in value.values():
                yield from named(item)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from named(item)

    for path, values in axes.items():
        for code in named(list(values)):
            raise ValueError(f"{path} = {code!r}: only built-in parts can be chosen here")


def grid(experiment: Experiment, axes: Axes) -> tuple[Point, ...]:
    """Return the product of all axes in order, the last one fastest; every point is validated.

    An infinite privacy budget is no privacy at all, everything else being equal. Raises ValueError
    for a setting that does not exist, for points that cannot be, by their settings, and for points
    with different first metrics.
    """
    experiment = experiment.replace()  # a class of its parts may have been defined again since
    points = tuple(
        _point(experiment, dict(zip(axes, values, strict=True)))
        for values in itertools.product(*axes.values())
    )
    metrics = dict.fromkeys(point.experiment.metric for point in points)
    if len(metrics) > 1:
        raise ValueError(
            f"points by {' and '.join(metrics)} cannot be compared; sweep classification and "
            "regression separately"
        )
    return points


def label(settings: Mapping[str, Any]) -> str:
    """Return settings in one line."""
    return ", ".join(f"{path} = {shown(value)}" for path, value in settings.items())


def _point(experiment: Experiment, settings: dict[str, Any]) -> Point:
    data = experiment.to_dict()
    try:
        # what holds others comes before what it holds: strategy before strategy.mu
        for path in sorted(settings, key=lambda path: path.count(".")):
            if not (path == BUDGET and settings[path] == math.inf):
                assign(Experiment, data, path, _plain(settings[path]), allow_imports=True)
        if settings.get(BUDGET) == math.inf:  # last: what else is swept of privacy had its say
            data["privacy"] = NoPrivacy().to_dict()
        return Point(settings, Experiment.from_dict(data, allow_imports=True))
    except ValidationError as error:
        found = "; ".join(map(str, problems(error)))
        raise ValueError(f"{label(settings)}: {found}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.to_dict() if isinstance(value, Spec) else value


def cautions(points: Sequence[Point], axes: Axes) -> list[str]:
    """Return what is allowed but should be known before the results of a grid are believed."""
    found = [text for point in points for text in point.experiment.cautions()]
    guarantees = [point.experiment.privacy.guarantee for point in points]
    fixed = any(each is not None and each.noise_seed is not None for each in guarantees)
    if fixed and len(axes.get(SEED, ())) > 1 and REPEATS[1] not in axes:
        found.append(
            "privacy.noise_seed is the same for every seed: the interval over seeds does not know "
            "how much the noise varies; sweep privacy.noise_seed too"
        )
    return list(dict.fromkeys(found))
