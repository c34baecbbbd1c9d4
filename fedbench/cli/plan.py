"""`fedbench plan`: the one of ε, δ, rounds, rate and noise that is left out."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from fedbench.cli.exits import refuse
from fedbench.study.plan import plan as make_plan


def plan(
    epsilon: Annotated[float | None, typer.Option(help="The budget ε.")] = None,
    delta: Annotated[float | None, typer.Option(help="The δ of the budget, as 1e-5.")] = None,
    rounds: Annotated[float | None, typer.Option(help="Rounds of the run.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="Probability that a client takes part in a round.")
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(help=("Noise multiplier z: standard deviation over clipping norm.")),
    ] = None,
    clients: Annotated[int | None, typer.Option(help="Number of clients.")] = None,
    cohort: Annotated[
        float | None, typer.Option(help="Expected clients per round, instead of the rate.")
    ] = None,
    parameters: Annotated[
        int | None, typer.Option(help="Number of model parameters, for the signal-to-noise ratio.")
    ] = None,
) -> None:
    """Work out the one of ε, δ, rounds, rate and noise that is left out, for client-level DP."""
    try:
        found = make_plan(
            epsilon=epsilon,
            delta=delta,
            rounds=rounds,
            rate=rate,
            noise_multiplier=noise,
            clients=clients,
            cohort=cohort,
        )
        typer.echo(str(found))
        if parameters is not None:
            ratio = found.signal_to_noise(parameters)
            typer.echo(f"signal to noise of the mean update, at best: {ratio:.3g}")
    except ValueError as error:
        refuse(_with_options(str(error)))


def _with_options(message: str) -> str:
    """Return a message about arguments of `plan` with the names that they have in a shell."""
    message = message.replace("noise_multiplier", "noise")
    if message.startswith("leave out"):
        return re.sub(r"\b(epsilon|noise|rounds|rate|delta)\b", r"--\1", message)
    return re.sub(r"^(epsilon|noise|rounds|rate|delta|clients|cohort)(?= = |: )", r"--\1", message)
