"""What the ε of a run rests on beside its mechanism, and is not known to hold.

These rules are separate from `check`, so that a user class that overrides it keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator

from fedbench.channel.stage import Stage
from fedbench.config.declared import undeclared
from fedbench.config.kinds import is_user_class
from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.config.spec import Part, Spec, specs_in
from fedbench.privacy.clipping import Clipping
from fedbench.privacy.privacy import Private


def unproven(part: Spec, setup: Setup) -> Iterator[Problem]:
    """Yield what a part of the experiment `setup` leaves unproven, as its `check` would."""
    privacy = setup.privacy
    if isinstance(part, Private):
        yield from _mechanism(part, setup)
        yield from _declared(setup.engine, "engine.kind", privacy=part.kind())
        if part.of_examples is not None:
            yield from _examples(setup)
        yield from _clippings(part)
        if part.plain_sum:
            yield from _sum(part, setup)
    elif isinstance(part, Stage) and privacy.noise_on_server:
        yield from list(_declared(part, ".kind")) or _clippings(part)
    elif isinstance(part, Part) and part is setup.schedule and privacy.guarantee is not None:
        yield from _declared(part, ".kind", privacy=privacy.kind())


def _declared(part: Part, path: str, **words: str) -> Iterator[Problem]:
    if reason := undeclared(part, **words):
        yield Problem(path, reason, part.kind())


def _mechanism(privacy: Private, setup: Setup) -> Iterator[Problem]:
    known = next((each for each in type(privacy).__mro__ if not is_user_class(each)), Private)
    ours = "ClientLevelDP, ExampleLevelDP, LocalGaussian or LocalLaplace"
    yield from _declared(privacy, ".kind", known=ours if known.family else known.__name__)


def _examples(setup: Setup) -> Iterator[Problem]:
    if setup.strategy.companion() is not None:
        yield from _declared(setup.strategy, "strategy.kind")
    for place, skew in enumerate(setup.skews):
        yield from _declared(skew, f"skews.{place}.kind")


def _clippings(part: Spec) -> Iterator[Problem]:
    for name in type(part).model_fields:
        for each in specs_in(getattr(part, name)):
            if isinstance(each, Clipping):
                yield from _declared(each, f".{name}.kind")


def _sum(privacy: Private, setup: Setup) -> Iterator[Problem]:
    """Yield why updates would not be added up unweighted, as they are clipped."""
    strategy, aggregator = setup.strategy, setup.aggregator
    if strategy.weighting != "uniform":
        yield Problem(
            "strategy.weighting",
            f"{privacy.level} ε needs weights that reveal nothing about a client's data; "
            "set it to 'uniform'",
            strategy.weighting,
        )
    if strategy.unclippable:
        yield Problem("strategy.kind", strategy.unclippable, strategy.kind())
    if not privacy.noise_on_server:
        return
    if not aggregator.is_sum:
        yield Problem(
            "aggregator.kind",
            "noise is calibrated for a sum of clipped updates; choose Mean",
            aggregator.kind(),
        )
    else:
        yield from _declared(aggregator, "aggregator.kind")
