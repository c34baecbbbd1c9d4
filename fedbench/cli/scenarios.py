"""`fedbench scenarios`: what there is to start from."""

from __future__ import annotations

from typing import Annotated

import typer

from fedbench.cli import printed
from fedbench.cli.exits import refuse
from fedbench.config.problems import nearest
from fedbench.scenarios import SCENARIOS, Scenario


def scenarios(
    name: Annotated[str | None, typer.Argument(help="The scenario to describe.")] = None,
) -> None:
    """List the scenarios, or tell the story of one."""
    if name is None:
        printed.scenarios(SCENARIOS)
    else:
        printed.story(named(name))


def named(name: str) -> Scenario:
    """Return the scenario of this name; exit where there is none."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    if name not in known:
        refuse(f"no scenario is called {name!r}{nearest(name, known)}")
    return known[name]
