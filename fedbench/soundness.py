"""What an experiment may not be, and what one should know of it: rules between its fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from pydantic_core import InitErrorDetails

from fedbench.aggregators.aggregator import unweighed
from fedbench.channel import unbounded
from fedbench.config.kinds import is_user_class
from fedbench.config.problems import refuse
from fedbench.config.rebuilding import not_rebuilt
from fedbench.config.spec import refuse_part, specs_in
from fedbench.data import ByTime, Explicit, Natural
from fedbench.data.skews import mixing
from fedbench.engine.engine import unproven
from fedbench.exposure import beyond_the_unit, computed_from_rows
from fedbench.participation.sampling import (
    Everyone,
    FixedCohort,
    Poisson,
    Shuffled,
    unproven_draws,
)
from fedbench.privacy import ClientLevelDP, Clip, ExampleLevelDP, LocalDP, Private
from fedbench.privacy.clipping import unheld
from fedbench.privacy.privacy import unfounded
from fedbench.strategies.strategy import Strategy, revealing

if TYPE_CHECKING:
    from fedbench.experiment import Experiment

MANY = 10_000  # clients from which on a round with all of them is hardly meant


def refusals(experiment: Experiment) -> list[InitErrorDetails]:
    """Return what is unsound: the field, the reason and a remedy."""
    schedule = experiment.schedule
    if errors := _not_rebuilt(experiment):
        return errors  # what else there is to say may depend on them
    return [
        *_data_errors(experiment),
        *_device_errors(experiment),
        *_algorithm_errors(experiment),
        *_privacy_errors(experiment),
        *_channel_errors(experiment),
        *(refuse(each.path, each.message, each.value) for each in schedule.check(experiment)),
    ]


def _not_rebuilt(experiment: Experiment) -> list[InitErrorDetails]:
    """Refuse parts that sweeps, saved files and resumed runs could not carry as they are."""
    errors: list[InitErrorDetails] = []
    for name in type(experiment).model_fields:
        for part in specs_in(getattr(experiment, name)):
            for each in part.parts():
                if is_user_class(type(each)) and (reason := not_rebuilt(each)):
                    errors.append(refuse(name, reason, each.kind()))
    return errors


def _data_errors(experiment: Experiment) -> list[InitErrorDetails]:
    errors: list[InitErrorDetails] = []
    if refusal := experiment.partition.refuses(experiment.data):
        return [refuse_part("partition", experiment.partition, refusal)]
    clients, shape = experiment.clients, getattr(experiment.data, "shape", None)
    for place, skew in enumerate(experiment.skews):
        reason = shape and skew.refuses(experiment.data.task, shape, experiment.data.vocabulary)
        if experiment.partition.shares_rows:
            reason = (
                f"clients of {experiment.partition.kind()} share rows; choose another partition"
            )
        if reason:
            where, kind = f"skews.{place}.kind", skew.kind()
            errors.append(refuse(where, f"{experiment.data.kind()}: {reason}", kind))
    sampling = experiment.sampling
    if isinstance(sampling, FixedCohort | Shuffled) and sampling.size > clients:
        errors.append(
            refuse(
                "sampling.size",
                f"a cohort cannot be larger than the {clients} clients there are",
                sampling.size,
            )
        )
    return errors


def _device_errors(experiment: Experiment) -> list[InitErrorDetails]:
    if experiment.devices is None:
        return []
    availability = experiment.devices.availability
    if refusal := availability.refuses():
        return [refuse_part("devices.availability", availability, refusal)]
    over = experiment.devices.over_selection
    central = isinstance(experiment.privacy, ClientLevelDP)
    if over == 1 or (experiment.sampling.needed is not None and not central):
        return []
    return [
        refuse(
            "devices.over_selection",
            "over-selection needs a fixed number of answers to stop at; choose FixedCohort, or "
            "set it to 1. Under client-level DP every client that is drawn must count, "
            "whatever the others do",
            over,
        )
    ]


def _algorithm_errors(experiment: Experiment) -> list[InitErrorDetails]:
    errors: list[InitErrorDetails] = []
    data, model, target = experiment.data, experiment.model, experiment.target
    shape = getattr(data, "shape", None)  # a source of one's own may know it only later
    if shape is not None and (reason := model.refuses(shape, data.vocabulary, data.task)):
        errors.append(refuse("model.kind", f"{data.kind()}: {reason}", model.kind()))
    known = experiment.metrics
    if target is not None and target.metric not in known:
        errors.append(
            refuse(
                "target.metric",
                f"{data.kind()} is a {data.task} set; choose {', '.join(known)}",
                target.metric,
            )
        )
    if reason := experiment.strategy.refuses(experiment.training):
        errors.append(refuse("strategy.kind", reason, experiment.strategy.kind()))
    expected = int(experiment.sampling.expected(experiment.clients))
    if reason := experiment.aggregator.refuses(expected):
        errors.append(refuse("aggregator", reason, expected))
    return errors


def _privacy_errors(experiment: Experiment) -> list[InitErrorDetails]:
    privacy, strategy = experiment.privacy, experiment.strategy
    errors: list[InitErrorDetails] = []
    if isinstance(privacy, Private):
        if reason := unfounded(privacy):
            errors.append(refuse("privacy.kind", reason, privacy.kind()))
        if reason := unproven(experiment.engine, privacy):
            errors.append(refuse("engine.kind", reason, experiment.engine.kind()))
    if isinstance(privacy, ExampleLevelDP):
        if reason := revealing(strategy):
            errors.append(refuse("strategy.kind", reason, strategy.kind()))
        for place, skew in enumerate(experiment.skews):
            if reason := mixing(skew):
                errors.append(refuse(f"skews.{place}.kind", reason, skew.kind()))
    if isinstance(privacy, ClientLevelDP) and (reason := unheld(privacy.clipping)):
        errors.append(refuse("privacy.clipping.kind", reason, privacy.clipping.kind()))
    if not isinstance(privacy, ClientLevelDP | LocalDP):
        return errors
    if strategy.weighting != "uniform":
        errors.append(
            refuse(
                "strategy.weighting",
                f"{privacy.level} ε needs weights that reveal nothing about a client's data; "
                "set it to 'uniform'",
                strategy.weighting,
            )
        )
    if strategy.unclippable:
        errors.append(refuse("strategy.kind", strategy.unclippable, strategy.kind()))
    if isinstance(privacy, LocalDP):
        return errors
    if not experiment.aggregator.is_sum:
        errors.append(
            refuse(
                "aggregator.kind",
                "noise is calibrated for a sum of clipped updates; choose Mean",
                experiment.aggregator.kind(),
            )
        )
    elif reason := unweighed(experiment.aggregator):
        errors.append(refuse("aggregator.kind", reason, experiment.aggregator.kind()))
    if privacy.evaluation_share and experiment.data.task != "classification":
        errors.append(
            refuse(
                "privacy.evaluation_share",
                f"{experiment.data.kind()} is a {experiment.data.task} set, whose errors have "
                "no bound to scale the noise by; set it to 0",
                privacy.evaluation_share,
            )
        )
    target, metric = experiment.target, experiment.metric
    if privacy.evaluation_share and target is not None and target.metric != metric:
        errors.append(
            refuse(
                "target.metric",
                f"only {metric} is measured under privacy; choose it, or set "
                "privacy.evaluation_share to 0",
                target.metric,
            )
        )
    spent = privacy.evaluation_share + privacy.clipping.spends()
    if spent >= 1:
        errors.append(
            refuse(
                "privacy.evaluation_share",
                f"with privacy.clipping.share it takes {spent:g} of each round's privacy, and "
                "leaves nothing for the updates; together they must be less than 1",
                privacy.evaluation_share,
            )
        )
    return errors


def _channel_errors(experiment: Experiment) -> list[InitErrorDetails]:
    privacy = experiment.privacy
    errors: list[InitErrorDetails] = []
    for place, stage in enumerate(experiment.channel):
        reason = experiment.strategy.unclippable
        if isinstance(stage, Clip) and reason and not privacy.plain_sum:  # which said so already
            errors.append(refuse("strategy.kind", reason, experiment.strategy.kind()))
        if privacy.noise_on_server and (reason := unbounded(stage)):
            errors.append(refuse(f"channel.{place}.kind", reason, stage.kind()))
        elif isinstance(stage, Clip) and privacy.noise_on_server and unheld(stage.clipping):
            where, kind = f"channel.{place}.clipping.kind", stage.clipping.kind()
            errors.append(refuse(where, str(unheld(stage.clipping)), kind))
        elif isinstance(stage, Clip) and stage.clipping.spends():
            reason = None
            if privacy.noise_on_server:
                reason = (
                    "it would follow sums that have no noise yet, which ε does not cover; choose "
                    "FlatClipping or PerLayerClipping here, or set privacy.clipping"
                )
            elif not experiment.aggregator.is_sum:
                reason = (
                    "it follows the mean of what clients say of their norms, and "
                    f"{experiment.aggregator.kind()} gives none; choose FlatClipping or "
                    "PerLayerClipping, or aggregator = Mean"
                )
            if reason:
                where, kind = f"channel.{place}.clipping.kind", stage.clipping.kind()
                errors.append(refuse(where, reason, kind))
    return errors


def cautions(experiment: Experiment) -> list[str]:
    """Return what is allowed but should be known before a run."""
    found = [f"data: {sentence}" for sentence in experiment.data.cautions()]
    found += _holders_left_out(experiment)
    if isinstance(experiment.privacy, Private):
        found += _privacy_cautions(experiment, experiment.privacy)
    clients = experiment.clients
    if isinstance(experiment.sampling, Everyone) and clients > MANY:
        found.append(
            f"sampling = Everyone: all {clients:,} clients train in every round; FixedCohort "
            "or Poisson draws some of them"
        )
    found += _too_many_attackers(experiment)
    found += _small_cohorts(experiment)
    found += experiment.engine.cautions()
    return found


def _holders_left_out(experiment: Experiment) -> list[str]:
    """Say that rows have a holder where they are dealt out anew; where several may be, ask none."""
    if isinstance(experiment.partition, Natural | ByTime | Explicit):
        return []
    try:
        natural = experiment.data.natural
    except (ValueError, OSError):  # the run will say what is wrong with them
        return []
    if len(natural) != 1:
        return []
    (column,) = natural
    return [
        f"partition = {experiment.partition.kind()}: rows are split anew, although "
        f"{experiment.data.kind()} names their holder in {column!r}; Natural keeps them there"
    ]


def _privacy_cautions(experiment: Experiment, privacy: Private) -> list[str]:
    found: list[str] = []
    delta, clients, sampling = privacy.delta, experiment.clients, experiment.sampling
    if isinstance(privacy, ExampleLevelDP):
        limit = 1 / _examples(experiment)
        if 0 < limit <= delta:
            found.append(
                f"privacy.delta = {delta:g} is not below 1/samples of all clients = "
                f"{limit:.2g}: this δ would even allow publishing one full record; choose a "
                "much smaller δ"
            )
        if experiment.strategy.weighting == "samples":
            found.append(
                "strategy.weighting = 'samples': the number of examples of each client counts "
                "as public; 'uniform' does not reveal it"
            )
    elif delta >= 1 / clients:
        found.append(
            f"privacy.delta = {delta:g} is not below 1/clients = {1 / clients:.2g}: this δ "
            "would even allow publishing all data of one client; choose a much smaller δ"
        )
    if isinstance(privacy, ClientLevelDP) and clients > 1:
        if isinstance(sampling, Everyone):
            found.append(
                "sampling = Everyone: every client spends ε in every round; Poisson sampling "
                "needs less noise for the same ε"
            )
        elif reason := unproven_draws(sampling):
            if not is_user_class(type(sampling)):
                reason = "Poisson sampling needs less noise for the same ε"
            found.append(
                f"sampling = {sampling.kind()}: sampling does not amplify privacy, and each "
                f"client spends ε in every round that it takes part in; {reason}"
            )
    strategy = experiment.strategy
    if type(strategy).personal is not Strategy.personal:
        found.append(
            f"{strategy.kind()}: models that clients keep for themselves have no noise; "
            "they are private only as long as they stay with their clients"
        )
    if experiment.target is not None and not getattr(privacy, "evaluation_share", 0):
        found.append(
            f"target = {experiment.target.metric}: exact scores of held-out rows decide when "
            "the run ends, which ε does not cover; those rows must be public"
        )
    found += beyond_the_unit(experiment)
    fitted, exposed = computed_from_rows(experiment.data)
    if fitted:
        unusual = f"; one unusual row can show in {_listed(exposed)}" if exposed else ""
        found.append(
            f"data = {experiment.data.kind()}: ε does not cover {_listed(fitted)}, computed from "
            f"the training rows before any noise{unusual}"
        )
    if privacy.noise_seed is not None:
        found.append(
            f"privacy.noise_seed = {privacy.noise_seed}: simulation only, the noise "
            "is predictable and protects nobody"
        )
    return found


def _listed(names: Sequence[str]) -> str:
    """Return names as in "a, b and c"."""
    *head, last = names
    return f"{', '.join(head)} and {last}" if head else last


def _examples(experiment: Experiment) -> float:
    """Return how many examples all clients train on."""
    try:
        if not experiment.data.missing:  # a caution is no reason to download anything
            return float(experiment.federation().sizes.sum())
    except (ValueError, OSError):  # the run will say what is wrong with them
        pass
    return experiment.data.training_samples or math.inf


def _too_many_attackers(experiment: Experiment) -> list[str]:
    cohort = round(experiment.sampling.expected(experiment.clients))
    corrupt, most = experiment.attack.share() * cohort, experiment.aggregator.tolerates(cohort)
    if most is None or corrupt <= most:
        return []
    return [
        f"attack = {experiment.attack.kind()}: about {corrupt:.3g} of {cohort} clients in a "
        f"round attack, and {experiment.aggregator.kind()} tolerates at most {most}"
    ]


def _small_cohorts(experiment: Experiment) -> list[str]:
    """Warn of rounds whose cohort will be too small for the aggregator."""
    if not isinstance(experiment.sampling, Poisson) or experiment.sampling.rate == 1:
        return []
    from scipy.stats import binom

    few = next(n for n in count(1) if experiment.aggregator.refuses(n) is None) - 1
    chance = float(binom.cdf(few, experiment.clients, experiment.sampling.rate)) if few else 0.0
    if chance < 1e-4:
        return []
    return [
        f"aggregator = {experiment.aggregator.kind()}: it needs {few + 1} clients, and a round has "
        f"fewer with probability {chance:.2g}; such a round changes nothing"
    ]
