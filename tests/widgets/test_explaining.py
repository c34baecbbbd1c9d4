"""What the form says of its fields: made from them, so a part of one's own explains itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import fedbench as fb
from fedbench.scenarios import digits
from fedbench.strategies import Strategy
from fedbench_widgets import Workbench
from fedbench_widgets.explaining import KNOWN, about_field, about_part
from fedbench_widgets.form import Form


def lines(cls: type, name: str) -> list[str]:
    return about_field(cls.model_fields[name]).split("\n")


def test_a_field_says_one_sentence_its_formula_and_its_bounds() -> None:
    assert lines(fb.FedProx, "mu") == [
        "Strength of the pull towards the global model θ: 0 is FedAvg, larger keeps local models "
        "closer to it.",
        "g + μ(w − θ)",
        "0 or more; default 0.01",
    ]
    assert lines(fb.CMAPSS, "window")[1:] == ["", "1 or more, at most 50; flights; default 10"]
    assert lines(fb.ClientLevelDP, "epsilon")[1:] == [
        "P[A(D) ∈ S] ≤ e^ε P[A(D′) ∈ S] + δ",
        "above 0; off: no budget",
    ]


def test_local_noise_is_counted_in_twice_the_clip() -> None:
    central, gaussian, laplace = (
        lines(cls, "noise_multiplier")[1]
        for cls in (fb.ClientLevelDP, fb.LocalGaussian, fb.LocalLaplace)
    )
    assert central == "Σ x_i + N(0, z²C²), ‖x_i‖ ≤ C"
    assert gaussian == "Δ_i + N(0, (2zC)²), ‖Δ_i‖ ≤ C"
    assert laplace == "Δ_i + Laplace(2zC), Σ|Δ_i| ≤ C"


def test_a_chosen_part_says_what_it_does_and_where_it_is_from() -> None:
    assert about_part(fb.Dirichlet, "how the data are split among the clients").split("\n") == [
        "How the data are split among the clients. Dirichlet: Split each class among the clients "
        "by proportions drawn from Dirichlet(α).",
        "",
        "Yurochkin et al. 2019 (arXiv:1905.12022), as in NIID-Bench (arXiv:2102.02079)",
    ]
    assert about_part(fb.Krum).split("\n")[2] == "Blanchard et al. 2017 (arXiv:1703.02757)"


def words(widget: object) -> str:
    (name,) = [c for c in widget._dom_classes if c.startswith("fb-says-")]  # type: ignore[attr-defined]
    return KNOWN[name]


def test_a_choice_explains_what_is_chosen_now() -> None:
    form = Form(digits(), lambda: None)
    choice = form._group("strategy").choice
    assert choice is not None
    assert "FedAvg: Average the clients' locally trained models" in words(choice)
    choice.value = "FedProx"
    assert "FedProx: Pull local steps towards the global model" in words(choice)
    form.close()


def test_a_part_of_ones_own_explains_itself_in_the_page() -> None:
    class Leashed(Strategy):
        """Keep clients on a leash."""

        leash: Annotated[
            float,
            Field(
                ge=0,
                title="Leash",
                description="how short they are held",
                json_schema_extra={"formula": "g + l·w_{far}"},
            ),
        ] = 0.5

    workbench = Workbench(fb.Experiment(strategy=Leashed()))
    try:
        said = workbench.toolbar.help.values()
        assert "How short they are held.\ng + l·w_{far}\n0 or more; default 0.5" in said
        assert any("Leashed: Keep clients on a leash." in each for each in said)
    finally:
        workbench.close()


def test_the_page_is_told_what_the_tour_goes_by() -> None:
    workbench = Workbench(digits())
    try:
        told = workbench.toolbar.status["tour"]
        assert told["form"] == told["ran"] == {"alpha": 1.0, "epsilon": 8.0, "private": True}
        workbench.start()
        assert workbench.wait(60) == "done"
        workbench._publish()
        after = workbench.toolbar.status["tour"]
        assert after["run"] == told["run"] + 1
        workbench.experiment = digits().replace(
            partition=fb.IID(clients=20), privacy=fb.NoPrivacy()
        )
        workbench._publish()
        now = workbench.toolbar.status["tour"]
        assert now["form"] == {"alpha": None, "epsilon": None, "private": False}
        assert now["ran"] == after["ran"] == told["form"]
        assert now["run"] == after["run"], "what has run stays on show until the next start"
    finally:
        workbench.close()
