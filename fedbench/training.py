"""What a client does with its data in one round."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from fedbench.config.problems import unsound
from fedbench.config.spec import Spec


class LocalTraining(Spec):
    """Local SGD: `epochs` passes, or a number of `steps`, over batches of the client's samples."""

    epochs: Annotated[
        int | None,
        Field(
            ge=1,
            title="Epochs",
            description=(
                "passes over the client's data per round, 1 if neither epochs nor steps is "
                "given: with more, clients drift further apart"
            ),
            json_schema_extra={"slider": [1, 20, 1]},
        ),
    ] = None
    steps: Annotated[
        int | None,
        Field(
            ge=1,
            title="Steps",
            description=(
                "local steps per round, instead of epochs: the same number for all clients, so "
                "small clients see their rows more often"
            ),
            json_schema_extra={"slider": [1, 50, 1]},
        ),
    ] = None
    batch_size: Annotated[
        int | None,
        Field(
            ge=1,
            title="Batch",
            description=(
                "samples per local step: smaller batches give more and noisier steps; none "
                "uses all of a client's samples"
            ),
            json_schema_extra={"slider": [1, 256, 1], "scale": "log", "none": "all samples"},
        ),
    ] = 10
    lr: Annotated[
        float,
        Field(
            gt=0,
            le=3e38,
            title="Learning rate",
            description="step size of local SGD: too small is slow, too large diverges",
            json_schema_extra={
                "slider": [0.001, 10, 0.001],
                "scale": "log",
                "live": True,
                "formula": "w ← w − η·g",
            },
        ),
    ] = 0.1
    momentum: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            title="Momentum",
            description=("momentum of local SGD, reset each round: nearer to 1 is smoother"),
            json_schema_extra={"slider": [0, 0.99, 0.01], "formula": "u ← m·u + g, w ← w − η·u"},
        ),
    ] = 0.0
    weight_decay: Annotated[
        float,
        Field(
            ge=0,
            title="Weight decay",
            description="pull of the weights towards zero: larger keeps the model simpler",
            json_schema_extra={"slider": [0, 0.1, 0.0001], "formula": "g + λw"},
        ),
    ] = 0.0
    lr_decay: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            title="Learning rate decay",
            description=(
                "factor applied to the learning rate after each round: 1 keeps it constant, "
                "smaller ends in finer steps"
            ),
            json_schema_extra={"slider": [0.9, 1, 0.001], "formula": "η_t = η·d^{t − 1}"},
        ),
    ] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _one_length(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("epochs") is None and data.get("steps") is None:
            return data | {"epochs": 1}
        return data

    @model_validator(mode="after")
    def _not_both(self) -> LocalTraining:
        if self.epochs is not None and self.steps is not None:
            raise unsound(
                f"epochs={self.epochs} and steps={self.steps} cannot both be set; leave one of "
                "them out"
            )
        return self

    def rate(self, round: int) -> float:
        """Return the learning rate of `round`, counted from 1."""
        return self.lr * self.lr_decay ** (round - 1)

    @property
    def one_full_batch(self) -> bool:
        """Return whether a round is one gradient over all of a client's samples."""
        return self.batch_size is None and (self.epochs == 1 or self.steps == 1)
